"""The same calls and the same copy on every server: the embedded one and a real kube-apiserver."""

import json
import uuid
from contextlib import asynccontextmanager

import attrs
import pytest
from journal import Journal
from scripted_cluster import running, until
from servers import EVERY_SERVER, at_hand, open_server

from windlass.informers import requests
from windlass.informers.api import Api
from windlass.informers.builtins import ConfigMap, CustomResourceDefinition, Namespace, Pod
from windlass.informers.cache import Cache
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.discovery import Discovery
from windlass.informers.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    Gone,
    Invalid,
    NotFound,
    NotSynced,
    UnregisteredKind,
)
from windlass.informers.feed import FeedOptions
from windlass.informers.informer import Informer
from windlass.informers.keys import Key
from windlass.informers.phases import Policy
from windlass.informers.requests import ListOptions, PatchType, WriteOptions
from windlass.informers.resources import Resource
from windlass.informers.store import Added, Deleted, Updated
from windlass.informers.typed import CustomResource, ObjectMeta

pytestmark = [pytest.mark.realtime(limit=180), pytest.mark.parametrize("server", EVERY_SERVER)]

DEPLOYMENT = Resource("apps", "v1", "Deployment", "deployments")
OURS = "metadata.name!=kube-root-ca.crt"  # a real control plane puts that one into every namespace
LISTS = FeedOptions(Policy(streaming=False))
STREAMS = FeedOptions(Policy(streaming=True))


@asynccontextmanager
async def world(server):
    """A client of that server, an Api, and a namespace of the test's own."""
    async with open_server(server) as running_server:
        cluster = Cluster.from_dict(running_server.kubeconfig())
        async with Client(cluster) as client:
            api = Api(client)
            namespace = f"t-{uuid.uuid4().hex[:10]}"
            await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            yield api, namespace


@asynccontextmanager
async def widgets(api):
    """A definition of the test's own, with a status subresource; the resource."""
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    resource = Resource(group, "v1", "Widget", "widgets")
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"size": {"type": "integer"}, "name": {"type": "string"}}},
            "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
        },
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": names,
            "versions": [{**version, "subresources": {"status": {}}}],
        },
    }
    await api.create(CustomResourceDefinition, definition)
    await until(lambda: served(api, resource))
    yield resource, definition
    await api.delete(CustomResourceDefinition, Key("", f"widgets.{group}"))


async def served(api, resource):
    try:
        await api.list(resource, limit=1)
    except NotFound:
        return False
    return True


def config_map(name, namespace, **data):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: str(value) for key, value in data.items()},
    }


def widget(resource, name, namespace, **spec):
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": resource.api_version, "kind": "Widget", "metadata": metadata, "spec": spec}


def contents(objects):
    return {one.key: one.raw for one in objects}


async def same_as_server(api, informer, namespace):
    """Whether the copy is, byte for byte, what a list gives now."""
    listed = await api.list(informer.resource, namespace=namespace)
    return contents(informer.store.list()) == contents(listed.items)


class TestApi:
    async def test_an_object_is_created_read_changed_and_deleted(self, server):
        async with world(server) as (api, namespace):
            key = Key(namespace, "a")
            made = await api.create(ConfigMap, config_map("a", namespace, x=1))
            assert made.key == key
            assert b"managedFields" not in made.raw
            assert await api.get(ConfigMap, key) == made

            changed = made.to_dict()
            changed["data"]["x"] = "2"
            replaced = await api.replace(ConfigMap, changed)
            assert replaced.to_dict()["data"] == {"x": "2"}
            with pytest.raises(Conflict):
                await api.replace(ConfigMap, changed)

            merged = await api.patch(ConfigMap, key, {"data": {"y": "3"}})
            assert merged.to_dict()["data"] == {"x": "2", "y": "3"}
            patched = await api.patch(ConfigMap, key, [{"op": "remove", "path": "/data/x"}], type=PatchType.JSON)
            assert patched.to_dict()["data"] == {"y": "3"}
            with pytest.raises(Invalid):
                await api.patch(ConfigMap, key, [{"op": "test", "path": "/data/y", "value": "9"}], type=PatchType.JSON)

            with pytest.raises(Conflict):
                await api.delete(ConfigMap, key, uid="00000000-0000-0000-0000-000000000000")
            assert await api.delete(ConfigMap, key, uid=made.uid) is None
            with pytest.raises(NotFound) as caught:
                await api.get(ConfigMap, key)
            assert caught.value.details["name"] == "a"
            assert caught.value.request.what == f"get configmaps.v1 {namespace}/a"

    async def test_errors_are_told_by_class(self, server):
        async with world(server) as (api, namespace):
            await api.create(ConfigMap, config_map("a", namespace))
            with pytest.raises(AlreadyExists):
                await api.create(ConfigMap, config_map("a", namespace))
            with pytest.raises(BadRequest):
                await api.create(ConfigMap, config_map("a", "elsewhere"), namespace=namespace)
            with pytest.raises(NotFound):
                await api.list(Resource("nowhere.example.com", "v1", "Nothing", "nothings"))

    async def test_lists_are_paged_and_selected(self, server):
        async with world(server) as (api, namespace):
            for index in range(7):
                body = config_map(f"m{index}", namespace)
                body["metadata"]["labels"] = {"parity": "even" if index % 2 == 0 else "odd"}
                await api.create(ConfigMap, body)
            mine = f"metadata.namespace={namespace}"
            pages = [page async for page in api.pages(ConfigMap, namespace=namespace, limit=3, labels="parity")]
            whole = await api.list(ConfigMap, namespace=namespace, labels="parity")

            assert [len(page.items) for page in pages] == [3, 3, 1]
            assert len({page.resource_version for page in pages}) == 1
            assert [one.name for page in pages for one in page.items] == [one.name for one in whole.items]
            even = await api.list(ConfigMap, namespace=namespace, labels="parity=even", limit=2)
            assert [one.name for one in even.items] == ["m0", "m2", "m4", "m6"]
            named = await api.list(ConfigMap, fields=f"{mine},metadata.name=m3")
            assert [one.key for one in named.items] == [Key(namespace, "m3")]

    async def test_a_dry_run_changes_nothing(self, server):
        async with world(server) as (api, namespace):
            key = Key(namespace, "a")
            await api.create(ConfigMap, config_map("a", namespace), options=WriteOptions(dry_run=True))
            with pytest.raises(NotFound):
                await api.get(ConfigMap, key)
            await api.create(ConfigMap, config_map("a", namespace))
            await api.delete(ConfigMap, key, dry_run=True)
            assert await api.get(ConfigMap, key)

            merge = {"data": {"x": "1"}}
            assert (await api.patch(ConfigMap, key, merge, dry_run=True)).to_dict()["data"] == {"x": "1"}
            applied = {**config_map("a", namespace), **merge}
            await api.apply(ConfigMap, applied, field_manager="tests", dry_run=True)
            await api.delete_collection(ConfigMap, namespace=namespace, dry_run=True)
            assert not (await api.get(ConfigMap, key)).to_dict().get("data")

    async def test_a_strategic_merge_patch_knows_the_keys_of_built_in_lists(self, server):
        """P-01."""
        async with world(server) as (api, namespace), widgets(api) as (resource, _):
            key = Key(namespace, "p")
            containers = [{"name": name, "image": f"{name}:1"} for name in ("a", "b")]
            metadata = {"name": "p", "namespace": namespace}
            await api.create(
                Pod, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}}
            )
            change = {"spec": {"containers": [{"name": "b", "image": "b:2"}]}}
            patched = await api.patch(Pod, key, change, type=PatchType.STRATEGIC)
            found = {one["name"]: one["image"] for one in json.loads(patched.spec)["containers"]}
            assert found == {"a": "a:1", "b": "b:2"}
            await api.create(resource, widget(resource, "w", namespace))
            with pytest.raises(ApiError) as caught:
                await api.patch(resource, Key(namespace, "w"), {"spec": {"size": 1}}, type=PatchType.STRATEGIC)
            assert caught.value.status_code == 415

    async def test_a_deletion_on_condition_of_a_version_is_refused_when_it_is_old(self, server):
        async with world(server) as (api, namespace):
            made = await api.create(ConfigMap, config_map("a", namespace))
            await api.patch(ConfigMap, made.key, {"data": {"x": "1"}})
            with pytest.raises(Conflict):
                await api.delete(ConfigMap, made.key, resource_version=made.resource_version)
            assert await api.get(ConfigMap, made.key)

    @pytest.mark.realtime(limit=240)
    async def test_a_deletion_does_to_dependents_what_its_propagation_says(self, server):
        """D-07, GC-01, GC-03, GC-05: the answer shows the wish, and then the server has done it."""
        async with world(server) as (api, namespace):
            for policy in ("Background", "Foreground", "Orphan"):
                owner = await api.create(ConfigMap, config_map(policy.lower(), namespace))
                dependent = config_map(f"of-{owner.name}", namespace)
                reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner.name, "uid": owner.uid}
                dependent["metadata"]["ownerReferences"] = [{**reference, "blockOwnerDeletion": True}]
                dependent["metadata"]["finalizers"] = ["example.com/hold"]
                await api.create(ConfigMap, dependent)
            answers = {
                name: await api.delete(ConfigMap, Key(namespace, name.lower()), propagation=name)
                for name in ("Background", "Foreground", "Orphan")
            }
            assert answers["Background"] is None, "gone at once"
            assert answers["Foreground"].finalizers == ("foregroundDeletion",)
            assert answers["Orphan"].finalizers == ("orphan",)

            async def left():
                found = (await api.list(ConfigMap, namespace=namespace, fields=OURS)).items
                return {one.name: (one.deletion_timestamp is not None, len(one.owner_references)) for one in found}

            held = {
                "foreground": (True, 0),
                "of-background": (True, 1),
                "of-foreground": (True, 1),
                "of-orphan": (False, 0),
            }
            await until(lambda: _equals(left, held), 100.0, "a real collector may stand still for half a minute")
            for name in ("of-background", "of-foreground", "of-orphan"):
                await api.patch(ConfigMap, Key(namespace, name), {"metadata": {"finalizers": None}})
            await until(lambda: _equals(left, {"of-orphan": (False, 0)}), 100.0)

    async def test_scale_is_read_and_written_in_a_kind_of_its_own(self, server):
        async with world(server) as (api, namespace):
            key = Key(namespace, "d")
            labels = {"app": "d"}
            template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "c"}]}}
            spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
            metadata = {"name": "d", "namespace": namespace}
            body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
            await api.create(DEPLOYMENT, body)
            assert (await api.get(DEPLOYMENT, key, subresource="scale")).kind == "Scale"
            scaled = await api.patch(DEPLOYMENT, key, {"spec": {"replicas": 2}}, subresource="scale")
            assert json.loads(scaled.spec) == {"replicas": 2}
            assert json.loads((await api.get(DEPLOYMENT, key)).spec)["replicas"] == 2
            await api.delete(DEPLOYMENT, key)

    async def test_a_finalizer_holds_a_deleted_object(self, server):
        async with world(server) as (api, namespace):
            key = Key(namespace, "a")
            body = config_map("a", namespace)
            body["metadata"]["finalizers"] = ["example.com/hold"]
            await api.create(ConfigMap, body)
            held = await api.delete(ConfigMap, key)
            assert held is not None
            assert held.deletion_timestamp is not None
            assert held.finalizers == ("example.com/hold",)
            await api.patch(ConfigMap, key, {"metadata": {"finalizers": None}})
            with pytest.raises(NotFound):
                await api.get(ConfigMap, key)

    async def test_a_collection_is_deleted_by_selector(self, server):
        async with world(server) as (api, namespace):
            for name, app in (("a", "x"), ("b", "x"), ("c", "y")):
                body = config_map(name, namespace)
                body["metadata"]["labels"] = {"app": app}
                await api.create(ConfigMap, body)
            await api.delete_collection(ConfigMap, namespace=namespace, labels="app=x")
            left = await api.list(ConfigMap, namespace=namespace, labels="app")
            assert [one.name for one in left.items] == ["c"]

    async def test_typed_objects_go_there_and_back(self, server):
        @attrs.frozen
        class Spec:
            size: int

        async with world(server) as (api, namespace), widgets(api) as (resource, _):

            @attrs.frozen
            class Widget(CustomResource):
                __windlass_resource__ = resource

                spec: Spec

            made = await api.create(Widget, Widget(Spec(3), metadata=ObjectMeta("w", namespace)))
            found = (await api.get(Widget, made.key)).as_(Widget)
            assert found.spec == Spec(3)
            assert found.metadata.uid == made.uid

    async def test_status_is_a_resource_of_its_own(self, server):
        async with world(server) as (api, namespace), widgets(api) as (resource, _):
            made = await api.create(resource, widget(resource, "w", namespace, size=1))
            assert made.generation == 1
            key = made.key
            ignored = await api.patch(resource, key, {"status": {"phase": "Ready"}})
            assert ignored.status == b""
            written = await api.patch(resource, key, {"status": {"phase": "Ready"}}, subresource="status")
            assert json.loads(written.status) == {"phase": "Ready"}
            assert (written.generation, written.spec) == (1, made.spec)

    async def test_server_side_apply_creates_and_owns(self, server):
        async with world(server) as (api, namespace), widgets(api) as (resource, _):
            body = widget(resource, "w", namespace, size=1)
            made = await api.apply(resource, body, field_manager="tests")
            again = await api.apply(resource, body, field_manager="tests")
            assert again.resource_version == made.resource_version, "P-05"
            changed = await api.apply(resource, widget(resource, "w", namespace, size=2), field_manager="tests")
            assert json.loads(changed.spec) == {"size": 2}
            with pytest.raises(Conflict) as caught:
                await api.apply(resource, widget(resource, "w", namespace, size=3), field_manager="others", force=False)
            assert caught.value.causes[0].field == ".spec.size"

    async def test_strict_validation_names_the_unknown_field(self, server):
        async with world(server) as (api, namespace), widgets(api) as (resource, _):
            if int((await api.server_version()).split(".")[1]) < 25:
                pytest.skip("fieldValidation came with Kubernetes 1.25")
            options = WriteOptions(field_validation="Strict")
            with pytest.raises(BadRequest, match=r"unknown field \"spec\.colour\""):
                await api.create(resource, widget(resource, "w", namespace, colour="red"), options=options)

    async def test_warning_of_an_unknown_field_is_logged(self, server, caplog):
        async with world(server) as (api, namespace), widgets(api) as (resource, _):
            if int((await api.server_version()).split(".")[1]) < 25:
                pytest.skip("fieldValidation came with Kubernetes 1.25")
            options = WriteOptions(field_validation="Warn")
            await api.create(resource, widget(resource, "w", namespace, colour="red"), options=options)
            assert 'the server warns: unknown field "spec.colour"' in caplog.text

    async def test_the_server_says_its_version(self, server):
        async with world(server) as (api, _):
            assert (await api.server_version()).startswith("v1.")

    async def test_kinds_are_discovered_and_again_when_they_are_new(self, server):
        async with world(server) as (api, _):
            discovery = Discovery(api.client, refresh_seconds=0.0)
            assert await discovery.resource("v1", "Pod") == Pod
            assert await discovery.resource("v1", "Namespace") == Namespace
            with pytest.raises(UnregisteredKind):
                await discovery.resource("v1", "Widget")
            async with widgets(api) as (resource, _):
                assert await discovery.resource(resource.api_version, "Widget") == resource


@pytest.mark.parametrize("options", [LISTS, STREAMS], ids=["list", "streaming list"])
class TestInformer:
    async def test_the_copy_is_the_server_byte_for_byte(self, server, options):
        async with world(server) as (api, namespace):
            for index in range(5):
                await api.create(ConfigMap, config_map(f"m{index}", namespace, x=index))
            await until(lambda: at_hand(api, ConfigMap, Key(namespace, "m4")))
            informer = Informer(api.client, ConfigMap, namespace=namespace, options=options)
            async with running(informer):
                await informer.ready(20)
                assert await same_as_server(api, informer, namespace), "by list"
                await api.patch(ConfigMap, Key(namespace, "m1"), {"data": {"x": "changed"}})
                await api.delete(ConfigMap, Key(namespace, "m2"))
                await api.create(ConfigMap, config_map("fresh", namespace))
                await until(lambda: same_as_server(api, informer, namespace))

    async def test_events_come_once_and_in_order(self, server, options):
        async with world(server) as (api, namespace), widgets(api) as (resource, _):
            await api.create(resource, widget(resource, "w", namespace, size=0))
            await until(lambda: at_hand(api, resource, Key(namespace, "w")))
            informer = Informer(api.client, resource, options=options)
            seen = []
            informer.add_handler(seen.append, name="log")
            async with running(informer):
                await informer.ready(20)
                for size in range(1, 6):
                    await api.patch(resource, Key(namespace, "w"), {"spec": {"size": size}})
                gone = await api.get(resource, Key(namespace, "w"))
                await api.delete(resource, Key(namespace, "w"))
                await until(lambda: len(seen) >= 7)
            assert [type(change) for change in seen] == [Added] + [Updated] * 5 + [Deleted]
            assert seen[0].initial
            assert [json.loads(change.object.spec)["size"] for change in seen] == [0, 1, 2, 3, 4, 5, 5]
            assert int(seen[-1].object.resource_version) > int(gone.resource_version), "D-01"

    async def test_the_namespaces_change_while_it_runs(self, server, options):
        async with world(server) as (api, left):
            kept = f"{left}-kept"
            await api.create(Namespace, {"metadata": {"name": kept}})
            for namespace in (left, kept):
                await api.create(ConfigMap, config_map("a", namespace))
            informer = Informer(api.client, ConfigMap, namespace=[left], fields=OURS, options=options)
            journal = Journal(informer)
            async with running(informer):
                await until(lambda: {one.key for one in informer.store} == {Key(left, "a")})
                informer.set_namespaces([kept])
                await informer.ready(20)
                await api.patch(ConfigMap, Key(left, "a"), {"data": {"x": "unheard"}})
                await api.create(ConfigMap, config_map("b", kept))
                await until(lambda: {one.key for one in informer.store} == {Key(kept, "a"), Key(kept, "b")})
            journal.check()

    async def test_a_selector_lets_objects_enter_and_leave(self, server, options):
        """I15, W-11."""
        async with world(server) as (api, namespace):
            informer = Informer(api.client, ConfigMap, namespace=namespace, labels="app=x", options=options)
            seen = []
            informer.add_handler(lambda change: seen.append(type(change).__name__), name="log")
            async with running(informer):
                await informer.ready(20)
                await api.create(ConfigMap, config_map("a", namespace))
                await api.patch(ConfigMap, Key(namespace, "a"), {"metadata": {"labels": {"app": "x"}}})
                await api.patch(ConfigMap, Key(namespace, "a"), {"data": {"x": "1"}})
                await api.patch(ConfigMap, Key(namespace, "a"), {"metadata": {"labels": {"app": "y"}}})
                await until(lambda: len(seen) >= 3)
            assert seen == ["Added", "Updated", "Deleted"]

    async def test_metadata_alone(self, server, options):
        """T-02, W-14."""
        async with world(server) as (api, namespace):
            await api.create(ConfigMap, config_map("a", namespace, big="x" * 1000))
            informer = Informer(api.client, ConfigMap, namespace=namespace, metadata_only=True, options=options)
            async with running(informer):
                await informer.ready(20)
                await api.create(ConfigMap, config_map("b", namespace, big="x" * 1000))
                await until(lambda: Key(namespace, "b") in informer.store)
                assert all(len(one.raw) < 600 for one in informer.store)
                assert informer.store.get(Key(namespace, "a")).kind == "PartialObjectMetadata"

    async def test_a_kind_that_is_not_there_is_the_reason_for_not_being_synced(self, server, options):
        """I16."""
        async with world(server) as (api, _):
            informer = Informer(
                api.client, Resource("nowhere.example.com", "v1", "Nothing", "nothings"), options=options
            )
            async with running(informer):
                await until(lambda: informer.statistics().relists.get("missing"))
                with pytest.raises(NotSynced, match=r"no complete copy of nothings\.v1\.nowhere\.example\.com .*404"):
                    await informer.ready(0.1)

    async def test_the_definition_is_deleted_and_made_again(self, server, options):
        async with world(server) as (api, namespace), widgets(api) as (resource, definition):
            await api.create(resource, widget(resource, "old", namespace))
            informer = Informer(api.client, resource, options=options)
            async with running(informer):
                await informer.ready(20)
                name = Key("", definition["metadata"]["name"])
                await api.delete(CustomResourceDefinition, name)
                await until(lambda: _gone(api, name))
                await api.create(CustomResourceDefinition, definition)
                await until(lambda: served(api, resource))
                await until(lambda: _created(api, resource, widget(resource, "new", namespace)))
                await until(lambda: same_as_server(api, informer, namespace), 45.0)
                assert [one.name for one in informer.store] == ["new"]


class TestPaging:
    async def test_an_expired_page_token_is_gone(self, server):
        """L-04: a malformed one is the caller's own fault."""
        async with world(server) as (api, namespace):
            for index in range(3):
                await api.create(ConfigMap, config_map(f"m{index}", namespace))
            bad = requests.list_page(ConfigMap, ListOptions(namespace), limit=1, continue_token="nonsense")
            with pytest.raises((BadRequest, Gone)):
                await api.client.send(bad)


class TestReadYourWrites:
    async def test_a_cached_read_after_a_write_includes_it(self, server):
        """F9."""
        async with world(server) as (api, namespace):
            cache = Cache(api.client, namespace=namespace)
            api.observer = cache
            cache.informer(ConfigMap)
            async with running(cache):
                await cache.ready(20)
                for index in range(20):
                    key = Key(namespace, f"m{index % 5}")
                    if index < 5:
                        written = await api.create(ConfigMap, config_map(key.name, namespace))
                    else:
                        written = await api.patch(ConfigMap, key, {"data": {"x": str(index)}})
                    assert await cache.caught_up(ConfigMap, key)
                    assert cache.get(ConfigMap, key).raw == written.raw
                await api.delete(ConfigMap, Key(namespace, "m0"))
                assert await cache.caught_up(ConfigMap, Key(namespace, "m0"))
                assert cache.get(ConfigMap, Key(namespace, "m0")) is None
                again = await api.create(ConfigMap, config_map("m0", namespace))
                assert await cache.caught_up(ConfigMap, again.key)
                assert cache.get(ConfigMap, again.key).uid == again.uid
                statistics = cache.informers[0].statistics()
                assert (statistics.barrier_timeouts, statistics.barrier_incomparable) == (0, 0)


async def _equals(found, expected):
    return await found() == expected


async def _gone(api, key):
    try:
        await api.get(CustomResourceDefinition, key)
    except NotFound:
        return True
    return False


async def _created(api, resource, body):
    try:
        await api.create(resource, body)
    except NotFound:
        return False
    return True
