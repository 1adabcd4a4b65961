"""Threads that are lost and replaced."""

import threading

import pytest

from windlass.serving.batching.pool import Pool, Work

pytestmark = pytest.mark.realtime


class Gate:
    """A job that takes until it is let go."""

    def __init__(self, pool):
        self.open, self.began, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.work = Work(self._wait, lambda _: self.ended.set())
        pool.submit(self.work)

    def _wait(self):
        self.began.set()
        assert self.open.wait(30)


@pytest.fixture
def pool():
    pool = Pool(2, name="test-pool")
    yield pool
    pool.close()


def threads():
    return [one for one in threading.enumerate() if one.name == "test-pool"]


def test_a_thread_is_used_again():
    pool = Pool(1, name="test-again")
    seen = set()
    for _ in range(3):
        done = threading.Event()
        pool.submit(Work(threading.get_ident, lambda ident, done=done: (seen.add(ident), done.set())))
        assert done.wait(30)
    assert len(seen) == 1
    pool.close()


def test_when_all_threads_are_lost_others_do_the_work(pool):
    lost = [Gate(pool), Gate(pool)]
    for gate in lost:
        assert gate.began.wait(30)
    third, fourth = Gate(pool), Gate(pool)
    assert not third.began.wait(0.05)
    for gate in lost:
        pool.lose(gate.work)
    assert third.began.wait(30)
    assert fourth.began.wait(30)
    assert len(threads()) == 4
    for gate in (*lost, third, fourth):
        gate.open.set()
        assert gate.ended.wait(30)
    pool.close()
    for thread in threads():
        thread.join(30)
    assert threads() == []


def test_its_threads_do_not_hold_up_the_end_of_the_process(pool):
    gate = Gate(pool)
    assert gate.began.wait(30)
    assert all(thread.daemon for thread in threads())
    gate.open.set()
