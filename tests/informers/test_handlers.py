"""One handler's place: order, slices, the mark of its own sync (I2, I5, I8, I9)."""

import itertools

from scripted_cluster import widget

from windlass.informers.handlers import Registration
from windlass.informers.store import Added


def registration_of(handler):
    forgotten = []
    return Registration(handler, name="h", forget=forgotten.append), forgotten


def added(*names):
    return [Added(widget(name, index + 1)) for index, name in enumerate(names)]


def endless():
    return 0.0


def test_a_change_is_told_at_once_when_nothing_waits():
    told = []
    registration, _ = registration_of(told.append)

    registration.deliver(added("a")[0])

    assert [change.key.name for change in told] == ["a"]
    assert not registration.waits


def test_a_change_goes_behind_those_that_wait():
    told = []
    registration, _ = registration_of(lambda change: told.append(change.key.name))
    registration.enqueue(added("a", "b"), 2)

    registration.deliver(added("c")[0])
    assert (told, registration.pending) == ([], 3)

    registration.work(1.0, endless)
    assert (told, registration.pending) == (["a", "b", "c"], 0)


def test_work_stops_when_its_time_is_up_and_goes_on_where_it_was():
    told = []
    registration, _ = registration_of(lambda change: told.append(change.key.name))
    registration.enqueue(added(*"abcdef"), 6)
    clock = itertools.count().__next__

    registration.work(2, clock)
    assert told == ["a", "b", "c"]

    registration.work(100, clock)
    assert told == list("abcdef")


def test_it_is_synced_when_the_initial_changes_have_been_told():
    registration, _ = registration_of(lambda change: None)
    registration.enqueue(added("a", "b"), 2, synced=True)
    assert not registration.has_synced

    registration.work(0.0, lambda: 1.0)
    assert not registration.has_synced

    registration.work(1.0, endless)
    assert registration.has_synced


def test_removed_in_the_middle_it_hears_nothing_more():
    told = []

    def handler(change):
        told.append(change.key.name)
        registration.remove()

    registration, forgotten = registration_of(handler)
    registration.enqueue(added("a", "b"), 2, synced=True)
    registration.enqueue(added("c"), 1)
    registration.work(1.0, endless)
    registration.deliver(added("d")[0])
    registration.enqueue(added("e"), 1)

    assert told == ["a"]
    assert (registration.pending, registration.waits, forgotten) == (0, False, [registration])
    assert repr(registration) == "<Registration h removed pending=0 failures=0>"


def test_a_failure_is_counted_and_the_next_change_told():
    told = []

    def handler(change):
        told.append(change.key.name)
        raise RuntimeError("mine")

    registration, _ = registration_of(handler)
    registration.enqueue(added("a", "b"), 2)
    registration.work(1.0, endless)

    assert told == ["a", "b"]
    assert (registration.failures, registration.delivered) == (2, 2)
