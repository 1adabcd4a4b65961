"""The picture of a history: bytes that follow from it, words that say what colours say, nothing outside its frame."""

import re
import sys
import xml.etree.ElementTree as ET
from datetime import timedelta, timezone
from pathlib import Path

import attrs
import pytest
from training_jobs import DATA

from windlass.operators.training.timeline.history import Bar, History, Row, history_of
from windlass.operators.training.timeline.picture import draw

sys.path.insert(0, str(Path(__file__).parent))

from lives import BORN, at, born, gated, on, promoted

SVG = "{http://www.w3.org/2000/svg}"
EXAMPLE = Path(__file__).parents[4] / "docs" / "how-to" / "images" / "timeline.svg"


def drawn(history):
    return ET.fromstring(draw(history))


def words(history):
    return [element.text for element in drawn(history).iter(f"{SVG}text")]


def lasting(seconds):
    return History(
        "default/j", "Running", 1, BORN, at(seconds), (Row("Running", (Bar(BORN, at(seconds), "working"),)),)
    )


def test_equal_statuses_give_equal_bytes():
    assert draw(history_of(gated(), promoted())) == draw(history_of(gated(), promoted()))


def test_the_example_of_the_documentation_is_what_is_drawn():
    assert EXAMPLE.read_text("utf-8") == draw(history_of(gated(), promoted()))


def test_every_phase_attempt_check_and_weight_is_there_in_words():
    found = words(history_of(gated(), promoted()))

    for word in ("Pending", "VerifyingData", "Queued", "Running", "Validating", "Publishing", "Carding", "Succeeded"):
        assert word in found
    assert {"attempt 1", "attempt 2", "robust", "steady", "same-data", "promotion", "10 %", "50 %", "100 %"} <= {*found}
    assert any("from step 40" in word for word in found)
    assert any(word.startswith("Failed (not required)") for word in found)


def test_a_promotion_that_is_taken_back_ends_at_nothing():
    found = words(history_of(gated(), promoted(back=True)))

    assert "0 %" in found
    assert any("RolledBack" in word for word in found)


def test_what_goes_on_says_so_and_is_dashed():
    job = on(on(on(born(), 1), 3, data=DATA), 9)
    picture = draw(history_of(job))

    assert "goes on" in picture
    assert "stroke-dasharray" in picture
    assert "stroke-dasharray" not in draw(history_of(gated()))


@pytest.mark.parametrize(
    ("seconds", "last"),
    [(0, "1 s"), (3, "3 s"), (59, "50 s"), (250, "4 min"), (4000, "1 h"), (90_000, "24 h"), (2_000_000, "20 d")],
)
def test_the_axis_has_a_handful_of_round_times_whatever_it_spans(seconds, last):
    root = drawn(lasting(seconds))
    ticks = [one.text for one in root.iter(f"{SVG}text") if one.get("y") == "73"]

    assert ticks[0] == "0"
    assert ticks[-1] == last
    assert 2 <= len(ticks) <= 8


def test_nothing_lies_outside_of_the_frame():
    long = attrs.evolve(lasting(10), title="namespace/" + "x" * 300, facts=("f" * 900,))
    for history in (history_of(gated(), promoted()), history_of(gated(), promoted(back=True)), long):
        root = drawn(history)
        width, height = float(root.get("width")), float(root.get("height"))
        for element in root.iter():
            for name, most in (("x", width), ("y", height), ("cx", width), ("cy", height)):
                assert 0 <= float(element.get(name, 0)) <= most
        assert all(len(text) <= 130 for text in words(history))


def test_words_of_others_are_escaped_and_kept_to_a_line():
    history = attrs.evolve(lasting(5), facts=('a <b>&"\n\x07 c',))

    assert 'a <b>&" c' in words(history)


def test_times_are_those_on_record_whatever_zone_they_are_given_in():
    east = timezone(timedelta(hours=9))
    moved = attrs.evolve(lasting(5), start=BORN.astimezone(east), end=at(5).astimezone(east))

    assert re.sub("rect.*", "", draw(moved)) == re.sub("rect.*", "", draw(lasting(5)))
