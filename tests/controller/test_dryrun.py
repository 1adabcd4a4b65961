"""A dry run asks the server for everything and leaves everything as it was; what would have been written is logged."""

import asyncio
import contextlib
import logging
import uuid

import attrs
import pytest
from servers import EVERY_SERVER, open_server

from windlass.controller import Context, Manager, Request, Settings
from windlass.informers import Api, Client, Cluster, Key, requests
from windlass.informers.builtins import ConfigMap, Deployment, Event, Namespace, Secret
from windlass.informers.errors import ApiError, NotFound

PARENT = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"size": "1"}}
SPEC = {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}}}
POD = {"containers": [{"name": "c", "image": "i"}]}


async def everything(api, namespace):
    """Each object of the namespace that anybody in this test could have written, to the last byte."""
    kinds = (ConfigMap, Secret, Deployment, Event)
    found = [one for kind in kinds for one in (await api.list(kind, namespace=namespace)).items]
    return sorted(
        (str(one.key), one.uid, one.resource_version)
        for one in found
        # A real cluster's own controllers write these at a time of their own.
        if one.name != "kube-root-ca.crt" and not one.name.startswith("default-token-")
    )


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("server_kind", EVERY_SERVER)
async def test_nothing_is_changed_and_each_write_is_logged(server_kind, caplog):
    caplog.set_level(logging.INFO, logger="windlass.controller.dryrun")
    namespace = f"dry-{uuid.uuid4().hex[:8]}"
    done = asyncio.Event()
    refused = []

    async def reconcile(ctx: Context, request: Request) -> None:
        parent = await ctx.get(ConfigMap, request.key)
        if parent is None or parent.name != "parent":
            return
        assert ctx.dry_run
        await ctx.add_finalizer(parent, "example.com/f")
        await ctx.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "child"}}, owner=parent)
        await ctx.create(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"p": "hidden"}},
            owner=parent,
        )

        def bigger(body):
            body["data"] = {"size": "2"}

        def deployment(body):
            body["spec"] = {**SPEC, "template": {**SPEC["template"], "spec": POD}}
            body["status"] = {"replicas": 3}

        await ctx.create_or_patch(ConfigMap, request.key, bigger)
        await ctx.create_or_patch(Deployment, Key(namespace, "made"), deployment)
        await ctx.delete(ConfigMap, request.key, uid=parent.uid)
        try:
            await ctx.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "No Name"}}, owner=parent)
        except ApiError as error:
            refused.append(error.status_code)
        ctx.event(parent, reason="Tried", message="everything")
        await ctx.services.recorder.flush()
        done.set()

    async with open_server(server_kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        await api.create(ConfigMap, {**PARENT, "metadata": {"name": "parent", "namespace": namespace}})
        before = await everything(api, namespace)
        manager = Manager(
            kinds=[ConfigMap, Secret, Deployment],
            cluster=client.cluster,
            namespace=namespace,
            settings=Settings(dry_run=True),
        )
        manager.controller(reconcile, for_=ConfigMap, reads=[Deployment, Secret])
        async with manager:
            async with asyncio.timeout(30):
                await done.wait()
            assert manager.controllers[0].statistics.errors == 0
        assert await everything(api, namespace) == before

    said = [record.getMessage() for record in caplog.records]
    for part in ("patch", "apply", "delete"):
        assert any(line.startswith(f"dry run: {part} configmaps.v1 {namespace}/") for line in said), (part, said)
    assert any('"example.com/f"' in line for line in said)
    assert any('"size":"2"' in line for line in said)
    assert any(line.startswith("dry run: create deployments.v1.apps ") for line in said), said
    assert any(line.startswith("dry run: create events") and '"Tried"' in line for line in said), said
    (secret,) = (line for line in said if "secrets.v1" in line)
    assert secret.endswith("would be done (a Secret's body is not shown)")
    assert refused == [422], "the server's own refusals are real"
    assert not any("No Name" in line for line in said), "what is refused would not be done"


@contextlib.asynccontextmanager
async def dry_client():
    from windlass.controller.dryrun import DryRunClient

    async with (
        open_server("embedded") as server,
        DryRunClient(Cluster.from_dict(server.kubeconfig())) as client,
    ):
        yield Api(client)


@pytest.mark.realtime
async def test_a_long_body_is_shown_in_part(caplog):
    caplog.set_level(logging.INFO, logger="windlass.controller.dryrun")
    async with dry_client() as api:
        body = {**PARENT, "metadata": {"name": "a", "namespace": "default"}, "data": {"a": "x" * 10_000}}
        await api.create(ConfigMap, body)
    (line,) = (record.getMessage() for record in caplog.records)
    assert len(line) < 4300
    assert line.endswith(" more characters)")


@pytest.mark.realtime
async def test_a_cache_does_not_wait_for_what_was_never_stored():
    class Observer:
        def writing(self, resource, key):
            raise AssertionError("it would be waited for")

    async with dry_client() as api:
        await Api(api.client, observer=Observer()).create(
            ConfigMap, {**PARENT, "metadata": {"name": "a", "namespace": "default"}}
        )


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("server_kind", EVERY_SERVER)
async def test_of_a_delete_with_a_body_a_server_ignores_the_query(server_kind):
    """Why a dry run says so in both places."""
    key = Key("default", f"dry-{uuid.uuid4().hex[:8]}")
    async with open_server(server_kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        made = await Api(client).create(
            ConfigMap, {**PARENT, "metadata": {"name": key.name, "namespace": key.namespace}}
        )
        asked = requests.delete(ConfigMap, key, uid=made.uid)
        await client.send(asked.dry())
        assert (await Api(client).get(ConfigMap, key)).uid == made.uid
        await client.send(attrs.evolve(asked, query=(("dryRun", "All"),)))
        with pytest.raises(NotFound):
            await Api(client).get(ConfigMap, key)
