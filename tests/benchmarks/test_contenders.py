"""Who races whom: ours and client-go turn by turn, each library by itself, and only those that were asked for."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

import programme
from bench_contenders import Wanted, kind_of_ground

SYNC = programme.entry("sync")


def test_a_library_races_alone_so_that_its_failure_is_nobody_elses():
    together, *alone = Wanted(objects=10, rounds=3, library_rounds=1, contenders=()).fields(SYNC)

    assert together == (3, (*programme.COPIES, "floor", *programme.GO))
    assert alone == [(1, (name,)) for name in programme.CLIENTS]


def test_who_was_not_asked_for_does_not_race():
    asked = Wanted(objects=10, rounds=3, library_rounds=2, contenders=("floor", "kr8s"))

    assert list(asked.fields(SYNC)) == [(3, ("floor",)), (2, ("kr8s",))]
    assert list(Wanted(10, 0, 0, ()).fields(SYNC)) == []


def test_scenarios_share_widgets_where_they_are_of_one_size():
    wanted = Wanted(objects=10_000, rounds=3, library_rounds=1, contenders=())
    shared = [
        one.name
        for one in programme.ENTRIES
        if (one.server, wanted.size(one), kind_of_ground(one)) == ("binaries", 10_000, "widgets")
    ]

    assert shared == ["sync", "reconcile", "noop", "latency-100", "latency", "informers"]
