"""Planted faults strike the calls they were planted for, as often as was said, on every server."""

import asyncio
import contextlib
import uuid

import pytest
from operators_under_test import ORDER, Shop, buys_once, operator
from servers import EVERY_SERVER, open_server

from windlass.controller import Manager
from windlass.envtest.kit import Calls, Faults
from windlass.informers import Api, Client, Cluster, ConfigMap, Key, Namespace, Secret, requests
from windlass.informers.errors import (
    ApiError,
    Conflict,
    ConnectionFailed,
    Gone,
    Invalid,
    NotFound,
    ServerError,
    TooManyRequests,
)
from windlass.informers.requests import ListOptions

pytestmark = pytest.mark.realtime(limit=150)

SERVERS = pytest.mark.parametrize("server", EVERY_SERVER)


@contextlib.asynccontextmanager
async def place(server):
    """Faults, an API behind them, one past them, and a namespace."""
    async with open_server(server) as running:
        cluster, faults = Cluster.from_dict(running.kubeconfig()), Faults()
        async with Client(cluster) as clean, Client(faults.on(cluster)) as disturbed:
            namespace = f"faults-{uuid.uuid4().hex[:8]}"
            await Api(clean).create(Namespace, {"metadata": {"name": namespace}})
            yield faults, Api(disturbed), Api(clean), namespace


def config_map(name, namespace):
    return {"metadata": {"name": name, "namespace": namespace}}


@SERVERS
async def test_each_fault_does_what_it_says_to_the_server_and_to_the_client(server):
    async with place(server) as (faults, api, clean, namespace):
        creates = Calls("create", ConfigMap)

        faults.refuse(creates)
        with pytest.raises(ConnectionFailed, match="refused by a planted fault") as refused:
            await api.create(ConfigMap, config_map("a", namespace))
        assert refused.value.sent is False

        faults.cut(creates)
        with pytest.raises(ConnectionFailed, match="cut by a planted fault") as cut:
            await api.create(ConfigMap, config_map("b", namespace))
        assert cut.value.sent is True

        faults.fail(creates, status=422)
        with pytest.raises(Invalid, match="a planted fault"):
            await api.create(ConfigMap, config_map("c", namespace))

        faults.delay(0.2, creates)
        began = asyncio.get_running_loop().time()
        await api.create(ConfigMap, config_map("d", namespace))
        assert asyncio.get_running_loop().time() - began >= 0.19

        faults.conflict(Calls("patch", ConfigMap, "d"))
        with pytest.raises(Conflict):
            await api.patch(ConfigMap, Key(namespace, "d"), {"data": {"a": "1"}})

        faults.cut(Calls("delete", ConfigMap, "x"))
        with pytest.raises(ConnectionFailed, match="cut"):  # also where the answer would have been an error
            await api.delete(ConfigMap, Key(namespace, "x"))

        names = {one.name for one in (await clean.list(ConfigMap, namespace=namespace)).items} & set("abcd")
        assert names == {"b", "d"}
        assert faults.pending == ()
        assert all(passed.fault is not None for passed in faults.passed)
        assert [(passed.call.verb, passed.call.name) for passed in faults.passed] == [
            *4 * [("create", "")],
            ("patch", "d"),
            ("delete", "x"),
        ]


async def test_the_nth_call_is_struck_and_the_others_pass():
    async with place("embedded") as (faults, api, _, namespace):
        fault = faults.fail_nth(3, Calls("get", ConfigMap), status=500, times=2)
        seen = []
        for _ in range(6):
            try:
                await api.get(ConfigMap, Key(namespace, "absent"))
            except ApiError as error:
                seen.append(error.status_code)
        assert seen == [404, 404, 500, 500, 404, 404]
        assert (fault.struck, fault.spent) == (2, True)


async def test_other_calls_are_not_struck():
    async with place("embedded") as (faults, api, _, namespace):
        faults.fail(Calls("create", Secret))
        faults.fail(Calls("get", ConfigMap, Key(namespace, "b")))
        await api.create(ConfigMap, config_map("a", namespace))
        await api.get(ConfigMap, Key(namespace, "a"))
        assert len(faults.pending) == 2
        faults.heal()
        await api.create(Secret, config_map("a", namespace))
        assert faults.pending == ()


async def test_of_several_faults_the_first_planted_strikes():
    async with place("embedded") as (faults, api, _, namespace):
        first, second = faults.fail(status=410), faults.fail(status=500)
        with pytest.raises(Gone):
            await api.get(ConfigMap, Key(namespace, "a"))
        assert (first.struck, second.struck) == (1, 0)
        with pytest.raises(ServerError):
            await api.get(ConfigMap, Key(namespace, "a"))
        with pytest.raises(NotFound):
            await api.get(ConfigMap, Key(namespace, "a"))


async def test_the_client_repeats_what_it_would_repeat_for_a_real_server():
    async with place("embedded") as (faults, api, _, namespace):
        faults.fail(Calls("create", ConfigMap), status=429, times=2)
        await api.create(ConfigMap, config_map("a", namespace))
        assert [passed.fault is not None for passed in faults.passed] == [True, True, False]
        faults.fail(Calls("create", ConfigMap), status=429, times=9)
        with pytest.raises(TooManyRequests):
            await api.create(ConfigMap, config_map("b", namespace))


@SERVERS
async def test_a_watch_breaks_after_the_events_it_was_given(server):
    async with place(server) as (faults, api, clean, namespace):
        version = (await clean.list(Secret, namespace=namespace)).resource_version
        for name in "abcd":
            await clean.create(Secret, config_map(name, namespace))
        faults.cut(Calls("watch", Secret), after_events=2)
        watch = requests.watch(Secret, ListOptions(namespace), resource_version=version)
        received = []

        async def read():
            async with api.client.stream(watch) as stream:
                while chunk := await stream.read(10):
                    received.append(chunk)

        with pytest.raises(ConnectionFailed, match="cut by a planted fault"):
            await read()
        assert b"".join(received).count(b"\n") == 2
        assert b"".join(received).endswith(b"\n")


@SERVERS
async def test_an_operator_comes_to_its_end_through_faults_of_every_kind(server):
    shop = Shop()
    async with open_server(server) as running:
        cluster, faults = Cluster.from_dict(running.kubeconfig()), Faults()
        async with Client(cluster) as client:
            api, namespace = Api(client), f"faults-{uuid.uuid4().hex[:8]}"
            await api.create(Namespace, {"metadata": {"name": namespace}})
            faults.refuse(Calls("list", ConfigMap))
            faults.fail(Calls("watch", ConfigMap), status=410)
            faults.cut(Calls("watch", Secret), after_events=1)
            faults.conflict(Calls("apply", Secret))
            faults.cut(Calls("apply", Secret))
            faults.delay(0.05, Calls("apply", Secret))
            manager = Manager(cluster=faults.on(cluster), namespace=namespace)
            operator(buys_once, shop=shop)(manager)
            async with manager, asyncio.timeout(60):
                await api.create(ConfigMap, {**ORDER, "metadata": {"name": "order", "namespace": namespace}})
                while faults.pending or not manager.cache.list(Secret):  # noqa: ASYNC110  # others are at work
                    await asyncio.sleep(0.01)
                found = await api.get(Secret, Key(namespace, "order"))
    assert shop.counts == {"buy tea": 1}
    assert found.owner_references[0].name == "order"


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (lambda faults: faults.fail_nth(0), "n >= 1, found 0"),
        (lambda faults: faults.fail(status=200), "400 to 599, found 200"),
        (lambda faults: faults.cut(times=0), "times >= 1, found 0"),
    ],
    ids=["nth", "status", "times"],
)
def test_a_fault_that_could_not_strike_is_refused(plant, message):
    faults = Faults()
    with pytest.raises(ValueError, match=message):
        plant(faults)
    assert faults.pending == ()
