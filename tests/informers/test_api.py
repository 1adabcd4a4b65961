"""The Api's own decisions, with a client that answers what it is told; the conformance suite has the real answers."""

import asyncio
import json
from contextlib import contextmanager

import attrs
import pytest

from windlass.informers.api import Api
from windlass.informers.builtins import ConfigMap, Pod
from windlass.informers.client import Response
from windlass.informers.cluster import Cluster
from windlass.informers.errors import Gone, NotFound, ProtocolError
from windlass.informers.keys import Key
from windlass.informers.requests import PatchType, WriteOptions
from windlass.informers.resources import Resource
from windlass.informers.typed import CustomResource, ObjectMeta

A = Key("ns", "a")
WIDGET = Resource("ex.dev", "v1", "Widget", "widgets")


def config_map(name="a", version="5", **metadata):
    return {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "ns", "uid": "u", "resourceVersion": version, **metadata},
    }


class Scripted:
    """A client that gives these answers in turn and keeps the requests."""

    cluster = Cluster("http://scripted")
    dry_run = False

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    async def send(self, request, *, retries=None):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode() + b"\n"
        return Response(200, {}, body)

    @property
    def body(self):
        return json.loads(self.requests[-1].body)


class Observer:
    """What was reported of each write, between its beginning and its end."""

    def __init__(self):
        self.log = []

    @contextmanager
    def writing(self, resource, key):
        self.log.append(f"begin {key}")
        try:
            yield self
        finally:
            self.log.append("end")

    def wrote(self, written):
        self.log.append(f"wrote {written.key} {written.resource_version}")

    def deleting(self, uid):
        self.log.append(f"deleting {uid}")


def observed(*answers):
    observer = Observer()
    return Api(Scripted(*answers), observer=observer), observer


async def test_every_write_is_reported_before_it_is_sent_and_after_its_answer():
    api, observer = observed(config_map(), config_map(version="6"), config_map(version="7"), config_map(version="8"))
    await api.create(ConfigMap, config_map())
    await api.replace(ConfigMap, config_map())
    await api.patch(ConfigMap, A, {})
    await api.apply(ConfigMap, config_map(), field_manager="me")

    assert observer.log == [line for version in "5678" for line in ("begin ns/a", f"wrote ns/a {version}", "end")]


async def test_a_write_that_fails_is_reported_as_over():
    api, observer = observed(NotFound(404, "NotFound", "no"))
    with pytest.raises(NotFound):
        await api.patch(ConfigMap, A, {})

    assert observer.log == ["begin ns/a", "end"]


async def test_what_changes_nothing_is_not_reported():
    """A dry run's answer has a version that never comes; a subresource's own answer has none."""
    api, observer = observed(config_map(), config_map(), {"kind": "Status"}, {"kind": "Status", "metadata": {}})
    await api.patch(ConfigMap, A, {}, dry_run=True)
    await api.create(ConfigMap, config_map(), options=WriteOptions(dry_run=True))
    await api.delete(ConfigMap, A, dry_run=True)
    evicted = await api.create(Pod, {"metadata": {"name": "a"}}, namespace="ns", name="a", subresource="eviction")

    assert evicted.kind == "Status"
    assert observer.log == []


async def test_only_a_subresource_may_answer_with_another_kind():
    scale = {**config_map(), "kind": "Scale", "spec": {"replicas": 2}}
    api, observer = observed(scale, scale, scale)

    assert (await api.get(ConfigMap, A, subresource="scale")).kind == "Scale"
    await api.patch(ConfigMap, A, {"spec": {"replicas": 2}}, subresource="scale")
    assert observer.log == ["begin ns/a", "wrote ns/a 5", "end"], "its version is that of the object"
    with pytest.raises(ProtocolError, match="expected an object of kind ConfigMap, found Scale"):
        await api.get(ConfigMap, A)


async def test_a_generated_name_is_reported_under_the_name_it_got():
    api, observer = observed(config_map("a-x7k2p"))
    await api.create(ConfigMap, {"metadata": {"generateName": "a-", "namespace": "ns"}})

    assert observer.log == ["begin ns/", "wrote ns/a-x7k2p 5", "end"]


@pytest.mark.parametrize(
    ("answer", "reported", "held"),
    [
        ({"kind": "Status", "details": {"uid": "u1"}}, "deleting u1", False),
        (config_map(), "deleting u", False),
        (config_map(finalizers=["x"]), "wrote ns/a 5", True),
        (config_map(deletionTimestamp="2026-01-01T00:00:00Z"), "wrote ns/a 5", True),
    ],
    ids=["status", "the object it was", "held by a finalizer", "going"],
)
async def test_a_delete_is_awaited_by_uid_unless_something_holds_the_object(answer, reported, held):
    """F9, D-01, D-02."""
    api, observer = observed(answer)
    found = await api.delete(ConfigMap, A)

    assert observer.log == ["begin ns/a", reported, "end"]
    assert (found is not None) is held


async def test_the_uid_of_a_delete_is_the_callers_where_the_answer_names_none():
    api, observer = observed({"kind": "Status"}, {"kind": "Status"})
    await api.delete(ConfigMap, A, uid="mine")
    await api.delete(ConfigMap, A)

    assert observer.log == ["begin ns/a", "deleting mine", "end", "begin ns/a", "end"]


async def test_an_apply_says_of_what_kind_it_is():
    """P-07."""
    client = Scripted(config_map())
    await Api(client).apply(ConfigMap, {"metadata": {"name": "a", "namespace": "ns"}}, field_manager="me")

    assert (client.body["kind"], client.body["apiVersion"]) == ("ConfigMap", "v1")
    assert client.requests[0].target.endswith("/configmaps/a?fieldManager=me&force=true")


async def test_a_typed_body_is_written_as_the_api_writes_it():
    @attrs.frozen
    class Widget(CustomResource):
        __windlass_resource__ = WIDGET

        size_max: int

    client = Scripted({**config_map(), "kind": "Widget"})
    await Api(client).create(Widget, Widget(3, metadata=ObjectMeta("a", "ns")))

    assert client.body == {
        "apiVersion": "ex.dev/v1",
        "kind": "Widget",
        "metadata": {"name": "a", "namespace": "ns"},
        "sizeMax": 3,
    }
    assert client.requests[0].path == "/apis/ex.dev/v1/namespaces/ns/widgets"


async def test_a_body_without_a_name_cannot_be_replaced():
    with pytest.raises(ValueError, match=r"must carry metadata\.name, found metadata \{'namespace': 'ns'\}"):
        await Api(Scripted()).replace(ConfigMap, {"metadata": {"namespace": "ns"}})


async def test_a_json_patch_is_a_list():
    client = Scripted(config_map())
    operations = [{"op": "test", "path": "/data", "value": {}}]
    await Api(client).patch(ConfigMap, A, operations, type=PatchType.JSON, subresource="status", field_manager="me")

    assert client.body == operations
    assert client.requests[0].target.endswith("/configmaps/a/status?fieldManager=me")


def page(names, token=""):
    items = [{"metadata": {"name": name, "namespace": "ns"}} for name in names]
    return {"kind": "ConfigMapList", "metadata": {"resourceVersion": "9", "continue": token}, "items": items}


async def test_a_list_is_read_to_its_last_page():
    client = Scripted(page("ab", "t1"), page("cd", "t2"), page("e"))
    found = await Api(client).list(ConfigMap, namespace="ns", limit=2)

    assert [one.name for one in found.items] == list("abcde")
    assert found.resource_version == "9"
    assert [dict(request.query).get("continue") for request in client.requests] == [None, "t1", "t2"]


async def test_others_run_while_a_long_list_is_read():
    """A4."""
    items = [{"metadata": {"name": f"m{index}", "namespace": "ns"}, "data": {"x": "y" * 1000}} for index in range(5000)]
    answer = {"kind": "ConfigMapList", "metadata": {"resourceVersion": "9"}, "items": items}
    body = json.dumps(answer, separators=(",", ":")).encode()
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    found = await Api(Scripted(body)).list(ConfigMap)
    counting.cancel()

    assert [one.name for one in found.items] == [f"m{index}" for index in range(5000)]
    assert turns >= len(body) // 2**18


async def test_a_list_without_items_is_empty():
    answer = {"kind": "ConfigMapList", "metadata": {"resourceVersion": "9"}, "items": None}

    assert (await Api(Scripted(answer)).list(ConfigMap)).items == []


async def test_a_snapshot_that_is_forgotten_between_pages_is_told():
    api = Api(Scripted(page("ab", "t1"), Gone(410, "Expired", "too old")))
    with pytest.raises(Gone):
        await api.list(ConfigMap, limit=2)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"items": 1}'])
async def test_an_answer_that_is_none_is_quoted(body):
    with pytest.raises(ProtocolError):
        await Api(Scripted(body)).get(ConfigMap, A)
    with pytest.raises(ProtocolError, match="list configmaps"):
        await Api(Scripted(body)).list(ConfigMap)


async def test_the_servers_version():
    api = Api(Scripted({"gitVersion": "v1.34.1"}))

    assert await api.server_version() == "v1.34.1"
    assert repr(api) == "<Api http://scripted>"
