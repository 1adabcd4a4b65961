"""What is decided without a server, on servers: they accept it, and mean by it what we mean."""

import asyncio
import uuid
from contextlib import asynccontextmanager

import pytest
from servers import EVERY_SERVER, open_server
from status_writers import define, write_rounds

from windlass.controller.correlation import COMBINED, CountingCorrelator
from windlass.controller.recorder import Recorder
from windlass.controller.series import SeriesCorrelator
from windlass.controller.settings import utc_now
from windlass.controller.upserts import Operation, Target, create_or_patch
from windlass.informers.api import Api
from windlass.informers.builtins import ConfigMap, Deployment, Event, Namespace
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.keys import Key

pytestmark = [
    pytest.mark.realtime(limit=180),  # the first test on a server starts it
    pytest.mark.parametrize("server_kind", EVERY_SERVER),
]


@asynccontextmanager
async def place(server_kind):
    """An API and a namespace of the test's own."""
    async with open_server(server_kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        name = f"controller-{uuid.uuid4().hex[:8]}"
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        yield api, name


async def subject(api, namespace):
    metadata = {"name": "a", "namespace": namespace}
    return await api.create(ConfigMap, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})


async def recorded(api, namespace, correlator, occurrences):
    """The events that the server has after the occurrences: pairs of a reason and a message."""
    obj = await subject(api, namespace)
    recorder = Recorder("tests", instance="tests-0", clock=utc_now, correlator=correlator)
    task = asyncio.create_task(recorder.run(api))
    for reason, message in occurrences:
        recorder.event(obj, reason=reason, message=message)
    await recorder.flush()
    recorder.stop()
    await task
    assert (recorder.refused, recorder.dropped) == (0, 0)
    return [one.to_dict() for one in (await api.list(Event, namespace=namespace)).items]


async def test_repeats_are_counted_on_the_server(server_kind):
    """E1."""
    async with place(server_kind) as (api, namespace):
        events = await recorded(api, namespace, CountingCorrelator(), [("Again", "m")] * 5)
    assert [(one["reason"], one["message"], one["count"]) for one in events] == [("Again", "m", 5)]


async def test_a_crowd_is_folded_on_the_server(server_kind):
    """E1."""
    async with place(server_kind) as (api, namespace):
        events = await recorded(api, namespace, CountingCorrelator(), [("Many", f"epoch {n}") for n in range(15)])
    assert len(events) == 10
    (folded,) = (one for one in events if one["message"].startswith(COMBINED))
    assert (folded["message"], folded["count"]) == (f"{COMBINED}epoch 14", 6)


async def test_an_event_that_the_server_has_forgotten_is_written_anew(server_kind):
    """E4."""
    async with place(server_kind) as (api, namespace):
        obj = await subject(api, namespace)
        recorder = Recorder("tests", instance="tests-0", clock=utc_now)
        task = asyncio.create_task(recorder.run(api))
        await recorder.event(obj, reason="Again", message="m")
        (found,) = (await api.list(Event, namespace=namespace)).items
        await api.delete(Event, found.key)
        assert await recorder.event(obj, reason="Again", message="m") is True
        (found,) = (await api.list(Event, namespace=namespace)).items
        recorder.stop()
        await task
    assert found.to_dict()["count"] == 2


async def test_a_series_is_accepted_by_the_server(server_kind):
    """E7."""
    async with place(server_kind) as (api, namespace):
        (event,) = await recorded(api, namespace, SeriesCorrelator(), [("Again", f"m {n}") for n in range(40)])
    assert (event["series"]["count"], event["message"], event["action"]) == (40, "m 0", "Again")


async def test_what_the_server_fills_in_is_no_difference(server_kind):
    """P13: a Deployment comes back with a dozen fields that nobody wrote."""

    def mutate(body):
        spec = body.setdefault("spec", {})
        spec["replicas"] = 2
        spec.setdefault("selector", {}).setdefault("matchLabels", {})["app"] = "a"
        template = spec.setdefault("template", {})
        template.setdefault("metadata", {}).setdefault("labels", {})["app"] = "a"
        containers = template.setdefault("spec", {}).setdefault("containers", [])
        if not containers:
            containers.append({"name": "main"})
        containers[0]["image"] = "example.com/a:1"

    async with place(server_kind) as (api, namespace):
        target = Target(Deployment, Key(namespace, "a"))
        done = [await create_or_patch(api, target, mutate) for _ in range(2)]
        assert [one.operation for one in done] == [Operation.CREATED, Operation.UNCHANGED]
        await api.patch(Deployment, target.key, {"spec": {"replicas": 5}})
        mended = await create_or_patch(api, target, mutate)
        assert (mended.operation, mended.object.to_dict()["spec"]["replicas"]) == (Operation.PATCHED, 2)


async def test_two_writers_of_one_object_lose_nothing(server_kind):
    """Each adds fifteen keys of its own, both at once."""

    def adding(writer, number):
        def mutate(body):
            body.setdefault("data", {})[f"{writer}-{number}"] = "yes"

        return mutate

    async with place(server_kind) as (api, namespace):
        target = Target(ConfigMap, Key(namespace, "shared"))

        async def write(writer):
            for number in range(15):
                await create_or_patch(api, target, adding(writer, number))

        await asyncio.gather(write("a"), write("b"))
        found = await api.get(ConfigMap, target.key)
    assert len(found.to_dict()["data"]) == 30


async def test_eight_writers_of_one_status_lose_no_update(server_kind):
    """`tests/benchmarks/bench_status.py --rounds 10000` is the same for longer."""
    async with place(server_kind) as (api, _):
        tally = await write_rounds(api, await define(api), 8)
    assert (tally.rounds, tally.lost) == (8, [])
    assert tally.conflicts > 0  # they did meet
