"""One function makes an object right: created, patched with what differs, or left alone."""

import copy
import logging
from types import SimpleNamespace

import msgspec
import pytest

from windlass.controller.errors import ControllerError
from windlass.controller.upserts import Operation, Target, create_or_patch, merge_patch
from windlass.informers.builtins import ConfigMap, Pod
from windlass.informers.errors import AlreadyExists, Conflict, NotFound
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.requests import PatchType

KEY = Key("ns", "a")
CONFIG = Target(ConfigMap, KEY)


def apply_merge(target, patch):
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply_merge(result.get(name) or {}, value) if isinstance(value, dict) else value
    return result


class FakeApi:
    """One object, with a version, a status subresource, and defaults that it fills in. `meanwhile` is other writers."""

    client = SimpleNamespace(dry_run=False)

    def __init__(self, body=None, *, defaults=lambda body: None):
        self.body = None
        self.version = 0
        self.requests = []
        self.meanwhile = []
        self.defaults = defaults
        if body is not None:
            self.store(body)

    def store(self, body):
        self.version += 1
        body = copy.deepcopy(body)
        self.defaults(body)
        base = {"apiVersion": "v1", "kind": "ConfigMap", **body}
        base["metadata"] = {"uid": "u", **base.get("metadata", {}), "name": "a", "namespace": "ns"}
        base["metadata"]["resourceVersion"] = str(self.version)
        self.body = base
        return self.object

    @property
    def object(self):
        return Object.parse(msgspec.json.encode(self.body))

    def writes(self):
        return [request for request in self.requests if request[0] != "get"]

    async def get(self, kind, key):
        self.requests.append(("get",))
        if self.body is None:
            raise NotFound(404, "NotFound", "nothing there")
        return self.object

    async def create(self, kind, body):
        self.requests.append(("create", body))
        if self.meanwhile:
            self.meanwhile.pop(0)()
        if self.body is not None:
            raise AlreadyExists(409, "AlreadyExists", "there is one")
        return self.store({name: value for name, value in body.items() if name != "status"})

    async def patch(self, kind, key, patch, *, type, subresource=None, field_manager=None):  # noqa: A002
        assert type is PatchType.MERGE
        self.requests.append(("patch", subresource, patch))
        if self.meanwhile:
            self.meanwhile.pop(0)()
        if self.body is None:
            raise NotFound(404, "NotFound", "nothing there")
        if patch["metadata"]["resourceVersion"] != self.body["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", "older than what is there")
        kept = {"status"} if subresource else set(patch) - {"status"}
        return self.store(apply_merge(self.body, {name: patch[name] for name in patch if name in kept}))


def put(**data):
    def mutate(body):
        body.setdefault("data", {}).update(data)

    return mutate


async def test_what_is_not_there_is_created_with_its_name_and_namespace():
    api = FakeApi()
    done = await create_or_patch(api, CONFIG, put(text="hello"))
    assert done.operation is Operation.CREATED
    assert api.writes() == [
        (
            "create",
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "a", "namespace": "ns"},
                "data": {"text": "hello"},
            },
        )
    ]
    assert done.object.resource_version == "1"


async def test_what_is_right_already_is_not_written():
    """P13."""
    api = FakeApi({"data": {"text": "hello", "other": "stays"}})
    done = await create_or_patch(api, CONFIG, put(text="hello"))
    assert (done.operation, api.writes()) == (Operation.UNCHANGED, [])


async def test_what_the_cache_holds_saves_the_read():
    api = FakeApi({"data": {"text": "hello"}})
    await create_or_patch(api, Target(ConfigMap, KEY, api.object), put(text="hello"))
    assert api.requests == []


async def test_only_what_differs_is_sent_with_the_version_it_was_computed_from():
    """P13, F6."""
    api = FakeApi({"data": {"text": "hello", "other": "stays", "old": "goes"}})

    def mutate(body):
        body["data"]["text"] = "goodbye"
        body["data"].pop("old", None)

    done = await create_or_patch(api, CONFIG, mutate)
    assert done.operation is Operation.PATCHED
    assert api.writes() == [
        ("patch", None, {"data": {"text": "goodbye", "old": None}, "metadata": {"resourceVersion": "1"}})
    ]
    assert done.object.to_dict()["data"] == {"text": "goodbye", "other": "stays"}


async def test_defaults_that_the_server_fills_in_are_no_difference_at_the_next_run():
    """P13: the trap of comparing what is wanted with what is there."""

    def defaults(body):
        body.setdefault("spec", {}).setdefault("restartPolicy", "Always")

    def mutate(body):
        body.setdefault("spec", {})["nodeName"] = "n1"

    api = FakeApi(defaults=defaults)
    await create_or_patch(api, CONFIG, mutate)
    done = await create_or_patch(api, CONFIG, mutate)
    assert done.operation is Operation.UNCHANGED
    assert done.object.to_dict()["spec"] == {"nodeName": "n1", "restartPolicy": "Always"}


async def test_a_function_that_fights_the_servers_defaults_is_named_in_the_log(caplog):
    """P13: it would write at every run."""

    def defaults(body):
        for container in body.get("spec", {}).get("containers", ()):
            container.setdefault("imagePullPolicy", "Always")

    def mutate(body):
        body.setdefault("spec", {})["containers"] = [{"name": "c"}]

    api = FakeApi({"spec": {"containers": []}}, defaults=defaults)
    with caplog.at_level(logging.WARNING):
        await create_or_patch(api, CONFIG, mutate)
    assert [record.getMessage() for record in caplog.records] == [
        "configmaps.v1 ns/a: mutate never finds spec.containers as it wants it"
    ]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (lambda body: body["metadata"].update(name="b"), "'name': 'b'"),
        (lambda body: body["metadata"].update(namespace="other"), "'namespace': 'other'"),
        (lambda body: body["metadata"].pop("namespace"), "'name': 'a'}"),
        (lambda body: body.update(kind="Secret"), "'kind': 'Secret'"),
        (lambda body: body.update(apiVersion="v2"), "'apiVersion': 'v2'"),
    ],
    ids=["name", "namespace", "no namespace", "kind", "apiVersion"],
)
@pytest.mark.parametrize("there", [True, False], ids=["there", "not there"])
async def test_a_function_that_makes_another_object_of_it_is_refused_before_anything_is_sent(there, change, shown):
    """P14."""
    api = FakeApi({"data": {}} if there else None)
    with pytest.raises(ControllerError, match="mutate made another object") as caught:
        await create_or_patch(api, CONFIG, change)
    assert str(caught.value).endswith(shown) or shown in str(caught.value).partition(" became ")[2]
    assert api.writes() == []


async def test_the_status_goes_in_a_request_of_its_own():
    """F7: sent with the rest it would be dropped without a word."""
    api = FakeApi({"spec": {"replicas": 1}, "status": {"phase": "Old"}})

    def mutate(body):
        body["spec"]["replicas"] = 2
        body["status"]["phase"] = "New"

    await create_or_patch(api, Target(Pod, KEY), mutate)
    assert api.writes() == [
        ("patch", None, {"spec": {"replicas": 2}, "metadata": {"resourceVersion": "1"}}),
        ("patch", "status", {"status": {"phase": "New"}, "metadata": {"resourceVersion": "2"}}),
    ]


async def test_a_status_alone_is_one_request_and_a_new_objects_status_follows_its_creation():
    """F7."""
    api = FakeApi()

    def mutate(body):
        body["status"] = {"phase": "New"}

    done = await create_or_patch(api, CONFIG, mutate)
    assert [request[0] for request in api.writes()] == ["create", "patch"]
    assert done.operation is Operation.CREATED
    assert done.object.to_dict()["status"] == {"phase": "New"}
    api.body["status"] = {"phase": "Old"}
    api.requests.clear()
    await create_or_patch(api, CONFIG, mutate)
    assert [request[:2] for request in api.writes()] == [("patch", "status")]


async def test_another_writer_is_noticed_and_the_function_is_asked_again():
    api = FakeApi({"data": {"count": "1"}})
    api.meanwhile = [lambda: api.store({"data": {"count": "5", "theirs": "kept"}})]

    def mutate(body):
        body["data"]["count"] = str(int(body["data"]["count"]) + 1)

    done = await create_or_patch(api, Target(ConfigMap, KEY, api.object), mutate)
    assert done.object.to_dict()["data"] == {"count": "6", "theirs": "kept"}


async def test_an_object_created_by_another_meanwhile_is_patched():
    api = FakeApi()
    api.meanwhile = [lambda: api.store({"data": {"theirs": "kept"}})]
    done = await create_or_patch(api, CONFIG, put(ours="too"))
    assert done.operation is Operation.PATCHED
    assert done.object.to_dict()["data"] == {"theirs": "kept", "ours": "too"}


async def test_an_object_that_only_the_cache_still_has_is_created():
    api = FakeApi({"data": {}})
    cached, api.body = api.object, None
    done = await create_or_patch(api, Target(ConfigMap, KEY, cached), put(text="hello"))
    assert done.operation is Operation.CREATED


async def test_a_fight_that_does_not_end_is_a_conflict():
    api = FakeApi({"data": {}})
    api.meanwhile = [lambda: api.store({"data": {}})] * 50
    with pytest.raises(Conflict):
        await create_or_patch(api, CONFIG, put(text="hello"))
    assert len(api.writes()) == 5


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {}, {"a": None}),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({}, {"a": None}, {}),
        ({"a": None}, {}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
        ({"a": {"b": 1}}, {"a": 3}, {"a": 3}),
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, {"a": [1, 2, 3]}),
        ({"a": True}, {"a": 1}, {"a": 1}),
        ({"a": {"b": {}}}, {"a": {"b": {}}}, {}),
        ({}, {"a": {}}, {"a": {}}),
    ],
)
def test_a_merge_patch_holds_what_differs_and_no_more(before, after, patch):
    assert merge_patch(before, after) == patch
