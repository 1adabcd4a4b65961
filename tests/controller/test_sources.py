"""Keys that are woken from outside the cluster."""

import asyncio

import pytest

from windlass.controller.errors import ManagerError
from windlass.controller.sources import Channel, Stream, Ticker
from windlass.informers.keys import Key

A, B = Key("ns", "a"), Key("ns", "b")


class Sink(list):
    def __call__(self, key, reason):
        self.append((key, reason))


async def run(source, sink):
    task = asyncio.create_task(source.run(sink))
    await asyncio.sleep(0)
    return task


async def test_a_channel_wakes_keys_as_they_are_put():
    channel, sink = Channel("progress"), Sink()
    task = await run(channel, sink)
    channel.put(A, "epoch 3")
    channel.put(A)
    assert sink == [(A, "epoch 3"), (A, "progress")]
    task.cancel()


async def test_a_channel_keeps_what_is_put_before_it_runs_each_key_once():
    channel, sink = Channel("progress"), Sink()
    channel.put(A, "first")
    channel.put(B)
    channel.put(A, "second")
    assert repr(channel) == "<Channel progress early=2>"
    task = await run(channel, sink)
    assert sink == [(A, "first"), (B, "progress")]
    task.cancel()


async def test_a_channel_that_has_been_stopped_keeps_keys_again():
    channel, sink = Channel(), Sink()
    task = await run(channel, sink)
    task.cancel()
    await asyncio.wait([task])
    channel.put(A)
    assert sink == []
    task = await run(channel, sink)
    assert sink == [(A, "channel")]
    task.cancel()


async def test_a_channel_belongs_to_one_controller():
    channel, sink = Channel("progress"), Sink()
    task = await run(channel, sink)
    with pytest.raises(ManagerError, match="the channel 'progress' belongs to a running controller already"):
        await channel.run(Sink())
    channel.put(A)
    assert len(sink) == 1
    task.cancel()


async def test_a_ticker_wakes_its_keys_at_even_intervals():
    loop, sink, times = asyncio.get_running_loop(), Sink(), []

    def keys():
        times.append(loop.time())
        return [A, B]

    task = await run(Ticker(10.0, keys, name="hourly"), sink)
    await asyncio.sleep(35.0)
    task.cancel()
    assert times == pytest.approx([10.0, 20.0, 30.0])
    assert sink[:2] == [(A, "hourly"), (B, "hourly")]


async def test_a_ticker_that_was_held_up_skips_what_it_missed():
    loop, times = asyncio.get_running_loop(), []

    def keys():
        times.append(loop.time())
        if len(times) == 1:
            loop.advance(25.0)
        return []

    task = await run(Ticker(10.0, keys), Sink())
    await asyncio.sleep(61.0)
    task.cancel()
    assert times == pytest.approx([10.0, 40.0, 50.0, 60.0])


def test_a_ticker_without_an_interval_is_refused():
    with pytest.raises(ValueError, match="a ticker expects a finite number of seconds > 0"):
        Ticker(0, list)


async def test_a_stream_wakes_each_key_it_yields_and_may_end():
    async def keys():
        yield A
        await asyncio.sleep(5.0)
        yield B

    for stream in (Stream(keys, name="mqtt"), Stream(keys(), name="mqtt")):
        sink = Sink()
        await stream.run(sink)
        assert sink == [(A, "mqtt"), (B, "mqtt")]


async def test_what_a_stream_raises_is_not_swallowed():
    async def keys():
        yield A
        raise ConnectionError("broker gone")

    with pytest.raises(ConnectionError, match="broker gone"):
        await Stream(keys).run(Sink())
