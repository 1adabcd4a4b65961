"""The guard says when a pair has become slower than its band allows, and never because it was unlucky once."""

import asyncio
import sys
import tomllib
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

import bands
import guard

HERE = bands.Place("3.11", "x86_64")
HEAD = "[bands]\nlist = 0.2\nqueue = 0.1\n"


def entry(ratios, place=HERE, why="a reason"):
    return bands.entry(ratios, place, date="2026-01-01", commit="0123456789", why=why)


def scripted(monkeypatch, *ratios):
    """What the next measurements find; returns for how long each was asked to measure."""
    found, asked = iter(ratios), []

    async def measured(pair, seconds):
        asked.append(seconds)
        return guard.Measured(next(found), 1.0, 100)

    monkeypatch.setattr(guard, "measured", measured)
    return asked


def judged(band, monkeypatch, *ratios):
    asked = scripted(monkeypatch, *ratios)
    [row] = guard.guarded(["list"], {"list": band}, 1.0)
    return row, asked


def test_of_each_pair_the_ratio_that_was_recorded_last_counts():
    text = HEAD + entry({"list": 2.0, "queue": 9.0}) + entry({"list": 3.0})
    assert bands.read(text, HERE) == {"list": bands.Band("list", 3.0, 0.2), "queue": bands.Band("queue", 9.0, 0.1)}


@pytest.mark.parametrize("other", [bands.Place("3.12", "x86_64"), bands.Place("3.11", "aarch64")], ids=str)
def test_ratios_of_another_python_or_architecture_are_not_compared_with(other):
    text = HEAD + entry({"list": 2.0, "queue": 9.0}, other) + entry({"list": 3.0})
    with pytest.raises(ValueError, match=r"^queue: never recorded for Python 3\.11 on x86_64; do so with --record WHY"):
        bands.read(text, HERE)


def test_what_is_recorded_can_be_read_back_whatever_the_reason_says():
    why = 'the "new" \\ way'
    [found] = tomllib.loads(HEAD + entry({"list": 2.3456}, why=why))["history"]
    assert (found["why"], found["ratios"], found["commit"]) == (why, {"list": 2.346}, "0123456789")


def test_a_ratio_within_its_band_holds_at_the_first_look(monkeypatch):
    row, asked = judged(bands.Band("list", 2.0, 0.15), monkeypatch, 2.29)
    assert row["holds"]
    assert asked == [1.0]


def test_a_ratio_beyond_its_band_is_looked_at_twice_more_for_twice_as_long(monkeypatch):
    row, asked = judged(bands.Band("list", 2.0, 0.15), monkeypatch, 2.31, 2.31, 2.31)
    assert not row["holds"]
    assert asked == [1.0, 2.0, 2.0]


def test_a_pair_that_was_beyond_its_band_by_bad_luck_holds(monkeypatch):
    row, _ = judged(bands.Band("list", 2.0, 0.15), monkeypatch, 2.9, 2.1)
    assert row["holds"]


def test_a_gain_is_to_be_recorded(monkeypatch):
    row, _ = judged(bands.Band("list", 2.0, 0.15), monkeypatch, 1.5)
    assert row["holds"]
    assert "record it" in row["note"]


def test_the_exit_code_is_one_and_the_pair_is_named_when_a_band_is_left(monkeypatch, capsys, tmp_path):
    path = tmp_path / "bands.toml"
    path.write_text("[bands]\nqueue = 0.1\n" + entry({"queue": 5.0}, bands.Place.here()))
    monkeypatch.setattr(bands, "PATH", path)
    monkeypatch.setattr(sys, "argv", ["guard.py", "--only", "queue"])
    scripted(monkeypatch, 6.0, 6.0, 6.0)
    with pytest.raises(SystemExit) as end:
        guard.main()
    assert end.value.code == 1
    assert "guard queue: 6.0 times its floor, recorded 5.0, at most 5.5 is within the band" in capsys.readouterr().err


def test_every_pair_has_a_band_and_was_recorded_with_this_tree():
    document = tomllib.loads(bands.PATH.read_text("utf-8"))
    recorded = {name for found in document["history"] for name in found["ratios"]}
    assert list(document["bands"]) == list(guard.PAIRS)
    assert recorded == set(guard.PAIRS)


@pytest.mark.realtime
@pytest.mark.parametrize("name", guard.PAIRS)
def test_both_of_a_pair_do_their_work_in_turn(name):
    found = asyncio.run(guard.measured(guard.PAIRS[name], 0.05))
    assert found.slices >= 1
    assert found.ratio > 0
