"""A change is seen late by the whole lag, once; the next change has a lag of its own."""

import asyncio

import pytest

from windlass.envtest.workloads.lag import Lag


async def test_a_change_is_seen_when_its_lag_is_over():
    lag = Lag()

    assert lag.left("uid", 1, 5.0) == 5.0
    await asyncio.sleep(3)
    assert lag.left("uid", 1, 5.0) == pytest.approx(2.0)
    await asyncio.sleep(2)
    assert lag.left("uid", 1, 5.0) == pytest.approx(0.0)


async def test_the_next_change_and_another_object_begin_anew():
    lag = Lag()
    lag.left("uid", 1, 5.0)
    await asyncio.sleep(3)

    assert lag.left("uid", 2, 5.0) == 5.0
    assert lag.left("other", 1, 5.0) == 5.0


async def test_without_a_lag_everything_is_seen_at_once():
    assert Lag().left("uid", 1, 0.0) == 0.0
