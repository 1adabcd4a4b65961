import hmac
import os

import pytest

from windlass.serving import EndpointError
from windlass.serving.access import Known, TokenFile

FIRST, SECOND = "first-0123456789abcdef", "second-0123456789abcdef"


@pytest.fixture
def place(tmp_path):
    return tmp_path / "tokens"


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 2.0  # each question is later than a second after the last one
        return self.now


async def test_a_token_stands_for_a_name_and_its_groups(place):
    place.write_text(f"# who may ask\n\nann {FIRST} staff readers\n  bob\t{SECOND}\n")
    tokens = TokenFile(place)
    assert await tokens.caller(FIRST) == Known("ann", ("staff", "readers"))
    assert await tokens.caller(SECOND) == Known("bob")
    assert await tokens.caller(FIRST[:-1]) is None
    assert await tokens.caller("") is None
    assert await tokens.caller("\udcff") is None


async def test_every_token_is_compared_whichever_it_is(place, monkeypatch):
    place.write_text(f"ann {FIRST}\nbob {SECOND}\ncid {FIRST}x\n")
    tokens = TokenFile(place)
    compared = []

    def compare(one, other):
        compared.append(one)
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for token in (FIRST, SECOND, "nobody's"):
        await tokens.caller(token)
    assert len(compared) == 9


@pytest.mark.parametrize("how", ["written", "renamed", "link"])
async def test_a_file_that_is_replaced_counts_from_then_on(how, place):
    """As an editor, a publisher, and the kubelet with a mounted Secret do it."""
    if how == "link":
        (place.parent / "old").write_text(f"ann {FIRST}\n")
        place.symlink_to("old")
    else:
        place.write_text(f"ann {FIRST}\n")
    tokens = TokenFile(place, clock=Clock())
    assert await tokens.caller(FIRST) == Known("ann")
    new = place.parent / "new"
    (place if how == "written" else new).write_text(f"ann {SECOND}\n")
    if how == "link":
        (place.parent / "next").symlink_to("new")
        (place.parent / "next").rename(place)
    elif how == "renamed":
        new.rename(place)
    assert (await tokens.caller(FIRST), await tokens.caller(SECOND)) == (None, Known("ann"))


async def test_a_file_that_is_spoilt_or_gone_leaves_the_former_tokens_valid(place, caplog):
    place.write_text(f"ann {FIRST}\n")
    tokens = TokenFile(place, clock=Clock())
    place.write_text(f"ann {FIRST}\nbob short\n")
    assert await tokens.caller(FIRST) == Known("ann")
    assert "line 2: expected a name and a token of at least 16 characters" in caplog.text
    place.unlink()
    assert await tokens.caller(FIRST) == Known("ann")
    place.write_text(f"bob {SECOND}\n")
    assert (await tokens.caller(FIRST), await tokens.caller(SECOND)) == (None, Known("bob"))
    assert FIRST not in caplog.text


async def test_the_file_is_looked_at_once_a_second_at_most(place, monkeypatch):
    place.write_text(f"ann {FIRST}\n")
    looks = []
    stat = os.stat
    tokens = TokenFile(place, clock=lambda: 0.5)
    monkeypatch.setattr(os, "stat", lambda path, **kwargs: looks.append(path) or stat(path, **kwargs))
    for _ in range(10):
        await tokens.caller(FIRST)
    assert looks == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("", "holds no token"),
        ("# nobody\n", "holds no token"),
        ("ann\n", "line 1: expected a name and a token"),
        (f"ann {FIRST}\nbob {FIRST}\n", "the same token twice"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_by_its_name(text, says, place):
    if isinstance(text, bytes):
        place.write_bytes(text)
    elif text is not None:
        place.write_text(text)
    with pytest.raises(EndpointError, match=says) as raised:
        TokenFile(place)
    assert str(place) in str(raised.value)
    assert FIRST not in str(raised.value)


async def test_a_file_that_stays_away_is_told_once_and_its_tokens_stay_valid(place, caplog):
    place.write_text(f"ann {FIRST}\n")
    tokens = TokenFile(place, clock=Clock())
    place.unlink()
    assert await tokens.caller(FIRST) == Known("ann")
    assert not caplog.records, "it may be about to be replaced"
    for _ in range(3):
        assert await tokens.caller(FIRST) == Known("ann")
    (record,) = caplog.records
    assert "the former tokens stay valid" in record.message
    place.write_text(f"bob {SECOND}\n")
    assert (await tokens.caller(FIRST), await tokens.caller(SECOND)) == (None, Known("bob"))
