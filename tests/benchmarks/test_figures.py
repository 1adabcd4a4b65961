"""The page of benchmarks is what its record makes, and its record what was measured last of each."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

import figures
import picture
import programme
from bars import judged

from windlass.benchmarks.race import Contender

ROW = {"objects": 10, "cpu_s": 1.0, "rounds": 3, "date": "2026-01-01", "machine": "one core"}


def row(scenario, contender, **figures_of_it):
    return {"scenario": scenario, "contender": contender, **ROW, **figures_of_it}


def test_page_and_pictures_are_those_of_the_record(tmp_path):
    rows = figures.recorded()
    pictures = picture.write(rows, tmp_path)

    assert figures.PAGE.read_text(encoding="utf-8") == figures.page(rows, pictures)
    for name, _ in pictures:
        assert (figures.PAGE.parent / "images" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_a_new_row_takes_the_place_of_the_older_one_and_of_no_other():
    older = [
        row("noop", "windlass"),
        row("noop", "floor"),
        row("sync", "windlass"),
        row("noop", "nobody"),
        row("x", "y"),
    ]

    rows = figures.kept(older, [row("noop", "windlass", cpu_s=2.0)])

    told = [(one["scenario"], one["contender"], one["cpu_s"]) for one in rows]
    assert told == [("sync", "windlass", 1.0), ("noop", "windlass", 2.0), ("noop", "floor", 1.0)]


def test_who_has_no_row_is_named_and_a_figure_that_one_lacks_is_a_dash():
    text = figures.page([row("relist-100000", "windlass", longest_held_ms=17.0), row("relist-100000", "floor")], [])

    assert "Not on record: client-go typed, client-go dynamic." in text
    assert "| floor | 1 | - | 3 |" in text


def test_a_bar_is_judged_where_both_ran_and_a_miss_of_the_floor_is_linked_to_its_reason():
    rows = [row("queue", "windlass", operations_a_second=299_999), row("queue", "floor", cpu_s=0.4)]
    rows += [row("startup", "windlass", cpu_s=1.5, import_cpu_s=0.251), row("noop", "windlass", cpu_s=0.0005)]

    verdicts = {one.aim: one for one in judged(rows)}

    assert {aim: one.holds for aim, one in verdicts.items()} == {
        "queue: cpu_s at most 2 x floor": False,
        "noop: a_second_of_cpu at least 15000": True,
        "queue: operations_a_second at least 300000": False,
        "startup: cpu_s at most 1.5": True,
        "startup: import_cpu_s at most 0.25": False,
    }
    assert figures.held(verdicts["queue: cpu_s at most 2 x floor"]).startswith("**no**, [the reason](../explanation/")


@pytest.mark.parametrize("entry", programme.ENTRIES, ids=programme.NAMES)
def test_each_contender_of_an_entry_that_comes_with_windlass_runs_its_scenario(entry):
    ours = [one for one in entry.contenders if one not in (*programme.GO, *programme.LIBRARIES)]

    assert all(Contender.parse(one).runs(entry.scenario) for one in ours)
