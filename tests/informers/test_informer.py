"""The informer's promises to its readers and handlers, in virtual time against a scripted cluster (I1 to I19)."""

import asyncio
import inspect
import logging
import random

import pytest
from scripted_cluster import (
    LISTS,
    ScriptedCluster,
    body,
    contents,
    encode,
    informer_of,
    refusal,
    running,
    settle,
    short,
    status,
    synced,
    told,
    until,
    widget,
)

from windlass.informers.barrier import Barrier
from windlass.informers.errors import ConnectionFailed, InformerStopped, NotSynced
from windlass.informers.handlers import Registration
from windlass.informers.keys import Key
from windlass.informers.phases import Policy
from windlass.informers.reflector import step
from windlass.informers.store import Added, Deleted, Store, StoreWriter, Updated
from windlass.informers.subscription import Subscription

REFUSED = ConnectionFailed("connection refused", sent=False)
A, B, C = Key("default", "a"), Key("default", "b"), Key("default", "c")


class TestSync:
    @pytest.mark.parametrize("policy", [LISTS, Policy()], ids=["list", "streaming list"])
    async def test_it_holds_what_the_cluster_holds_and_follows_it(self, policy):
        cluster = ScriptedCluster("a", "b")
        async with synced(cluster, policy) as informer:
            assert contents(informer) == cluster.held()
            cluster.put("c")
            cluster.put("a", spec={"x": 1})
            cluster.delete("b")
            await settle()

            assert contents(informer) == cluster.held()

    @pytest.mark.parametrize("policy", [LISTS, Policy()], ids=["list", "streaming list"])
    async def test_an_empty_collection_is_synced_too(self, policy):
        """I6."""
        informer = informer_of(ScriptedCluster(), policy)
        assert not informer.has_synced
        async with running(informer):
            await informer.ready(5)
            assert informer.has_synced

    async def test_pages_are_read_to_the_end_before_anything_is_shown(self):
        """R5, R6: page three fails, and nobody sees the first two."""
        cluster = ScriptedCluster(server_pages_all=True)
        for index in range(7):
            cluster.put(f"w{index}")
        informer = informer_of(cluster, Policy(streaming=False, page_size=2))
        sizes = []
        watched = cluster.client._page

        def page(query, namespace):
            sizes.append(len(informer.store))
            if query.get("continue", "").endswith(".4") and len(sizes) == 3:
                raise REFUSED
            return watched(query, namespace)

        cluster.client._page = page
        async with running(informer):
            await informer.ready(60)
            assert contents(informer) == cluster.held()
        assert set(sizes) == {0}
        assert len(sizes) == 7

    async def test_a_page_token_that_expires_leads_to_one_whole_list(self):
        """R4, scenario 20: 410 on page three."""
        cluster = ScriptedCluster(server_pages_all=True)
        for index in range(7):
            cluster.put(f"w{index}")
        informer = informer_of(cluster, Policy(streaming=False, page_size=2))
        served = cluster.client._page

        def page(query, namespace):
            if query.get("continue", "").endswith(".4"):
                cluster.put("late")
                cluster.compact()
            return served(query, namespace)

        cluster.client._page = page
        async with running(informer):
            await informer.ready(5)
            assert contents(informer) == cluster.held()
        assert cluster.verbs == ["list"] * 4 + ["watch"]
        assert cluster.asked("limit")[:4] == ["2", "2", "2", None]

    async def test_the_error_of_a_sync_that_does_not_come_names_the_kind_and_the_cause(self):
        """I16: missing permission."""
        cluster = ScriptedCluster()
        cluster.fail(*[refusal(403, "Forbidden", 'widgets.ex.dev is forbidden: User "u" cannot list')] * 100)
        informer = informer_of(cluster)
        async with running(informer):
            with pytest.raises(NotSynced) as caught:
                await informer.ready(30)
        assert "widgets.v1.ex.dev" in str(caught.value)
        assert 'User "u" cannot list' in str(caught.value)
        assert "30 s" in str(caught.value)

    async def test_a_missing_definition_is_waited_for(self):
        cluster = ScriptedCluster()
        cluster.fail(*[refusal(404, "NotFound", "the server could not find the requested resource")] * 3)
        async with synced(cluster, seconds=120) as informer:
            assert informer.statistics().relists == {"missing": 3}
            assert informer.statistics().last_failure == ""

    async def test_ready_says_so_when_the_informer_ends_before(self):
        cluster = ScriptedCluster()
        cluster.fail(*[REFUSED] * 10)
        informer = informer_of(cluster)
        task = asyncio.create_task(informer.run())
        ready = asyncio.create_task(informer.ready())
        await settle()
        task.cancel()
        with pytest.raises(NotSynced, match="ended before its copy was complete: connection refused"):
            await ready

    async def test_it_runs_once(self):
        informer = informer_of(ScriptedCluster())
        async with running(informer):
            await informer.ready(5)
        with pytest.raises(InformerStopped, match="has been run before"):
            await informer.run()

    async def test_making_one_starts_nothing(self):
        cluster = ScriptedCluster()
        informer_of(cluster)
        await asyncio.sleep(100)
        assert cluster.requests == []


class TestHandlers:
    async def test_the_store_changes_before_the_handler_is_told(self):
        """I1."""
        cluster = ScriptedCluster()
        informer = informer_of(cluster)
        seen = []
        informer.add_handler(lambda change: seen.append(informer.store.get(change.key)), name="reader")
        async with running(informer):
            await informer.ready(5)
            cluster.put("a")
            cluster.put("a", spec=1)
            cluster.delete("a")
            await settle()
        assert [one and one.resource_version for one in seen] == ["11", "12", None]

    async def test_initial_objects_are_marked_and_later_ones_are_not(self):
        cluster = ScriptedCluster("a")
        changes = []
        async with synced(cluster, log=changes):
            cluster.put("b")
            await settle()
        assert told(changes) == ["++a", "+b"]

    async def test_a_late_handler_sees_everything_as_initial_without_gap_or_repeat_under_churn(self):
        """I4, scenario 31."""
        cluster = ScriptedCluster()
        for index in range(50):
            cluster.put(f"w{index}")
        informer = informer_of(cluster)
        rng = random.Random(7)
        logs = []
        async with running(informer):
            await informer.ready(5)
            for _ in range(200):
                name = f"w{rng.randrange(60)}"
                if Key("default", name) in cluster.objects and rng.random() < 0.3:
                    cluster.delete(name)
                else:
                    cluster.put(name)
                if rng.random() < 0.1:
                    logs.append([])
                    informer.add_handler(logs[-1].append, name=f"late {len(logs)}")
                if rng.random() < 0.5:
                    await asyncio.sleep(0)
            await settle()
            assert len(logs) > 5
            for log in logs:
                assert _replayed(log) == contents(informer)

    async def test_a_handlers_sync_is_its_own_and_later(self):
        """I5, scenario 33."""
        cluster = ScriptedCluster("a")
        informer = informer_of(cluster)
        synced_when_told = []
        early = informer.add_handler(
            lambda _: synced_when_told.append((informer.has_synced, early.has_synced)), name="early"
        )
        assert not early.has_synced
        async with running(informer):
            await informer.ready(5)
            assert early.has_synced
            late = informer.add_handler(lambda _: None, name="late")
            assert not late.has_synced
            await settle()
            assert late.has_synced
        assert synced_when_told == [(True, False)]

    async def test_a_handler_that_raises_is_counted_and_nobody_else_suffers(self, caplog):
        """I8, scenario 32."""
        cluster = ScriptedCluster()
        informer = informer_of(cluster)
        changes = []

        def broken(change):
            raise ValueError("mine")

        registration = informer.add_handler(broken, name="broken")
        informer.add_handler(changes.append, name="log")
        with caplog.at_level(logging.ERROR):
            async with running(informer):
                await informer.ready(5)
                cluster.put("a")
                cluster.put("b")
                await settle()
        assert told(changes) == ["+a", "+b"]
        assert registration.failures == 2
        assert informer.statistics().handler_failures == {"broken": 2, "log": 0}
        assert "handler broken failed on Added of default/a" in caplog.text

    async def test_a_removed_handler_hears_nothing_more_even_in_the_middle_of_its_first_list(self):
        """I9: there is no moment after."""
        cluster = ScriptedCluster("a", "b")
        informer = informer_of(cluster)
        changes = []

        def once(change):
            changes.append(change)
            registration.remove()
            registration.remove()

        registration = informer.add_handler(once, name="once")
        async with running(informer):
            await informer.ready(5)
            cluster.put("c")
            await settle()
        assert told(changes) == ["++a"]
        assert not registration.active

    async def test_adding_to_an_ended_informer_is_an_error(self):
        """I7."""
        informer = informer_of(ScriptedCluster())
        async with running(informer):
            await informer.ready(5)
        with pytest.raises(InformerStopped, match="handler late cannot be added"):
            informer.add_handler(lambda _: None, name="late")

    async def test_an_object_that_came_and_went_before_anybody_looked_is_no_stray_delete(self):
        """Scenario 28."""
        cluster = ScriptedCluster()
        changes = []
        async with synced(cluster, log=changes):
            gone = body("ghost", cluster.version + 1)
            cluster.emit_change("DELETED", gone)
            cluster.put("a")
            cluster.delete("a")
            cluster.emit_change("DELETED", body("a", cluster.version))
            await settle()
        assert told(changes) == ["+a", "-a"]

    async def test_the_same_version_twice_is_no_change(self):
        """R27."""
        cluster = ScriptedCluster("a")
        changes = []
        async with synced(cluster, log=changes):
            cluster.emit_change("MODIFIED", cluster.objects[A])
            await settle()
        assert told(changes) == ["++a"]

    async def test_a_delete_carries_the_state_and_version_of_the_deletion(self):
        """W-15."""
        cluster = ScriptedCluster("a")
        changes = []
        async with synced(cluster, log=changes):
            cluster.delete("a")
            await settle()
        assert changes[-1].object.resource_version == "12"
        assert changes[-1].final_state_known


def test_nothing_that_changes_what_readers_and_handlers_see_waits_in_the_middle():
    """A1: no await between a check and what depends on it, so no lock, and no cancellation cuts one in half."""
    waits = {
        f"{one.__name__}.{name}"
        for one in (StoreWriter, Store, Registration, Barrier, Subscription)
        for name, part in vars(one).items()
        if inspect.iscoroutinefunction(part)
    }
    assert waits == {"Barrier.wait", "Subscription.__anext__"}
    assert not inspect.iscoroutinefunction(step)


class TestResync:
    async def test_it_replays_the_store_to_those_who_asked_when_they_asked(self):
        """I10, scenario 30."""
        cluster = ScriptedCluster("a")
        informer = informer_of(cluster)
        never, often, rarely = [], [], []
        informer.add_handler(never.append, name="never")
        informer.add_handler(often.append, name="often", resync_seconds=10)
        informer.add_handler(rarely.append, name="rarely", resync_seconds=30)
        async with running(informer):
            await informer.ready(5)
            lists = cluster.verbs.count("list")
            await asyncio.sleep(61)
            assert told(never) == ["++a"]
            assert told(often) == ["++a"] + ["~a"] * 6
            assert told(rarely) == ["++a"] + ["~a"] * 2
            assert often[1].old is often[1].new
            assert cluster.verbs.count("list") == lists

    async def test_a_handler_that_has_changes_waiting_is_not_given_old_states_behind_them(self):
        """I11."""
        informer = informer_of(ScriptedCluster())
        registration = informer.add_handler(lambda _: None, name="busy", resync_seconds=10)
        registration.resync_at = 0.0
        registration.enqueue([Added(widget("a", 1))], 1)
        informer._resync(now=100.0)
        assert registration.pending == 1

    def test_less_than_a_second_is_refused(self):
        informer = informer_of(ScriptedCluster())
        with pytest.raises(ValueError, match=r"resync_seconds must be at least 1, found 0\.5"):
            informer.add_handler(lambda _: None, name="hasty", resync_seconds=0.5)


class TestNamespaces:
    async def test_several_namespaces_are_one_copy(self):
        cluster = ScriptedCluster()
        for namespace in ("x", "y", "z"):
            cluster.put("a", namespace=namespace)
        async with synced(cluster, namespace=["x", "y"]) as informer:
            assert set(contents(informer)) == {Key("x", "a"), Key("y", "a")}
            assert informer.namespaces == {"x", "y"}
        assert {request.path.split("/")[5] for request in cluster.requests} == {"x", "y"}

    async def test_it_is_synced_when_all_of_them_are(self):
        cluster = ScriptedCluster()
        informer = informer_of(cluster, namespace=["x", "y"])
        cluster.fail(None, refusal(403, "Forbidden"))
        async with running(informer):
            await settle()
            assert not informer.has_synced
            await informer.ready(5)

    async def test_they_can_change_while_it_runs(self):
        cluster = ScriptedCluster()
        for namespace in ("x", "y", "z"):
            cluster.put("a", namespace=namespace)
        changes = []
        async with synced(cluster, namespace=["x", "y"], log=changes) as informer:
            informer.set_namespaces(["y", "z"])
            assert not informer.has_synced
            await informer.ready(5)
            cluster.put("b", namespace="x")
            cluster.put("b", namespace="z")
            await settle()
            assert contents(informer) == cluster.held("y") | cluster.held("z")
            assert [(short(change), change.key.namespace) for change in changes[2:]] == [
                ("--a", "x"),
                ("++a", "z"),
                ("+b", "z"),
            ]

    async def test_a_relist_of_one_leaves_the_others_alone(self):
        cluster = ScriptedCluster()
        cluster.put("a", namespace="x")
        cluster.put("a", namespace="y")
        informer = informer_of(cluster, namespace=["x", "y"])
        changes = []
        async with running(informer):
            await informer.ready(5)
            await asyncio.sleep(5)
            informer.add_handler(changes.append, name="log")
            await settle()
            stream = next(one for one in cluster.streams if one.namespace == "x")
            stream.send({"type": "ERROR", "object": status(410, "Expired")})
            del cluster.objects[Key("x", "a")]
            await asyncio.sleep(5)
            assert told(changes) == ["++a", "++a", "--a"]
            assert set(contents(informer)) == {Key("y", "a")}

    async def test_leaving_the_one_that_is_not_complete_completes_the_rest(self):
        cluster = ScriptedCluster()
        informer = informer_of(cluster, namespace=["x", "y"])
        cluster.fail(None, *[refusal(403, "Forbidden")] * 100)
        async with running(informer):
            waiter = asyncio.create_task(informer.ready(60))
            await settle()
            assert not waiter.done()
            informer.set_namespaces(["x"])
            await waiter

    async def test_leaving_one_while_its_list_is_being_told_tells_no_end_without_a_beginning(self, monkeypatch):
        monkeypatch.setattr("windlass.informers.slices.SLICE_SECONDS", -1.0)
        cluster = ScriptedCluster()
        for index in range(50):
            cluster.put(f"w{index}", namespace="x")
        informer = informer_of(cluster, namespace=["x", "y"])
        changes = []
        informer.add_handler(changes.append, name="log")
        async with running(informer):
            await until(lambda: len(changes) >= 10, turn=0.0)
            informer.set_namespaces(["y"])
            await informer.ready(5)
            assert _replayed(changes) == {}
            assert len(changes) == 100

    async def test_all_and_some_do_not_mix(self):
        informer = informer_of(ScriptedCluster())
        with pytest.raises(ValueError, match="follows all namespaces"):
            informer.set_namespaces(["x"])
        with pytest.raises(ValueError, match="needs at least one namespace"):
            informer_of(ScriptedCluster(), namespace=[])


class TestSight:
    async def test_its_repr_says_what_it_is_and_how_it_is(self):
        cluster = ScriptedCluster("a")
        informer = informer_of(cluster, namespace="default")
        assert repr(informer) == "<Informer widgets.v1.ex.dev in default idle objects=0 handlers=0>"
        async with running(informer):
            await settle(1)
            assert "syncing" in repr(informer)
            await informer.ready(5)
            assert repr(informer) == "<Informer widgets.v1.ex.dev in default synced objects=1 handlers=0>"
        assert "over" in repr(informer)

    async def test_its_statistics_count_what_happened(self):
        cluster = ScriptedCluster("a")
        async with synced(cluster) as informer:
            cluster.put("b")
            cluster.put("a")
            cluster.delete("b")
            cluster.bookmark()
            await settle()
            await asyncio.sleep(7)
            found = informer.statistics()
        assert found.events == {"added": 2, "updated": 1, "deleted": 1, "bookmark": 1}
        assert (found.objects, found.synced, found.pending) == (1, True, 0)
        assert found.bytes_held == len(encode(cluster.objects[A]))
        assert found.last_event_age_seconds == pytest.approx(7.0)


def _replayed(changes):
    held = {}
    for change in changes:
        match change:
            case Added(one, _):
                assert one.key not in held, "told twice"
                held[one.key] = one.raw
            case Updated(old, new):
                assert held[new.key] == old.raw, "a gap"
                held[new.key] = new.raw
            case Deleted(one, _):
                del held[one.key]
    return held
