"""Read your writes: F9, F11, R26, scenario 36."""

import asyncio
import logging

import pytest
from scripted_cluster import settle, widget

from windlass.informers.barrier import Barrier
from windlass.informers.keys import Key
from windlass.informers.store import Store, StoreWriter

A = Key("default", "a")


class Copy:
    """A store and its barrier, told of changes as an informer tells them."""

    def __init__(self):
        self.store = Store()
        self.writer = StoreWriter(self.store)
        self.barrier = Barrier(self.store, "widgets")

    def see(self, one):
        self.writer.put(one)
        self.barrier.changed(one.key, one)
        self.barrier.reached(one.resource_version)

    def lose(self, one):
        self.writer.remove(one)
        self.barrier.changed(one.key, None)
        self.barrier.reached(one.resource_version)


async def waiting(copy, key=A, seconds=5.0):
    task = asyncio.create_task(copy.barrier.wait(key, seconds))
    await settle(3)
    return task


async def test_a_read_waits_for_the_version_that_was_written():
    copy = Copy()
    copy.see(widget("a", 10))
    copy.barrier.expect(A, "12")
    task = await waiting(copy)

    copy.see(widget("a", 11))
    await settle(3)
    assert not task.done(), "an older event is not ours"

    copy.see(widget("a", 12))
    assert await task is True
    assert copy.barrier.lag_seconds is not None


async def test_a_newer_version_will_do():
    copy = Copy()
    copy.barrier.expect(A, "12")
    copy.see(widget("a", 15))

    assert copy.barrier.caught_up(A)


async def test_what_the_copy_has_already_is_not_waited_for():
    copy = Copy()
    copy.see(widget("a", 12))
    copy.barrier.expect(A, "12")

    assert await copy.barrier.wait(A, 0.0) is True
    assert copy.barrier.waits == 0


async def test_progress_of_the_whole_collection_is_enough():
    """The object was changed and deleted by others, or a bookmark came: nothing older can be shown any more."""
    copy = Copy()
    copy.barrier.expect(A, "12")
    copy.barrier.reached("13")

    assert copy.barrier.caught_up(A)


async def test_progress_of_another_namespace_is_not():
    copy = Copy()
    copy.barrier.expect(A, "12")
    copy.barrier.reached("13", "other")
    assert not copy.barrier.caught_up(A)

    copy.barrier.reached("13", "default")
    assert copy.barrier.caught_up(A)


async def test_keys_do_not_wait_for_each_other():
    copy = Copy()
    copy.barrier.expect(Key("default", "b"), "12")

    assert copy.barrier.caught_up(A)


async def test_a_delete_is_awaited_by_uid():
    """F9: another life of the name is not the one that was deleted."""
    copy = Copy()
    copy.see(widget("a", 10, uid="first"))
    copy.barrier.expect_deleted(A, "first")
    task = await waiting(copy)
    assert not task.done()

    copy.see(widget("a", 12, uid="second"))
    assert await task is True


async def test_a_delete_of_what_is_not_there_is_not_awaited():
    copy = Copy()
    copy.barrier.expect_deleted(A, "first")

    assert copy.barrier.caught_up(A)


async def test_a_delete_right_after_the_create_is_awaited_though_the_copy_has_seen_neither():
    copy = Copy()
    copy.barrier.expect(A, "12")
    copy.barrier.expect_deleted(A, "uid-a")
    task = await waiting(copy)
    copy.see(widget("a", 12))
    await settle(3)
    assert not task.done(), "we have deleted this one"
    copy.lose(widget("a", 13))
    assert await task is True
    assert copy.barrier.idle


async def test_a_delete_is_seen():
    copy = Copy()
    copy.see(widget("a", 10, uid="first"))
    copy.barrier.expect_deleted(A, "first")
    copy.lose(widget("a", 11, uid="first"))

    assert copy.barrier.caught_up(A)


async def test_a_read_that_starts_while_the_write_is_on_its_way_waits_for_both():
    """F9: the gate is closed before the request is sent."""
    copy = Copy()
    copy.see(widget("a", 10))
    with copy.barrier.writing(A) as write:
        task = await waiting(copy)
        assert not task.done()
        write.wrote(widget("a", 12))
    await settle(3)
    assert not task.done()

    copy.see(widget("a", 12))
    assert await task is True


async def test_a_write_that_fails_opens_the_gate():
    copy = Copy()

    async def write():
        with copy.barrier.writing(A):
            await asyncio.sleep(1)
            raise ValueError("refused")

    writer, reader = asyncio.create_task(write()), await waiting(copy)
    await settle()
    assert not reader.done()
    assert await reader is True
    with pytest.raises(ValueError, match="refused"):
        await writer


async def test_two_writes_at_once_are_both_waited_for():
    copy = Copy()
    with copy.barrier.writing(A), copy.barrier.writing(A):
        assert not copy.barrier.caught_up(A)
    assert copy.barrier.caught_up(A)
    assert copy.barrier.awaited() == set()


async def test_a_wait_is_bounded_counted_and_not_repeated(caplog):
    copy = Copy()
    copy.barrier.expect(A, "12")
    started = asyncio.get_running_loop().time()
    with caplog.at_level(logging.WARNING):
        assert await copy.barrier.wait(A, 5.0) is False

    assert asyncio.get_running_loop().time() - started == 5.0
    assert "widgets default/a: the copy has not seen our write after 5.0 s" in caplog.text
    assert (copy.barrier.waits, copy.barrier.timeouts) == (1, 1)
    assert await copy.barrier.wait(A, 5.0) is True, "once is enough: an object outside the selector never comes"


async def test_versions_that_are_no_numbers_fail_open_with_one_warning(caplog):
    """R26."""
    copy = Copy()
    with caplog.at_level(logging.WARNING):
        copy.barrier.expect(A, "a1b2")
        copy.barrier.expect(A, "")

    assert copy.barrier.caught_up(A)
    assert copy.barrier.incomparable == 2
    assert len(caplog.records) == 1


async def test_a_stream_whose_versions_are_no_numbers_opens_what_waits():
    copy = Copy()
    copy.barrier.expect(A, "12")
    task = await waiting(copy)
    copy.barrier.reached("epoch-5")

    assert await task is True
    assert copy.barrier.incomparable == 1


async def test_a_cancelled_reader_leaves_nothing_behind():
    copy = Copy()
    copy.barrier.expect(A, "12")
    task = await waiting(copy)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert copy.barrier._waiters == {}
    copy.see(widget("a", 12))
    assert copy.barrier.idle


async def test_many_readers_wake_at_once():
    copy = Copy()
    copy.barrier.expect(A, "12")
    tasks = [await waiting(copy) for _ in range(5)]
    copy.see(widget("a", 12))

    assert await asyncio.gather(*tasks) == [True] * 5
    assert repr(copy.barrier) == "<Barrier widgets awaited=0 timeouts=0>"
