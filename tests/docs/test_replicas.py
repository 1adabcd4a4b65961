"""The programs of the pages on several replicas do what the pages say."""

import asyncio
from pathlib import Path

import pytest
from programs import running
from servers import open_server

from windlass.controller import FencingToken
from windlass.controller.fencing import ANNOTATION
from windlass.informers.api import Api
from windlass.informers.builtins import ConfigMap, Lease
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.errors import NotFound
from windlass.informers.keys import Key

pytestmark = pytest.mark.realtime

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"


def config_map(name):
    metadata = {"name": name, "namespace": "default", "labels": {"team": "red"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


async def test_the_leader_writes_under_its_token_and_gives_the_lease_back(tmp_path):
    async with open_server("embedded") as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        api, key = Api(client), Key("default", "a")
        await api.create(ConfigMap, config_map("a"))
        async with running(str(HOW_TO / "leader.py"), str(tmp_path / "kubeconfig"), cwd=tmp_path) as program:

            async def written():
                return (await api.get(ConfigMap, key)).to_dict().get("data") == {"team": "red"}

            await until(written)
            found = await api.get(ConfigMap, key)
            assert FencingToken.parse(found.annotations[ANNOTATION]).transitions == 0
            program.process.terminate()
            assert (await program.end(seconds=20)).code == 0
        lease = await api.get(Lease, Key("default", "teams"))
        assert lease.to_dict()["spec"]["holderIdentity"] == ""


async def test_two_sharers_print_each_key_once_between_them(tmp_path):
    async with open_server("embedded") as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        api = Api(client)
        arguments = (str(HOW_TO / "shards.py"), str(tmp_path / "kubeconfig"))
        async with running(*arguments, cwd=tmp_path) as first, running(*arguments, cwd=tmp_path) as second:

            async def all_printed():
                return len(printed(first)) + len(printed(second)) >= 12

            await until(lambda: settled(api))
            await asyncio.sleep(2.5)  # for each of them to have seen that it is
            names = [f"config-{number}" for number in range(12)]
            for name in names:
                await api.create(ConfigMap, config_map(name))
            await until(all_printed)
            await asyncio.sleep(0.5)
            assert sorted(printed(first) + printed(second)) == sorted(names)
            assert printed(first)
            assert printed(second)


async def until(question):
    async with asyncio.timeout(30):
        while not await question():  # noqa: ASYNC110 - other processes answer
            await asyncio.sleep(0.05)


def printed(program):
    return [line.split(":")[0].removeprefix("default/") for line in program.out if "config-" in line]


async def settled(api):
    """Whether both members have noted the epoch of a ring of two."""
    leases = (await api.list(Lease, namespace="default", labels="windlass.dev/shard-group=printers")).items
    try:
        ring = await api.get(Lease, Key("default", "printers"))
    except NotFound:
        return False
    noted = [one.annotations.get("windlass.dev/shard-acknowledged") for one in leases if one.name != "printers"]
    return noted == [ring.resource_version] * 2
