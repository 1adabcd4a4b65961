"""Changes for coroutines: order, the bound, and what overflow means (I3)."""

import asyncio
import random

import pytest
from scripted_cluster import WIDGET, ScriptedCluster, running, settle

from windlass.informers.feed import FeedOptions
from windlass.informers.informer import Informer
from windlass.informers.phases import Policy
from windlass.informers.store import Added, Deleted, Updated


def informer_of(cluster):
    return Informer(cluster.client, WIDGET, options=FeedOptions(Policy(streaming=False)))


async def take(subscription, count):
    return [await anext(subscription) for _ in range(count)]


async def test_a_coroutine_reads_changes_in_order():
    cluster = ScriptedCluster("a")
    informer = informer_of(cluster)
    subscription = informer.subscribe(name="reader")
    async with running(informer):
        await informer.ready(5)
        cluster.put("b")
        cluster.delete("a")
        changes = await asyncio.wait_for(take(subscription, 3), 5)
    assert [type(change) for change in changes] == [Added, Added, Deleted]
    assert [change.key.name for change in changes] == ["a", "b", "a"]


async def test_a_reader_that_falls_behind_gets_the_difference_instead():
    cluster = ScriptedCluster("kept", "gone", "changed")
    informer = informer_of(cluster)
    subscription = informer.subscribe(name="slow", capacity=4)
    async with running(informer):
        await informer.ready(5)
        await asyncio.wait_for(take(subscription, 3), 5)
        for version in range(50):
            cluster.put("changed", spec=version)
        cluster.delete("gone")
        cluster.put("fresh")
        await settle()
        changes = await asyncio.wait_for(take(subscription, 3), 5)
        assert subscription.overflows == 1
        assert repr(subscription) == "<Subscription slow queued=0/4 overflows=1>"
    gone, *others = changes
    assert (type(gone), gone.key.name, gone.final_state_known) == (Deleted, "gone", False)
    assert {(type(one), one.key.name) for one in others} == {(Updated, "changed"), (Added, "fresh")}


async def test_the_queue_never_grows_beyond_its_capacity_and_the_end_state_is_always_reached():
    cluster = ScriptedCluster()
    informer = informer_of(cluster)
    subscription = informer.subscribe(name="slow", capacity=8)
    rng = random.Random(3)
    seen = {}

    async def read():
        async for change in subscription:
            if isinstance(change, Deleted):
                del seen[change.key]
            else:
                seen[change.key] = change.object.raw
            if rng.random() < 0.2:
                await asyncio.sleep(rng.random())

    async with running(informer):
        await informer.ready(5)
        reader = asyncio.create_task(read())
        for _ in range(500):
            name = f"w{rng.randrange(20)}"
            if (one := next((key for key in cluster.objects if key.name == name), None)) and rng.random() < 0.4:
                cluster.delete(one.name)
            else:
                cluster.put(name)
            assert len(subscription._queue) <= max(8, len(cluster.objects) * 2)
            if rng.random() < 0.3:
                await asyncio.sleep(rng.random() / 10)
        await asyncio.sleep(1000)
        subscription.close()
        await reader
    assert seen == cluster.held()
    assert subscription.overflows > 0


async def test_closing_ends_the_reader():
    informer = informer_of(ScriptedCluster())
    subscription = informer.subscribe(name="reader")
    async with running(informer):
        await informer.ready(5)
        reader = asyncio.create_task(take(subscription, 1))
        await settle()
        subscription.close()
        with pytest.raises(StopAsyncIteration):
            await anext(subscription)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    assert informer.statistics().handlers == 0


def test_a_capacity_below_one_is_refused():
    with pytest.raises(ValueError, match="capacity must be at least 1, found 0"):
        informer_of(ScriptedCluster()).subscribe(name="none", capacity=0)
