"""Signals ask for a stop, and are given back afterwards. What the second one does is tried in a process of its own."""

import asyncio
import os
import signal
import threading

import pytest

from windlass.controller.errors import ManagerError
from windlass.controller.signals import stopping_on_signals


@pytest.mark.realtime
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_asks_for_a_stop(number):
    """M10."""
    asked = asyncio.Event()
    with stopping_on_signals(asked.set):
        os.kill(os.getpid(), number)
        await asyncio.wait_for(asked.wait(), 5.0)


@pytest.mark.realtime
async def test_the_handlers_are_gone_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with stopping_on_signals(lambda: None):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.realtime
async def test_elsewhere_than_on_the_main_thread_it_is_refused_with_the_way_out():
    caught = []

    async def enter():
        with stopping_on_signals(lambda: None):
            raise AssertionError("entered")

    def elsewhere():
        with pytest.raises(ManagerError, match="must be called on the main thread; elsewhere use `async with manager"):
            asyncio.run(enter())
        caught.append(True)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert caught == [True]
