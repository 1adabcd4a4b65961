import pytest

from windlass.serving import NotPermitted, NotReady, ServingError, Unauthenticated
from windlass.serving.access import Access, Action, Known, Presented

ACTION = Action("post", "/v2/models/m/infer")
SHOWN = Presented("Bearer good")


class Tokens:
    async def caller(self, token):
        if token == "broken":
            raise OSError("who knows")
        return Known("ann", ("staff",)) if token == "good" else None


class Rules:
    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    async def permits(self, caller, *, verb, path):
        self.asked.append((caller, verb, path))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_a_good_token_is_let_in_by_its_caller():
    for header in ("Bearer good", "bearer  good "):
        assert await Access(Tokens()).admit(Presented(header), ACTION) == Known("ann", ("staff",))


@pytest.mark.parametrize(
    ("header", "says", "challenge"),
    [
        (None, "who asks is not known; send the header Authorization: Bearer TOKEN", "Bearer"),
        ("Bearer bad", "the bearer token is not valid", 'Bearer error="invalid_token"'),
        ("Basic Z29vZA==", "the header Authorization is not understood; expected Bearer TOKEN", "Bearer"),
        ("Bearer", "the header Authorization is not understood; expected Bearer TOKEN", "Bearer"),
        ("Bearer good good", "the header Authorization is not understood; expected Bearer TOKEN", "Bearer"),
        ("", "the header Authorization is not understood; expected Bearer TOKEN", "Bearer"),
    ],
)
async def test_anything_else_is_401_with_a_challenge(header, says, challenge):
    with pytest.raises(Unauthenticated) as raised:
        await Access(Tokens()).admit(Presented(header), ACTION)
    assert (str(raised.value), raised.value.headers) == (says, {"WWW-Authenticate": challenge})


async def test_a_certificate_counts_only_where_it_is_asked_for_and_never_beside_a_wrong_token():
    shown = Presented(certificate="robot")
    with pytest.raises(Unauthenticated):
        await Access(Tokens()).admit(shown, ACTION)
    access = Access(Tokens(), certificates=True)
    assert await access.admit(shown, ACTION) == Known("robot")
    assert await access.admit(Presented("Bearer good", "robot"), ACTION) == Known("ann", ("staff",))
    with pytest.raises(Unauthenticated):
        await access.admit(Presented("Bearer bad", "robot"), ACTION)
    with pytest.raises(Unauthenticated, match="tokens are not taken here"):
        await Access(certificates=True).admit(SHOWN, ACTION)


async def test_who_may_not_is_403_and_named():
    rules = Rules(answer=False)
    with pytest.raises(NotPermitted, match=r"^'ann' may not post /v2/models/m/infer$"):
        await Access(Tokens(), rules).admit(SHOWN, ACTION)
    assert rules.asked == [(Known("ann", ("staff",)), "post", "/v2/models/m/infer")]
    assert await Access(Tokens(), Rules(answer=True)).admit(SHOWN, ACTION)


@pytest.mark.parametrize("access", [Access(Tokens()), Access(Tokens(), Rules(OSError("who knows")))])
async def test_whoever_cannot_be_judged_is_not_let_in_and_not_told_why(access, caplog):
    shown = Presented("Bearer broken") if access.authorizer is None else SHOWN
    with pytest.raises(NotReady) as raised:
        await access.admit(shown, ACTION)
    assert "who knows" not in str(raised.value)
    assert "who knows" in caplog.text


async def test_health_is_open_and_metrics_are_not_unless_it_is_said_otherwise():
    async def open_areas(access):
        found = []
        for area in ("health", "metrics", "models"):
            try:
                await access.admit(Presented(), Action("get", "/", area))
            except ServingError:
                continue
            found.append(area)
        return found

    assert await open_areas(Access(Tokens())) == ["health"]
    assert await open_areas(Access(Tokens(), metrics_open=True)) == ["health", "metrics"]
    assert await open_areas(Access(Tokens(), health_open=False)) == []


def test_a_rule_that_lets_nobody_in_is_refused():
    with pytest.raises(ValueError, match="authenticator: expected one"):
        Access()


def test_what_was_shown_is_not_in_a_representation():
    assert "good" not in repr(SHOWN)
