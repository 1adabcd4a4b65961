"""What a reconciler can do, over a server of a dozen lines that applies what it is sent."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace

import attrs
import msgspec
import pytest

from windlass.controller.context import Context, Services
from windlass.controller.errors import KindNotRegistered, OwnerError
from windlass.controller.journal import JournalFile
from windlass.controller.request import Request
from windlass.controller.scheme import Scheme
from windlass.informers.builtins import ConfigMap, Pod
from windlass.informers.errors import AlreadyExists, Conflict, Invalid, NotFound, UnregisteredKind
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.requests import PatchType
from windlass.informers.typed import CustomResource
from windlass.manifests.kinds import kind
from windlass.statemachine.conditions import Condition
from windlass.statemachine.journal import digest

NOW = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)
FINALIZER = "example.com/mine"


@attrs.frozen
class LampSpec:
    watts: int = 5


@attrs.frozen
class LampStatus:
    phase: str = "Dark"
    lit_seconds: int | None = None
    rooms: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()


@kind("example.com/v1")
@attrs.frozen
class Lamp(CustomResource):
    spec: LampSpec = LampSpec()
    status: LampStatus = LampStatus()


LAMP = Lamp.__windlass_resource__


def merge(target, patch):
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            result[name] = merge(result.get(name) or {}, value)
        else:
            result[name] = value
    return result


class FakeServer:
    """Objects as dicts by (plural, key); both the API and the cache of a context. `before` runs before each patch."""

    def __init__(self):
        self.objects = {}
        self.version = 100
        self.requests = []
        self.before = []
        self.hidden = set()
        self.client = SimpleNamespace(dry_run=False)

    def put(self, resource, body):
        self.version += 1
        body = msgspec.json.decode(msgspec.json.encode(body))
        metadata = body["metadata"]
        metadata.setdefault("uid", f"uid-{metadata['name']}")
        metadata["resourceVersion"] = str(self.version)
        self.objects[resource, Key(metadata.get("namespace", ""), metadata["name"])] = body
        return self._object(body)

    @staticmethod
    def _object(body):
        return Object.parse(msgspec.json.encode(body))

    def _find(self, resource, key):
        if (resource, key) not in self.objects:
            raise NotFound(404, "NotFound", f"{resource} {key}")
        return self.objects[resource, key]

    # As the cache.

    def cached(self, kind, key):
        resource = getattr(kind, "__windlass_resource__", kind)
        if resource in self.hidden:
            raise UnregisteredKind(f"{resource} is not cached")
        found = self.objects.get((resource, key))
        return None if found is None else self._object(found)

    def cached_list(self, kind, *, namespace=None, owner_uid=None):
        resource = getattr(kind, "__windlass_resource__", kind)
        found = [self._object(body) for (one, _), body in self.objects.items() if one == resource]
        return [
            obj
            for obj in found
            if namespace in (None, obj.namespace)
            and (owner_uid is None or owner_uid in [reference.uid for reference in obj.owner_references])
        ]

    # As the API.

    async def get(self, resource, key):
        self.requests.append(("get", key))
        return self._object(self._find(resource, key))

    async def create(self, resource, body):
        key = Key(body["metadata"].get("namespace", ""), body["metadata"]["name"])
        if (resource, key) in self.objects:
            raise AlreadyExists(409, "AlreadyExists", str(key))
        self.requests.append(("create", body))
        return self.put(resource, body)

    async def apply(self, resource, body, *, field_manager):
        self.requests.append(("apply", body, field_manager))
        return self.put(resource, body)

    async def delete(self, kind, key, *, uid=None, resource_version=None):
        resource = getattr(kind, "__windlass_resource__", kind)
        found = self._find(resource, key)
        if uid not in (None, found["metadata"]["uid"]):
            raise Conflict(409, "Conflict", "the uid is another")
        if resource_version not in (None, found["metadata"]["resourceVersion"]):
            raise Conflict(409, "Conflict", "the version is another")
        del self.objects[resource, key]

    async def patch(self, resource, key, patch, *, type, subresource=None, field_manager=None):  # noqa: A002
        self.requests.append(("patch", patch, subresource))
        if self.before:
            self.before.pop(0)()
        body = self._find(resource, key)
        if type is PatchType.MERGE:
            if patch["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
                raise Conflict(409, "Conflict", "the object has been modified")
            return self.put(resource, merge(body, {"status": patch["status"]}))
        return self.put(resource, self._json_patch(body, patch))

    @staticmethod
    def _json_patch(body, patch):
        metadata = body["metadata"]
        finalizers = list(metadata.get("finalizers", []))
        for step in patch:
            last = step["path"].rpartition("/")[2]
            actual = {"resourceVersion": metadata["resourceVersion"], "finalizers": finalizers}.get(last)
            if step["op"] == "test":
                if last.isdigit():
                    actual = finalizers[int(last)] if int(last) < len(finalizers) else None
                if actual != step["value"]:
                    raise Invalid(422, "Invalid", "the test failed")
            elif step["op"] == "remove":
                del finalizers[int(last)]
            elif last == "-":
                finalizers.append(step["value"])
            else:
                finalizers = step["value"]
        return {**body, "metadata": {**metadata, "finalizers": finalizers}}


def context(server):
    cache = SimpleNamespace(get=server.cached, list=server.cached_list)
    services = Services(cache, Scheme([Lamp]), SimpleNamespace(), "tests", lambda: NOW)
    return Context(Request(Key("ns", "a"), "test", "run-1"), SimpleNamespace(), server, services)


def lamp(server, *, status=None, **metadata):
    body = {
        "apiVersion": "example.com/v1",
        "kind": "Lamp",
        "metadata": {"name": "a", "namespace": "ns", **metadata},
        "spec": {"watts": 5},
        **({"status": status} if status is not None else {}),
    }
    return server.put(LAMP, body)


def status_in(server):
    return server.objects[LAMP, Key("ns", "a")].get("status")


KEY = Key("ns", "a")
BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "v"}}


async def test_reading_a_class_gives_an_instance_and_a_resource_an_object():
    server = FakeServer()
    lamp(server)
    ctx = context(server)
    assert isinstance(await ctx.get(Lamp, KEY), Lamp)
    assert isinstance(await ctx.get(LAMP, KEY), Object)
    assert await ctx.get(Lamp, Key("ns", "gone")) is None
    assert [type(one) for one in await ctx.list(Lamp)] == [Lamp]
    assert [type(one) for one in await ctx.list(LAMP, namespace="ns")] == [Object]
    assert await ctx.list(Lamp, namespace="other") == []


async def test_reading_a_kind_that_nobody_watches_is_an_error_not_a_watch():
    server = FakeServer()
    server.hidden.add(Pod)
    with pytest.raises(UnregisteredKind):
        await context(server).get(Pod, KEY)


async def test_applying_with_an_owner_makes_it_the_controller_and_its_namespace_the_default():
    server = FakeServer()
    lamp(server)
    ctx = context(server)
    owner = await ctx.get(Lamp, KEY)
    await ctx.apply(BODY, owner=owner)
    ((_, sent, manager),) = server.requests
    assert manager == "tests"
    assert sent["metadata"]["namespace"] == "ns"
    assert sent["metadata"]["ownerReferences"][0]["uid"] == "uid-a"
    assert [one.name for one in await ctx.list(ConfigMap, owner=owner)] == ["c"]


async def test_creating_with_an_owner_does_the_same_and_fails_where_there_is_one():
    server = FakeServer()
    ctx = context(server)
    owner = lamp(server)
    created = await ctx.create(BODY, owner=owner)
    assert created.owner_references[0].controller is True
    with pytest.raises(AlreadyExists):
        await ctx.create(BODY, owner=owner)


async def test_an_owner_that_was_never_created_is_refused_before_anything_is_sent():
    server = FakeServer()
    with pytest.raises(OwnerError):
        await context(server).apply(BODY, owner=Lamp())
    assert server.requests == []


async def test_writing_a_kind_that_was_not_registered_is_an_error_that_names_it():
    with pytest.raises(KindNotRegistered, match="Widget"):
        await context(FakeServer()).apply({"apiVersion": "x/v1", "kind": "Widget", "metadata": {"name": "w"}})


async def test_deleting_says_whether_there_was_anything_and_minds_uid_and_version():
    server = FakeServer()
    lamp(server)
    ctx = context(server)
    with pytest.raises(Conflict):
        await ctx.delete(Lamp, KEY, uid="another")
    with pytest.raises(Conflict):
        await ctx.delete(Lamp, KEY, uid="uid-a", resource_version="another")
    assert await ctx.delete(Lamp, KEY, uid="uid-a") is True
    assert await ctx.delete(Lamp, KEY) is False


async def test_a_status_write_sends_the_difference_under_json_names():
    """F7: to the status subresource; the main resource would drop it silently."""
    server = FakeServer()
    lamp(server, status={"phase": "Dark", "unknownToTheClass": 1})
    ctx = context(server)
    assert await ctx.status(await ctx.get(Lamp, KEY), phase="Lit", lit_seconds=3, rooms=("hall",)) is True
    ((_, patch, subresource),) = server.requests
    assert patch == {
        "metadata": {"resourceVersion": "101"},
        "status": {"phase": "Lit", "litSeconds": 3, "rooms": ["hall"]},
    }
    assert subresource == "status"
    assert status_in(server)["unknownToTheClass"] == 1


async def test_an_equal_status_is_not_sent():
    """F8."""
    server = FakeServer()
    lamp(server, status={"phase": "Lit", "rooms": ["hall"]})
    ctx = context(server)
    assert await ctx.status(await ctx.get(Lamp, KEY), phase="Lit", rooms=("hall",), lit_seconds=None) is False
    assert server.requests == []


async def test_a_default_of_the_class_that_the_server_does_not_have_is_written():
    server = FakeServer()
    lamp(server)
    ctx = context(server)
    assert await ctx.status(await ctx.get(Lamp, KEY), phase="Dark") is True
    assert status_in(server) == {"phase": "Dark"}


async def test_none_removes_a_field_of_the_status():
    server = FakeServer()
    lamp(server, status={"litSeconds": 3})
    ctx = context(server)
    assert await ctx.status(await ctx.get(Lamp, KEY), lit_seconds=None) is True
    assert status_in(server) == {}


async def test_the_status_of_an_object_is_written_by_its_names_in_json():
    server = FakeServer()
    obj = lamp(server, status={"litSeconds": 3})
    assert await context(server).status(obj, litSeconds=4) is True
    assert status_in(server) == {"litSeconds": 4}


async def test_a_field_that_the_status_does_not_have_is_a_type_error():
    server = FakeServer()
    lamp(server)
    ctx = context(server)
    with pytest.raises(TypeError, match="colour"):
        await ctx.status(await ctx.get(Lamp, KEY), colour="red")


async def test_a_condition_that_stays_true_is_not_written_again():
    """F8."""
    server = FakeServer()
    lamp(server)
    ctx = context(server)
    ready = Condition("Ready", "True", "Lit")
    assert await ctx.status(await ctx.get(Lamp, KEY), conditions=(ready,)) is True
    assert status_in(server)["conditions"][0]["lastTransitionTime"] == "2026-08-01T12:00:00Z"
    later = attrs.evolve(ready, last_transition_time=datetime(2026, 9, 1, tzinfo=UTC))
    assert await ctx.status(await ctx.get(Lamp, KEY), conditions=(later,)) is False


async def test_a_status_computed_from_an_old_object_is_a_conflict():
    server = FakeServer()
    old = lamp(server, status={"phase": "Dark"})
    lamp(server, status={"phase": "Broken"})
    with pytest.raises(Conflict):
        await context(server).status(old, phase="Lit")
    assert status_in(server) == {"phase": "Broken"}


async def test_on_request_a_conflict_is_computed_again_from_the_object_as_it_is():
    server = FakeServer()
    old = lamp(server, status={"phase": "Dark"})
    server.before.append(lambda: lamp(server, status={"phase": "Dark", "litSeconds": 9}))
    assert await context(server).status(old, on_conflict="retry", phase="Lit") is True
    assert status_in(server) == {"phase": "Lit", "litSeconds": 9}


async def test_a_conflict_after_which_nothing_is_left_to_write_writes_nothing():
    server = FakeServer()
    old = lamp(server, status={"phase": "Dark"})
    server.before.append(lambda: lamp(server, status={"phase": "Lit"}))
    assert await context(server).status(old, on_conflict="retry", phase="Lit") is False


async def test_a_fight_over_a_status_ends():
    server = FakeServer()
    old = lamp(server, status={"litSeconds": 0})
    for number in range(10):
        server.before.append(lambda number=number: lamp(server, status={"litSeconds": number}))
    with pytest.raises(Conflict):
        await context(server).status(old, on_conflict="retry", phase="Lit")
    assert len([one for one in server.requests if one[0] == "patch"]) == 5


@pytest.mark.parametrize("on_conflict", ["raise", "retry"])
async def test_the_status_of_an_object_that_is_gone_is_not_written(on_conflict):
    server = FakeServer()
    old = lamp(server, status={})
    server.objects.clear()
    assert await context(server).status(old, on_conflict=on_conflict, phase="Lit") is False


async def test_a_status_is_not_written_to_a_namesake():
    server = FakeServer()
    old = lamp(server, status={})
    server.before.append(lambda: lamp(server, uid="another", status={}))
    assert await context(server).status(old, on_conflict="retry", phase="Lit") is False


async def test_a_status_of_a_kind_that_is_not_cached_is_compared_with_the_instance():
    server = FakeServer()
    instance = lamp(server, status={"phase": "Lit"}).as_(Lamp)
    server.hidden.add(LAMP)
    assert await context(server).status(instance, phase="Lit") is False


async def test_a_status_is_written_to_a_kind_of_which_the_cache_holds_metadata_alone():
    """What is cached is the same version, and of another kind by its text."""
    server = FakeServer()
    instance = lamp(server, status={"phase": "Dark"}).as_(Lamp)
    bare = server._object(
        {**server.objects[LAMP, KEY], "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    )
    server.cached = lambda kind, key: bare
    assert await context(server).status(instance, phase="Lit") is True
    assert status_in(server)["phase"] == "Lit"


async def test_a_transition_that_was_written_is_recorded_and_nothing_else_is(tmp_path):
    server = FakeServer()
    path = tmp_path / "journal.jsonl"
    ctx = context(server)
    ctx.services = attrs.evolve(ctx.services, journal=JournalFile(path), identity="tests-0/1")
    old = lamp(server, uid="uid-a", status={"phase": "Dark", "observedGeneration": 4})

    assert await ctx.status(old, phase="Lit") is True
    assert await ctx.status(await ctx.get(LAMP, KEY), phase="Lit") is False
    assert await ctx.status(await ctx.get(LAMP, KEY), litSeconds=3) is True

    (line,) = path.read_text().splitlines()
    assert msgspec.json.decode(line) == {
        "at": "2026-08-01T12:00:00Z",
        "source": "Dark",
        "target": "Lit",
        "cause": "test",
        "traceId": "run-1",
        "writer": "tests-0/1",
        "versionBefore": old.resource_version,
        "versionAfter": str(int(old.resource_version) + 1),
        "digest": digest({"phase": "Dark", "observedGeneration": 4}),
        "generation": 4,
        "subject": "Lamp ns/a",
        "uid": "uid-a",
    }


async def test_a_dry_run_records_nothing(tmp_path):
    server = FakeServer()
    server.client.dry_run = True
    ctx = context(server)
    ctx.services = attrs.evolve(ctx.services, journal=JournalFile(tmp_path / "journal.jsonl"))

    assert await ctx.status(lamp(server, status={"phase": "Dark"}), phase="Lit") is True
    assert list(tmp_path.iterdir()) == []


async def test_a_journal_that_cannot_be_written_does_not_fail_a_status_that_was(tmp_path, caplog):
    server = FakeServer()
    ctx = context(server)
    ctx.log = logging.LoggerAdapter(logging.getLogger("tests"))
    ctx.services = attrs.evolve(ctx.services, journal=JournalFile(tmp_path / "gone" / "journal.jsonl"))

    assert await ctx.status(lamp(server, status={"phase": "Dark"}), phase="Lit") is True
    assert "Dark → Lit was not recorded in" in caplog.text


async def test_a_retried_status_keeps_the_conditions_that_another_writer_set_meanwhile():
    server = FakeServer()
    theirs, ours = (Condition(name, "True", "Set", last_transition_time=NOW) for name in ("Theirs", "Ours"))
    old = lamp(server, status={"phase": "Dark"}).as_(Lamp)
    written = {
        "type": "Theirs",
        "status": "True",
        "reason": "Set",
        "message": "",
        "lastTransitionTime": "2026-08-01T12:00:00Z",
    }
    server.before.append(lambda: lamp(server, status={"phase": "Dark", "conditions": [written]}))

    assert await context(server).status(old, on_conflict="retry", conditions=(ours,)) is True
    assert [one["type"] for one in status_in(server)["conditions"]] == [theirs.type, ours.type]


async def test_a_finalizer_is_added_once_beside_the_others():
    server = FakeServer()
    ctx = context(server)
    assert await ctx.add_finalizer(lamp(server, finalizers=["other"]), FINALIZER) is True
    assert server.objects[LAMP, KEY]["metadata"]["finalizers"] == ["other", FINALIZER]
    assert await ctx.add_finalizer(await ctx.get(Lamp, KEY), FINALIZER) is False


async def test_a_finalizer_that_another_writer_adds_meanwhile_is_kept():
    """F3, F4."""
    server = FakeServer()
    seen = lamp(server)
    server.before.append(lambda: lamp(server, finalizers=["other"]))
    assert await context(server).add_finalizer(seen, FINALIZER) is True
    assert server.objects[LAMP, KEY]["metadata"]["finalizers"] == ["other", FINALIZER]


async def test_no_finalizer_is_added_to_an_object_being_deleted():
    """F5."""
    server = FakeServer()
    seen = lamp(server, deletionTimestamp="2026-08-01T00:00:00Z")
    assert await context(server).add_finalizer(seen, FINALIZER) is False
    assert server.requests == []


async def test_removing_a_finalizer_that_has_moved_looks_again():
    """F4."""
    server = FakeServer()
    seen = lamp(server, finalizers=["a", FINALIZER])
    server.before.append(lambda: lamp(server, finalizers=[FINALIZER]))
    assert await context(server).remove_finalizer(seen, FINALIZER) is True
    assert server.objects[LAMP, KEY]["metadata"]["finalizers"] == []


async def test_removing_a_finalizer_of_an_object_that_is_gone_is_no_error():
    """F4."""
    server = FakeServer()
    seen = lamp(server, finalizers=[FINALIZER])
    server.objects.clear()
    assert await context(server).remove_finalizer(seen, FINALIZER) is False


async def test_removing_a_finalizer_leaves_a_namesake_alone():
    server = FakeServer()
    seen = lamp(server, finalizers=["a", FINALIZER])
    server.before.append(lambda: lamp(server, uid="another", finalizers=[FINALIZER]))
    assert await context(server).remove_finalizer(seen, FINALIZER) is False
    assert server.objects[LAMP, KEY]["metadata"]["finalizers"] == [FINALIZER]


async def test_a_fight_over_finalizers_ends():
    server = FakeServer()
    seen = lamp(server)
    for number in range(10):
        server.before.append(lambda number=number: lamp(server, finalizers=[f"x/{number}"]))
    with pytest.raises(Invalid):
        await context(server).add_finalizer(seen, FINALIZER)


def test_its_representation_names_key_and_run():
    assert repr(context(FakeServer())) == "<Context ns/a run-1>"


async def test_an_event_goes_to_the_recorder():
    server = FakeServer()
    seen = []
    ctx = context(server)
    recorder = SimpleNamespace(event=lambda obj, **fields: seen.append((obj.name, fields)))
    ctx = attrs.evolve(ctx, services=attrs.evolve(ctx.services, recorder=recorder))
    ctx.event(lamp(server), reason="R", message="m", dedupe="d")
    assert seen == [("a", {"type": "Normal", "reason": "R", "message": "m", "dedupe": "d"})]
    await asyncio.sleep(0)


# Creating or changing.


async def test_create_or_patch_owns_what_it_makes_and_leaves_alone_what_is_right():
    """P13, through the context: the cache is read, so a run that finds nothing to do sends nothing."""
    server = FakeServer()
    lamp = server.put(
        LAMP, {"apiVersion": "example.com/v1", "kind": "Lamp", "metadata": {"name": "a", "namespace": "ns"}}
    )
    ctx = context(server)

    def mutate(body):
        body["data"] = {"text": "hello"}

    first = await ctx.create_or_patch(ConfigMap, Key("ns", "child"), mutate, owner=lamp)
    sent = len(server.requests)
    second = await ctx.create_or_patch(ConfigMap, Key("ns", "child"), mutate, owner=lamp)
    assert [first.operation.value, second.operation.value] == ["created", "unchanged"]
    assert len(server.requests) == sent
    (reference,) = second.object.owner_references
    assert (reference.uid, reference.controller) == (lamp.uid, True)


async def test_create_or_patch_of_a_kind_that_is_not_cached_asks_the_server():
    server = FakeServer()
    server.hidden.add(ConfigMap)
    ctx = context(server)
    for _ in range(2):
        done = await ctx.create_or_patch(ConfigMap, Key("ns", "child"), lambda body: body.update(data={"a": "b"}))
    assert done.operation.value == "unchanged"
