"""Writes under fencing tokens, on real servers: what an old token may not do."""

import uuid
from contextlib import asynccontextmanager

import pytest
from servers import EVERY_SERVER, open_server

from windlass.controller.errors import Fenced
from windlass.controller.fencing import ANNOTATION, Fence
from windlass.controller.lease import FencingToken
from windlass.informers.api import Api
from windlass.informers.builtins import ConfigMap, Job, Namespace
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.errors import Invalid, NotFound
from windlass.informers.keys import Key

pytestmark = pytest.mark.realtime(limit=180)  # the first test on a server starts it

SERVERS = pytest.mark.parametrize("server_kind", EVERY_SERVER)
OLD, NEW = FencingToken(100, 1), FencingToken(200, 2)


@asynccontextmanager
async def place(server_kind):
    """An Api, and the key of a ConfigMap that nobody has claimed."""
    async with open_server(server_kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        key = Key(f"fencing-{uuid.uuid4().hex[:8]}", "settings")
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": key.namespace}})
        await api.create(ConfigMap, config_map(key))
        yield api, key


def config_map(key):
    metadata = {"name": key.name, "namespace": key.namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"writer": "nobody"}}


def writing(value):
    return [{"op": "replace", "path": "/data/writer", "value": value}]


async def writer(api, key):
    return (await api.get(ConfigMap, key)).to_dict()["data"]["writer"]


@SERVERS
async def test_the_newer_token_takes_the_object_over_and_the_older_one_is_refused_from_then_on(server_kind):
    async with place(server_kind) as (api, key):
        await Fence(api, OLD).patch(ConfigMap, key, writing("old"))
        await Fence(api, NEW).patch(ConfigMap, key, writing("new"))
        with pytest.raises(Fenced, match=r"settings is not written: .* 200\.2, which is newer than 100\.1"):
            await Fence(api, OLD).patch(ConfigMap, key, writing("old"))
        with pytest.raises(Fenced):
            await Fence(api, OLD).delete(ConfigMap, key)
        assert await writer(api, key) == "new"


@SERVERS
async def test_a_write_that_was_decided_before_the_take_over_is_refused_by_the_server(server_kind):
    """L13: paused between its claim and its write."""
    async with place(server_kind) as (api, key):

        class Paused(Api):
            async def patch(self, kind, key, patch, **options):
                if isinstance(patch, list):
                    await Fence(api, NEW).patch(ConfigMap, key, writing("new"))
                return await super().patch(kind, key, patch, **options)

        with pytest.raises(Fenced):
            await Fence(Paused(api.client), OLD).patch(ConfigMap, key, writing("old"))
        assert await writer(api, key) == "new"


@SERVERS
async def test_a_claim_that_was_decided_before_the_take_over_is_refused_by_the_server(server_kind):
    """L13: paused between its read and its claim."""
    async with place(server_kind) as (api, key):

        class Paused(Api):
            async def get(self, kind, key, **options):
                found = await super().get(kind, key, **options)
                if ANNOTATION not in found.annotations:
                    await Fence(api, NEW).claim(ConfigMap, key)
                return found

        with pytest.raises(Fenced):
            await Fence(Paused(api.client), OLD).claim(ConfigMap, key)
        assert (await api.get(ConfigMap, key)).annotations[ANNOTATION] == str(NEW)


@SERVERS
async def test_a_delete_that_was_decided_before_the_take_over_is_refused_by_the_server(server_kind):
    async with place(server_kind) as (api, key):

        class Paused(Api):
            async def delete(self, kind, key, **options):
                await Fence(api, NEW).claim(ConfigMap, key)
                return await super().delete(kind, key, **options)

        with pytest.raises(Exception, match="409"):
            await Fence(Paused(api.client), OLD).delete(ConfigMap, key)
        assert await writer(api, key) == "nobody"
        assert await Fence(api, NEW).delete(ConfigMap, key)
        assert not await Fence(api, NEW).delete(ConfigMap, key)


@SERVERS
async def test_a_status_is_fenced_by_the_objects_own_token(server_kind):
    async with place(server_kind) as (api, key):
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": key.namespace}}
        template = {"spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}}
        await api.create(Job, Fence(api, OLD).stamp({**job, "spec": {"template": template, "parallelism": 0}}))
        job_key = Key(key.namespace, "j")
        phase = [{"op": "add", "path": "/status/failed", "value": 3}]
        await Fence(api, OLD).patch(Job, job_key, phase, subresource="status")
        await Fence(api, NEW).claim(Job, job_key)
        with pytest.raises(Fenced):
            await Fence(api, OLD).patch(Job, job_key, phase, subresource="status")


@SERVERS
async def test_a_patch_that_does_not_fit_is_told_as_such(server_kind):
    async with place(server_kind) as (api, key):
        with pytest.raises(Invalid):
            await Fence(api, NEW).patch(ConfigMap, key, [{"op": "remove", "path": "/data/absent"}])
        with pytest.raises(NotFound):
            await Fence(api, NEW).patch(ConfigMap, Key(key.namespace, "absent"), [])


@SERVERS
async def test_words_of_somebody_else_in_the_annotation_are_replaced(server_kind):
    async with place(server_kind) as (api, key):
        await api.patch(ConfigMap, key, {"metadata": {"annotations": {ANNOTATION: "mine!"}}})
        claimed = await Fence(api, OLD).claim(ConfigMap, key)
        assert claimed.annotations[ANNOTATION] == "100.1"


async def test_an_object_to_be_created_can_carry_the_token_from_the_start():
    body = Fence(None, OLD, "example.com/token").stamp({"metadata": {"name": "a", "annotations": {"b": "c"}}})
    assert body == {"metadata": {"name": "a", "annotations": {"b": "c", "example.com/token": "100.1"}}}
