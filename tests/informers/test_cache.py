"""Reads from declared informers, and nothing hidden: I16, F9, readiness with reasons."""

import asyncio

import attrs
import pytest
from scripted_cluster import WIDGET, ScriptedCluster, body, encode, refusal, running, settle

from windlass.informers.api import Api
from windlass.informers.builtins import Pod
from windlass.informers.cache import Cache
from windlass.informers.client import Response
from windlass.informers.errors import NotSynced, UnregisteredKind
from windlass.informers.feed import FeedOptions
from windlass.informers.keys import Key
from windlass.informers.phases import Policy
from windlass.informers.typed import CustomResource

A = Key("default", "a")
LISTS = FeedOptions(Policy(streaming=False))


@attrs.frozen
class Widget(CustomResource):
    __windlass_resource__ = WIDGET


def cache_of(cluster, **options):
    return Cache(cluster.client, options=LISTS, **options)


async def test_reads_come_from_the_declared_informer():
    cluster = ScriptedCluster("a")
    cluster.put("b", namespace="other")
    cache = cache_of(cluster)
    informer = cache.informer(Widget)
    async with running(cache):
        await cache.ready(5)
        assert cache.get(Widget, A).raw == encode(cluster.objects[A])
        assert cache.get(WIDGET, Key("default", "z")) is None
        assert {one.name for one in cache.list(Widget)} == {"a", "b"}
        assert [one.name for one in cache.list(Widget, namespace="other")] == ["b"]
        assert cache.informer(WIDGET) is informer, "a kind and its resource are one"
        assert repr(cache) == "<Cache informers=1 synced=1>"
    assert cluster.verbs == ["list", "watch"]


async def test_a_kind_that_nobody_declared_is_an_error_and_never_a_hidden_watch():
    """I16."""
    cluster = ScriptedCluster()
    cache = cache_of(cluster)
    for read in (lambda: cache.get(Widget, A), lambda: cache.list(Widget), lambda: cache.get(Pod, A)):
        with pytest.raises(UnregisteredKind, match=r"was never declared; call cache\.informer\(\) before"):
            read()
    await settle()
    assert cluster.requests == []


async def test_one_declared_while_running_starts_at_once():
    cluster = ScriptedCluster()
    cache = cache_of(cluster)
    async with running(cache):
        await settle()
        informer = cache.informer(Widget)
        await informer.ready(5)


async def test_selections_are_copies_of_their_own():
    cluster = ScriptedCluster()
    cache = cache_of(cluster)
    some = cache.informer(Widget, labels="app=x")
    assert cache._declared(Widget) is some, "the only one there is"
    other = cache.informer(Widget, labels="app=y", fields="metadata.name=a")
    with pytest.raises(UnregisteredKind, match="several selections"):
        cache.get(Widget, A)
    whole = cache.informer(Widget)
    assert len({some, other, whole}) == 3
    async with running(cache):
        await cache.ready(5)
        assert cache.get(Widget, A) is None
    assert set(cluster.asked("labelSelector")) == {"app=x", "app=y", None}
    assert "metadata.name=a" in cluster.asked("fieldSelector")


async def test_metadata_alone_is_asked_for_by_the_accept_header():
    cluster = ScriptedCluster()
    cache = cache_of(cluster)
    cache.informer(Widget, metadata_only=True)
    async with running(cache):
        await cache.ready(5)
    assert [request.accept.split(";")[1] for request in cluster.requests] == [
        "as=PartialObjectMetadataList",
        "as=PartialObjectMetadata",
    ]


async def test_typed_untyped_and_metadata_reads_of_a_kind_are_one_watch():
    """I17."""
    cluster = ScriptedCluster()
    cluster.put("a", spec={"size": 1})
    cache = cache_of(cluster)
    for declare in (Widget, WIDGET, Widget):
        cache.informer(declare)
    async with running(cache):
        await cache.ready(5)
        one = cache.get(Widget, A)
        assert isinstance(one.as_(Widget), Widget)
        assert one.to_dict()["spec"] == {"size": 1}
        assert one.labels == {}
    assert cluster.verbs == ["list", "watch"]


async def test_a_field_is_found_by_an_index_that_is_added_while_it_runs():
    """I18: any function of the object, at any time."""
    cluster = ScriptedCluster()
    cluster.put("a", spec={"node": "n1"})
    cluster.put("b", spec={"node": "n2"})
    cache = cache_of(cluster)
    store = cache.informer(Widget).store
    async with running(cache):
        await cache.ready(5)
        store.add_index("node", lambda one: [one.to_dict()["spec"]["node"]])
        assert [one.name for one in store.by_index("node", "n1")] == ["a"]
        cluster.put("a", spec={"node": "n2"})
        await settle()
        assert store.by_index("node", "n1") == []
        assert {one.name for one in store.by_index("node", "n2")} == {"a", "b"}


async def test_objects_are_found_by_owner():
    cluster = ScriptedCluster("free", "owned")
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u1"}
    cluster.objects[Key("default", "owned")]["metadata"]["ownerReferences"] = [owner]
    cache = cache_of(cluster)
    cache.informer(Widget)
    async with running(cache):
        await cache.ready(5)
        assert [one.name for one in cache.list(Widget, owner_uid="u1")] == ["owned"]
        assert cache.list(Widget, owner_uid="u2") == []
        assert cache.list(Widget, owner_uid="u1", namespace="other") == []


async def test_a_sync_that_does_not_come_names_every_kind_and_why():
    cluster = ScriptedCluster()
    cluster.fail(*[refusal(403, "Forbidden", "widgets.ex.dev is forbidden")] * 100)
    cache = cache_of(cluster)
    cache.informer(Widget)
    async with running(cache):
        with pytest.raises(NotSynced, match=r"after 20 s of widgets\.v1\.ex\.dev: .*widgets\.ex\.dev is forbidden"):
            await cache.ready(20)


async def test_namespaces_can_change_for_all_informers():
    cluster = ScriptedCluster()
    cluster.put("a", namespace="x")
    cluster.put("a", namespace="y")
    cache = cache_of(cluster, namespace=["x"])
    cache.informer(Widget)
    async with running(cache):
        await cache.ready(5)
        cache.set_namespaces(["y"])
        await cache.ready(5)
        assert [one.key for one in cache.list(Widget)] == [Key("y", "a")]


async def test_it_cannot_run_twice_at_once():
    cache = cache_of(ScriptedCluster())
    async with running(cache):
        await settle()
        with pytest.raises(RuntimeError, match="running already"):
            await cache.run()


class Writing:
    """A client whose writes go to a scripted cluster, and whose watch hears of them when told to."""

    dry_run = False

    def __init__(self, cluster):
        self._cluster = cluster
        self.cluster = cluster.client.cluster

    async def send(self, request, *, retries=None):
        cluster = self._cluster
        cluster.version += 1
        if request.method == "DELETE":
            gone = cluster.objects.pop(A)
            gone["metadata"]["resourceVersion"] = str(cluster.version)
            self.unheard = ("DELETED", gone)
            answer = {"kind": "Status", "details": {"uid": gone["metadata"]["uid"]}}
        else:
            answer = body("a", cluster.version, uid="u")
            cluster.objects[A] = answer
            self.unheard = ("MODIFIED", answer)
        return Response(200, {}, encode(answer))

    def hear(self):
        self._cluster.emit_change(*self.unheard)


async def test_after_a_write_reads_wait_until_the_copy_has_caught_up():
    """F9."""
    cluster = ScriptedCluster("a")
    cache = cache_of(cluster)
    cache.informer(Widget)
    writer = Writing(cluster)
    api = Api(writer, observer=cache)
    async with running(cache):
        await cache.ready(5)
        assert await cache.caught_up(Widget, A, 0.0)

        await api.patch(Widget, A, {"spec": {}})
        reader = asyncio.create_task(cache.caught_up(Widget, A))
        await settle()
        assert not reader.done()
        writer.hear()
        assert await reader is True
        assert cache.get(Widget, A).resource_version == str(cluster.version)

        await api.delete(Widget, A)
        reader = asyncio.create_task(cache.caught_up(Widget, A))
        await settle()
        assert not reader.done()
        writer.hear()
        assert await reader is True
        assert cache.get(Widget, A) is None


async def test_the_change_of_our_own_write_is_told_like_any_other_with_what_others_wrote_between():
    """F10: no event is dropped for being ours."""
    cluster = ScriptedCluster("a")
    cache = cache_of(cluster)
    changes = []
    cache.informer(Widget).add_handler(changes.append, name="log")
    writer = Writing(cluster)
    async with running(cache):
        await cache.ready(5)
        cluster.put("a", spec="theirs")
        await Api(writer, observer=cache).patch(Widget, A, {"spec": {}})
        writer.hear()
        assert await cache.caught_up(Widget, A)
        await settle()
    assert [change.object.resource_version for change in changes] == ["11", "12", "13"]


async def test_a_write_that_is_never_heard_of_delays_a_read_for_five_seconds_once():
    cluster = ScriptedCluster()
    cache = cache_of(cluster)
    informer = cache.informer(Widget)
    async with running(cache):
        await cache.ready(5)
        cache.expect(Widget, A, "900")
        started = asyncio.get_running_loop().time()
        assert await cache.caught_up(Widget, A) is False
        assert asyncio.get_running_loop().time() - started == 5.0
        assert await cache.caught_up(Widget, A) is True
        assert informer.statistics().barrier_timeouts == 1


async def test_expectations_of_an_uncached_kind_are_nobodys():
    cache = cache_of(ScriptedCluster())
    cache.expect(Pod, A, "5")
    assert await cache.caught_up(Pod, A) is True
    cache.expect(Pod, A, "", deleted_uid="u")
    with cache.writing(Pod, A) as write:
        write.deleting("u")


async def test_a_relist_that_does_not_hold_what_was_deleted_opens_the_read():
    """F11: no ghost."""
    cluster = ScriptedCluster("a")
    cache = cache_of(cluster)
    cache.informer(Widget)
    async with running(cache):
        await cache.ready(5)
        await asyncio.sleep(10)
        cache.expect(Widget, A, "", deleted_uid=cache.get(Widget, A).uid)
        reader = asyncio.create_task(cache.caught_up(Widget, A, 30.0))
        await settle()
        del cluster.objects[A]
        cluster.version += 1
        cluster.compact()
        cluster.end_streams()
        assert await reader is True
        assert cache.get(Widget, A) is None
