"""What a run wrote is noted, and announced to the cache before it is sent."""

from contextlib import contextmanager

import pytest

from windlass.controller.writes import WrittenObjects
from windlass.informers.builtins import Pod
from windlass.informers.keys import Key
from windlass.informers.objects import Object

A, B = Key("ns", "a"), Key("ns", "b")


class Announced:
    def __init__(self, log):
        self.log = log

    def wrote(self, written):
        self.log.append(f"{written.key} is {written.resource_version}")

    def deleting(self, uid):
        self.log.append(f"{uid} goes")


class Cache:
    def __init__(self):
        self.log = []

    @contextmanager
    def writing(self, resource, key):
        self.log.append(f"{key} begins")
        yield Announced(self.log)
        self.log.append(f"{key} ends")


def test_every_write_is_noted_once_and_passed_on():
    cache = Cache()
    writes = WrittenObjects(cache, iter(range(99)).__next__)
    for key in (A, A, B):
        with writes.writing(Pod, key):
            pass
    assert list(writes.objects) == [(Pod, A), (Pod, B)]
    assert cache.log == ["ns/a begins", "ns/a ends"] * 2 + ["ns/b begins", "ns/b ends"]


def test_an_object_whose_name_the_server_makes_is_noted_under_that_name():
    """F9: else its key would run again before the cache has it, and make it twice."""
    cache = Cache()
    writes = WrittenObjects(cache, iter(range(99)).__next__)
    made = Object.parse(b'{"metadata": {"namespace": "ns", "name": "a-x7k2p", "resourceVersion": "5"}}')
    with writes.writing(Pod, Key("ns", "")) as write:
        write.wrote(made)
        write.deleting("u")
    assert (Pod, Key("ns", "a-x7k2p")) in writes.objects
    assert cache.log == ["ns/ begins", "ns/a-x7k2p is 5", "u goes", "ns/ ends"]


def test_a_write_that_fails_is_noted_too():
    """A lost answer does not mean that the server has not stored it."""
    writes = WrittenObjects(Cache(), iter(range(99)).__next__)
    with pytest.raises(ConnectionError), writes.writing(Pod, A):
        raise ConnectionError
    assert list(writes.objects) == [(Pod, A)]


def test_writes_are_counted_and_timed_those_that_fail_too():
    """M11."""
    clock = iter([10.0, 10.5, 20.0, 21.0])
    writes = WrittenObjects(Cache(), lambda: next(clock))
    with writes.writing(Pod, A):
        pass
    with pytest.raises(ValueError, match="refused"), writes.writing(Pod, B):
        raise ValueError("refused")
    assert (writes.count, writes.seconds) == (2, 1.5)
