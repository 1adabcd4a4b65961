"""Who races whom: ours and client-go turn by turn, each library by itself, and only those that were asked for."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

import programme
from bench_contenders import Heat, Wanted

SYNC = programme.entry("sync")
ALL = Wanted(objects=10_000, rounds=3, library_rounds=1, contenders=())


def test_a_library_races_alone_so_that_its_failure_is_nobody_elses():
    together, *alone = ALL.heats(SYNC)

    assert together == Heat(SYNC, 10_000, 3, (*programme.COPIES, "floor", *programme.GO))
    assert alone == [Heat(SYNC, 10_000, 1, (name,)) for name in programme.CLIENTS]


def test_who_was_not_asked_for_does_not_race():
    asked = Wanted(objects=10, rounds=3, library_rounds=2, contenders=("floor", "kr8s"))

    assert [(one.rounds, one.names) for one in asked.heats(SYNC)] == [(3, ("floor",)), (2, ("kr8s",))]
    assert list(Wanted(10, 0, 0, ()).heats(SYNC)) == []


def test_widgets_are_shared_by_heats_of_one_size_unless_they_are_changed_for_the_others():
    grounds = {}
    for heat in (heat for entry in programme.ENTRIES for heat in ALL.heats(entry)):
        grounds.setdefault(heat.ground, []).append((heat.entry.name, heat.names))

    shared = dict(grounds["binaries", 10_000, "widgets"])
    assert list(shared) == ["sync", "reconcile", "noop", "latency-100", "latency", "informers"]
    assert grounds["binaries", 10_000, "widgets that grow"] == [("reconcile", ("kopf",))]
    assert [name for name, _ in grounds["binaries", 100_000, "widgets"]] == ["sync-100000", "relist-100000"]
