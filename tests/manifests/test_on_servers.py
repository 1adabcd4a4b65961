"""A generated definition is established by the servers, and they then default, prune and refuse as its schema says."""

import asyncio
import contextlib
import re
import uuid
from pathlib import Path

import pytest
import yaml
from servers import EVERY_SERVER, open_server

from windlass.informers import Api, Client, Cluster, Key, Resource
from windlass.informers.builtins import CustomResourceDefinition, Namespace
from windlass.informers.errors import AlreadyExists, Invalid, NotFound
from windlass.informers.requests import WriteOptions
from windlass.manifests import faults

GOLDEN = Path(__file__).with_name("golden") / "windlass.example.com_richdatabases.yaml"
DEFINITION = yaml.safe_load(GOLDEN.read_text())
SCHEMA = DEFINITION["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
RESOURCE = Resource("windlass.example.com", "v1", "RichDatabase", "richdatabases")

PORT = {"name": "sql", "target": 5432, "protocol": "TCP"}
STORAGE = {"requested": 2, "limit": 100, "classes": []}
DEFAULTS = {
    "version": "14",
    "replicas": 1,
    "tier": "silver",
    "ports": [PORT],
    "storage": STORAGE,
    "labels": {},
    "endpoint": [],
    "y": False,
}
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "side"}, "spec": {"containers": []}, "more": 1}


# What is asked for besides the version, and what is stored instead of the defaults.
ACCEPTED = [
    pytest.param({}, {}, id="defaults alone"),
    pytest.param({"replicas": None}, {}, id="null where there is a default"),
    pytest.param({"ports": [{"name": "web"}]}, {"ports": [{**PORT, "name": "web"}]}, id="defaults inside items"),
    pytest.param({"ports": [{**PORT, "target": "pg"}]}, {"ports": [{**PORT, "target": "pg"}]}, id="int or string"),
    pytest.param({"storage": {}}, {}, id="defaults inside an object"),
    pytest.param(
        {"storage": {"requested": 4, "speed": 1}}, {"storage": {**STORAGE, "requested": 4}}, id="pruned within"
    ),
    pytest.param({"colour": "red"}, {}, id="pruned"),
    pytest.param({"tuning": {"other": [1]}}, {"tuning": {"cacheRatio": 0.5, "other": [1]}}, id="kept and defaulted"),
    pytest.param({"pausedUntil": None}, {"pausedUntil": None}, id="nullable"),
    pytest.param({"onFailure": "Stop"}, {"onFailure": "Stop"}, id="enum"),
    pytest.param({"pausedUntil": "2026-01-01T00:00:00Z"}, {"pausedUntil": "2026-01-01T00:00:00Z"}, id="date-time"),
    pytest.param({"nodeIP": "10.0.0.1"}, {"nodeIP": "10.0.0.1"}, id="ipv4"),
    pytest.param({"notes": {"a": [1, {}]}}, {"notes": {"a": [1, {}]}}, id="anything"),
    pytest.param({"sidecar": POD}, {"sidecar": POD}, id="embedded resource"),
    pytest.param({"labels": {"a": "b"}}, {"labels": {"a": "b"}}, id="mapping"),
    pytest.param({"endpoint": ["a", "a"]}, {"endpoint": ["a", "a"]}, id="atomic list"),
    pytest.param({"y": True}, {"y": True}, id="a field called y"),
]

# What is asked for, and the field that the refusal names.
REFUSED = [
    pytest.param({"version": "17"}, "spec.version", id="enum"),
    pytest.param({"version": 14}, "spec.version", id="number for a string"),
    pytest.param({"replicas": 0}, "spec.replicas", id="minimum"),
    pytest.param({"replicas": 11}, "spec.replicas", id="maximum"),
    pytest.param({"replicas": "3"}, "spec.replicas", id="string for a number"),
    pytest.param({"replicas": 1.5}, "spec.replicas", id="fraction"),
    pytest.param({"tier": "bronze"}, "spec.tier", id="StrEnum"),
    pytest.param({"ports": []}, "spec.ports", id="too few items"),
    pytest.param({"ports": [PORT, PORT]}, "spec.ports[1]", id="duplicate key"),
    pytest.param({"ports": [{"target": 1}]}, "spec.ports[0].name", id="key missing"),
    pytest.param({"ports": [{"name": "Bad"}]}, "spec.ports[0].name", id="pattern"),
    pytest.param({"ports": [{"name": "a" * 16}]}, "spec.ports[0].name", id="too long"),
    pytest.param({"ports": [{"name": "a", "target": 1.5}]}, "spec.ports[0].target", id="neither int nor string"),
    pytest.param({"storage": {"requested": 3}}, "spec.storage.requested", id="no multiple"),
    pytest.param({"storage": {"classes": ["a", "a"]}}, "spec.storage.classes[1]", id="duplicate in a set"),
    pytest.param({"storage": 5}, "spec.storage", id="number for an object"),
    pytest.param({"labels": {str(n): "" for n in range(5)}}, "spec.labels", id="too many entries"),
    pytest.param({"labels": {"a": 1}}, "spec.labels.a", id="number in a mapping"),
    pytest.param({"tuning": {"cacheRatio": 0}}, "spec.tuning.cacheRatio", id="exclusive minimum"),
    pytest.param({"tuning": {"cacheRatio": 1.5}}, "spec.tuning.cacheRatio", id="maximum of a fraction"),
    pytest.param({"onFailure": "Explode"}, "spec.onFailure", id="optional enum"),
    pytest.param({"endpoint": "here"}, "spec.endpoint", id="string for a list"),
    pytest.param({"y": "true"}, "spec.y", id="string for a boolean"),
    pytest.param({"nodeIP": "300.1.1.1"}, "spec.nodeIP", id="no ipv4"),
    pytest.param({"pausedUntil": "yesterday"}, "spec.pausedUntil", id="no date-time"),
]


def names_of(field, kind):
    """What a server may call the field: 1.20 leaves the index out, except where two items clash."""
    return {field} if kind == "embedded" else {field, re.sub(r"\[\d+\]", "", field)}


def asked(spec):
    return {"version": "14", **spec}


@contextlib.asynccontextmanager
async def installed(kind):
    """A server that serves the kind, and a namespace of this test's own in it."""
    async with open_server(kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        with contextlib.suppress(AlreadyExists):
            await api.create(CustomResourceDefinition, DEFINITION)
        await established(api)
        namespace = f"manifests-{uuid.uuid4().hex[:8]}"
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        yield api, namespace


async def established(api):
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(NotFound):
                await api.list(RESOURCE)
                return
            await asyncio.sleep(0.1)


async def create(api, namespace, spec, *, name="thing", dry_run=True):
    body = {
        "apiVersion": RESOURCE.api_version,
        "kind": RESOURCE.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    return (await api.create(RESOURCE, body, options=WriteOptions(dry_run=dry_run))).to_dict()


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("kind", EVERY_SERVER)
async def test_the_definition_is_accepted_and_established(kind):
    async with installed(kind) as (api, _):
        stored = (await api.get(CustomResourceDefinition, Key("", DEFINITION["metadata"]["name"]))).to_dict()

    statuses = {condition["type"]: condition["status"] for condition in stored["status"]["conditions"]}
    assert statuses["Established"] == "True"
    assert statuses["NamesAccepted"] == "True"
    assert "NonStructuralSchema" not in statuses
    assert stored["status"]["acceptedNames"]["shortNames"] == ["rdb"]


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("kind", EVERY_SERVER)
async def test_good_objects_are_defaulted_and_pruned_as_the_schema_says(kind):
    wrong = {}
    async with installed(kind) as (api, namespace):
        for case in ACCEPTED:
            spec, differing = case.values
            stored = (await create(api, namespace, asked(spec)))["spec"]
            if stored != {**DEFAULTS, **differing}:
                wrong[case.id] = stored

    assert wrong == {}


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("kind", EVERY_SERVER)
async def test_bad_objects_are_refused_with_the_field_named(kind):
    wrong = {}
    async with installed(kind) as (api, namespace):
        for case in REFUSED:
            spec, field = case.values
            try:
                wrong[case.id] = await create(api, namespace, asked(spec))
            except Invalid as refusal:
                named = {cause.field for cause in refusal.causes}
                if named.isdisjoint(names_of(field, kind)):
                    wrong[case.id] = named

    assert wrong == {}


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("kind", EVERY_SERVER)
async def test_an_object_without_a_version_is_refused(kind):
    async with installed(kind) as (api, namespace):
        with pytest.raises(Invalid, match=r"spec\.version: Required value"):
            await create(api, namespace, {})


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("kind", EVERY_SERVER)
async def test_s12_an_embedded_resource_has_a_kind(kind):
    async with installed(kind) as (api, namespace):
        with pytest.raises(Invalid, match=r"spec\.sidecar\.kind: Required value"):
            await create(api, namespace, asked({"sidecar": {"apiVersion": "v1", "metadata": {}}}))


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("kind", EVERY_SERVER)
async def test_the_status_is_written_through_its_subresource_alone_and_has_no_defaults(kind):
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Serving",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    async with installed(kind) as (api, namespace):
        stored = await create(api, namespace, asked({}), name="written", dry_run=False)
        assert "status" not in stored
        key = Key(namespace, "written")
        wanted = {"status": {"phase": "Ready", "conditions": [condition]}}
        after = (await api.patch(RESOURCE, key, wanted, subresource="status")).to_dict()
        with pytest.raises(Invalid, match="readyReplicas"):
            await api.patch(RESOURCE, key, {"status": {"readyReplicas": -1}}, subresource="status")
        bad = {"status": {"conditions": [{**condition, "status": "Maybe"}]}}
        with pytest.raises(Invalid, match=r"status\.conditions(\[0\])?\.status: Unsupported value"):
            await api.patch(RESOURCE, key, bad, subresource="status")

    assert after["status"] == wanted["status"]


@pytest.mark.parametrize(("spec", "field"), REFUSED)
def test_our_own_check_refuses_what_the_servers_refuse(spec, field):
    assert any(fault.startswith(f"$.{field}: ") for fault in faults({"spec": asked(spec)}, SCHEMA))


@pytest.mark.parametrize(("_", "stored"), ACCEPTED)
def test_our_own_check_accepts_what_the_servers_store(_, stored):
    assert faults({"spec": {**DEFAULTS, **stored}}, SCHEMA) == []
