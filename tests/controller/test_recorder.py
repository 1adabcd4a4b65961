"""Events: never in the way, written once, given up in the end."""

import asyncio
import contextlib
import random
from datetime import UTC, datetime

import msgspec
import pytest

from windlass.controller.recorder import QUEUE_LENGTH_MAX, Recorder
from windlass.controller.series import SeriesCorrelator
from windlass.informers.builtins import Event
from windlass.informers.errors import (
    AlreadyExists,
    ConnectionFailed,
    Forbidden,
    NotFound,
    ServerError,
    TooManyRequests,
)
from windlass.informers.objects import Object
from windlass.informers.requests import PatchType

CLOCK = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)


def make(name="a", namespace="ns", uid="u-1"):
    metadata = {"name": name, "uid": uid, "resourceVersion": "7"}
    if namespace:
        metadata["namespace"] = namespace
    return Object.parse(msgspec.json.encode({"apiVersion": "example.com/v1", "kind": "App", "metadata": metadata}))


class Writer:
    """Stores events by name; raises what it is told to, in order, before it does."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.events = {}
        self.calls = []
        self.patches = []

    async def create(self, kind, body, *, namespace=None):
        assert kind is Event
        assert namespace == body["metadata"]["namespace"]
        self.calls.append(asyncio.get_running_loop().time())
        if self.errors:
            raise self.errors.pop(0)
        if body["metadata"]["name"] in self.events:
            raise AlreadyExists(409, "AlreadyExists", "there is one")
        self.events[body["metadata"]["name"]] = body

    async def patch(self, kind, key, patch, *, type=PatchType.MERGE):  # noqa: A002
        assert (kind, type) == (Event, PatchType.MERGE)
        self.patches.append(patch)
        if key.name not in self.events:
            raise NotFound(404, "NotFound", "events live for an hour")
        self.events[key.name] = {**self.events[key.name], **patch}


def recorder(**arguments):
    return Recorder("tests", instance="tests-0", clock=lambda: CLOCK, rng=random.Random(7), **arguments)


class Running:
    def __init__(self, recorder, writer):
        self.recorder = recorder
        self.writer = writer

    async def __aenter__(self):
        self.task = asyncio.create_task(self.recorder.run(self.writer))
        return self.recorder

    async def __aexit__(self, *_):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


async def test_an_event_is_written_with_the_fields_that_describe_shows():
    writer = Writer()
    async with Running(recorder(), writer) as events:
        assert await events.event(make(), reason="Started", message="epoch 1", type="Warning") is True
    ((name, body),) = writer.events.items()
    assert name == body["metadata"]["name"]
    assert name.startswith("a.")
    del body["metadata"]["name"]
    assert body == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": "ns"},
        "involvedObject": {
            "apiVersion": "example.com/v1",
            "kind": "App",
            "name": "a",
            "namespace": "ns",
            "uid": "u-1",
            "resourceVersion": "7",
        },
        "type": "Warning",
        "reason": "Started",
        "message": "epoch 1",
        "source": {"component": "tests"},
        "reportingComponent": "tests",
        "reportingInstance": "tests-0",
        "firstTimestamp": "2026-08-01T12:00:00Z",
        "lastTimestamp": "2026-08-01T12:00:00Z",
        "count": 1,
    }


async def test_the_event_of_a_cluster_scoped_object_goes_to_the_namespace_default():
    """E6."""
    writer = Writer()
    async with Running(recorder(), writer) as events:
        await events.event(make(namespace=""), reason="R", message="m")
    (body,) = writer.events.values()
    assert body["metadata"]["namespace"] == "default"
    assert "namespace" not in body["involvedObject"]


async def test_the_same_occurrence_recorded_again_even_by_another_process_is_one_event():
    writer = Writer()
    for _ in range(2):
        async with Running(recorder(), writer) as events:
            for _ in range(2):
                assert await events.event(make(), reason="R", message="m", dedupe="transition 3") is True
    assert len(writer.events) == 1


async def test_occurrences_of_other_objects_or_other_texts_are_other_events():
    writer = Writer()
    async with Running(recorder(), writer) as events:
        events.event(make(), reason="R", message="m", dedupe="1")
        events.event(make(), reason="R", message="m", dedupe="2")
        events.event(make(uid="u-2"), reason="R", message="m", dedupe="1")
        await events.flush()
    assert len(writer.events) == 3


async def test_without_dedupe_a_repeat_raises_the_count_of_the_event_there_is():
    """E1."""
    writer = Writer()
    async with Running(recorder(), writer) as events:
        for _ in range(5):
            events.event(make(), reason="R", message="m")
        await events.flush()
    ((name, body),) = writer.events.items()
    assert (body["metadata"]["name"], body["count"], len(writer.patches)) == (name, 5, 4)
    assert events.recorded == 5


async def test_a_repeat_of_an_event_that_the_server_has_forgotten_is_created_anew_with_its_count():
    """E4: no version of the old one is sent along, or the server would refuse it."""
    writer = Writer()
    async with Running(recorder(), writer) as events:
        await events.event(make(), reason="R", message="m")
        ((name, _),) = writer.events.items()
        writer.events.clear()
        assert await events.event(make(), reason="R", message="m") is True
    ((again, body),) = writer.events.items()
    assert (again, body["count"], "resourceVersion" in body["metadata"]) == (name, 2, False)


async def test_what_the_limit_holds_back_is_answered_and_counted_but_not_written():
    """E2."""
    writer = Writer()
    async with Running(recorder(), writer) as events:
        answers = [await events.event(make(), reason="R", message="m") for _ in range(27)]
    assert answers == [True] * 25 + [False] * 2
    assert (events.recorded, events.held_back) == (25, 2)


async def test_an_occurrence_with_a_name_of_its_own_is_neither_counted_nor_held_back():
    writer = Writer()
    async with Running(recorder(), writer) as events:
        answers = [await events.event(make(), reason="R", message="m", dedupe=str(n)) for n in range(60)]
    assert all(answers)
    assert {body["count"] for body in writer.events.values()} == {1}
    assert len(writer.events) == 60


async def test_a_storm_written_as_a_series_costs_three_writes():
    """E7, scenario 57: the event, its count of two, and the last count when six minutes have been silent."""
    writer = Writer()
    async with Running(recorder(correlator=SeriesCorrelator()), writer) as events:
        for _ in range(500):
            assert await events.event(make(), reason="R", message="m") is True
        assert [patch["series"]["count"] for patch in writer.patches] == [2]
        await asyncio.sleep(7 * 60)
    assert [patch["series"]["count"] for patch in writer.patches] == [2, 500]
    (body,) = writer.events.values()
    assert (body["eventTime"], body["action"]) == ("2026-08-01T12:00:00.000000Z", "R")


async def test_stopping_writes_the_count_that_a_series_has_reached():
    """E7."""
    events, writer = recorder(correlator=SeriesCorrelator()), Writer()
    task = asyncio.create_task(events.run(writer))
    for _ in range(9):
        await events.event(make(), reason="R", message="m")
    events.stop()
    await task
    assert [patch["series"]["count"] for patch in writer.patches] == [2, 9]


async def test_recording_never_waits_and_a_full_queue_drops():
    """E3."""
    events = recorder()
    futures = [events.event(make(uid=f"u-{n}"), reason="R", message="m") for n in range(QUEUE_LENGTH_MAX + 3)]
    assert asyncio.get_running_loop().time() == 0.0
    assert events.dropped == 3
    assert [future.done() for future in futures[-4:]] == [False, True, True, True]
    assert await futures[-1] is False
    assert repr(events) == "<Recorder waiting=1000 recorded=0 dropped=3>"


async def test_what_was_recorded_before_the_start_is_written_after_it():
    events, writer = recorder(), Writer()
    events.event(make(), reason="R", message="m")
    async with Running(events, writer):
        await events.flush()
    assert len(writer.events) == 1


async def test_a_refusal_is_not_retried():
    """E5."""
    writer = Writer(Forbidden(403, "Forbidden", "not yours"))
    async with Running(recorder(), writer) as events:
        assert await events.event(make(), reason="R", message="m") is False
        assert await events.event(make(), reason="R", message="m") is True
    assert (events.refused, events.recorded, len(writer.calls)) == (1, 1, 2)


@pytest.mark.parametrize(
    "error", [ConnectionFailed("gone"), ServerError(500, "x", "x"), TooManyRequests(429, "x", "x")], ids=repr
)
async def test_what_may_pass_is_tried_again_ten_seconds_apart_the_first_time_at_random(error):
    """E5, table 1.12."""
    writer = Writer(error, error, error)
    async with Running(recorder(), writer) as events:
        assert await events.event(make(), reason="R", message="m") is True
    first, second, third, fourth = writer.calls
    assert 0.0 < second - first < 10.0
    assert (third - second, fourth - third) == (pytest.approx(10.0), pytest.approx(10.0))


async def test_after_twelve_tries_an_event_is_given_up_and_the_next_one_has_its_turn():
    """E5."""
    writer = Writer(*[ConnectionFailed("gone")] * 12)
    async with Running(recorder(), writer) as events:
        assert await events.event(make(), reason="R", message="m") is False
        assert await events.event(make(), reason="R", message="m") is True
    assert events.dropped == 1


async def test_being_stopped_in_the_middle_of_a_write_tells_whoever_waits():
    writer = Writer(*[ConnectionFailed("gone")] * 12)
    async with Running(recorder(), writer) as events:
        future = events.event(make(), reason="R", message="m")
        await asyncio.sleep(1)
    assert await future is False


async def test_stopping_writes_what_waits():
    events, writer = recorder(), Writer()
    task = asyncio.create_task(events.run(writer))
    futures = [events.event(make(), reason="R", message="m") for _ in range(3)]
    events.stop()
    await task
    assert [await future for future in futures] == [True, True, True]


async def test_stopping_gives_up_at_once_when_the_server_is_away():
    events, writer = recorder(), Writer(*[ConnectionFailed("gone")] * 50)
    task = asyncio.create_task(events.run(writer))
    futures = [events.event(make(), reason="R", message="m") for _ in range(3)]
    await asyncio.sleep(0.001)
    events.stop()
    await task
    assert [await future for future in futures] == [False, False, False]
    assert asyncio.get_running_loop().time() < 0.1


async def test_a_long_message_is_shortened_to_what_servers_accept():
    writer = Writer()
    async with Running(recorder(), writer) as events:
        await events.event(make(), reason="R", message="é" * 2000)
    (body,) = writer.events.values()
    assert len(body["message"].encode()) <= 1024
    assert body["message"].endswith("…")


async def test_the_name_of_an_event_fits_however_long_the_objects_name_is():
    writer = Writer()
    async with Running(recorder(), writer) as events:
        await events.event(make(name="x" * 229 + "." + "y" * 23), reason="R", message="m", dedupe="1")
    (name,) = writer.events
    assert len(name) <= 253
    assert ".." not in name
