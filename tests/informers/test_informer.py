"""The informer's promises, in virtual time against a scripted cluster: most of R, all of I that concerns it."""

import asyncio
import logging
import random

import pytest
from scripted_cluster import (
    WIDGET,
    ScriptedCluster,
    body,
    encode,
    refusal,
    running,
    settle,
    status,
    too_large,
    until,
    widget,
)

from windlass.informers.errors import ConnectionFailed, InformerStopped, NotSynced
from windlass.informers.feed import FeedOptions
from windlass.informers.informer import Informer
from windlass.informers.keys import Key
from windlass.informers.phases import Policy
from windlass.informers.store import Added, Deleted, Updated

REFUSED = ConnectionFailed("connection refused", sent=False)
LISTS = Policy(streaming=False)
A, B, C = Key("default", "a"), Key("default", "b"), Key("default", "c")


def informer_of(cluster, policy=LISTS, *, namespace=None, seed=1, **options):
    return Informer(
        cluster.client, WIDGET, namespace=namespace, options=FeedOptions(policy, rng=random.Random(seed), **options)
    )


def contents(informer):
    return {one.key: one.raw for one in informer.store.list()}


def told(changes):
    """Changes in short: `+a` added (`++a` initial), `~a` updated, `-a` deleted (`--a` final state unknown)."""
    return [short(change) for change in changes]


def short(change):
    match change:
        case Added(one, initial):
            return f"{'++' if initial else '+'}{one.name}"
        case Updated(_, new):
            return f"~{new.name}"
        case Deleted(one, known):
            return f"{'-' if known else '--'}{one.name}"


class TestSync:
    @pytest.mark.parametrize("policy", [LISTS, Policy()], ids=["list", "streaming list"])
    async def test_it_holds_what_the_cluster_holds_and_follows_it(self, policy):
        cluster = ScriptedCluster()
        cluster.put("a")
        cluster.put("b")
        informer = informer_of(cluster, policy)
        async with running(informer):
            await informer.ready(5)
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
        informer = informer_of(cluster)
        async with running(informer):
            await informer.ready(120)
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


class TestFaults:
    """Each fault: the copy equals the cluster afterwards, and the right changes were told once."""

    async def test_a_server_that_is_away_for_a_minute(self):
        cluster = ScriptedCluster()
        cluster.put("a")
        informer = informer_of(cluster, Policy())
        changes = []
        informer.add_handler(changes.append, name="log")
        cluster.down_until = 60.0
        async with running(informer):
            await informer.ready(60 + 61)
            attempts = [time for time in cluster.opened_at if time < 60.0]
            assert 4 <= len(attempts) <= 8, "R14: 0.8 s doubling to 30 s, times [1, 2)"
            assert told(changes) == ["++a"]

    @pytest.mark.parametrize(
        "failure",
        [
            pytest.param(REFUSED, id="refused"),
            pytest.param(refusal(429, "TooManyRequests"), id="429"),
            pytest.param(refusal(503, "ServiceUnavailable"), id="503"),
        ],
    )
    async def test_a_watch_that_cannot_be_reopened_is_retried_without_a_list(self, failure):
        """R13, scenario 17."""
        cluster = ScriptedCluster()
        informer = informer_of(cluster)
        async with running(informer):
            await informer.ready(5)
            await asyncio.sleep(10)
            cluster.fail(*[failure] * 5)
            cluster.end_streams()
            cluster.put("a")
            await asyncio.sleep(120)
            assert contents(informer) == cluster.held()
        assert cluster.verbs == ["list"] + ["watch"] * 7

    async def test_retry_after_is_honoured(self):
        cluster = ScriptedCluster()
        cluster.fail(refusal(429, "TooManyRequests", retryAfterSeconds=45))
        informer = informer_of(cluster)
        async with running(informer):
            await informer.ready(100)
        assert cluster.opened_at[1] >= 45.0

    async def test_gone_on_the_watch_twice_in_a_row(self):
        """R2: the last version first, each time."""
        cluster = ScriptedCluster()
        cluster.put("a")
        cluster.put("b")
        informer = informer_of(cluster)
        changes = []
        informer.add_handler(changes.append, name="log")
        async with running(informer):
            await informer.ready(5)
            await asyncio.sleep(10)
            seen = str(cluster.version)
            for _ in range(2):
                cluster.end_streams()
                cluster.delete("a")
                cluster.put("a")
                cluster.compact()
                await asyncio.sleep(60)
            assert contents(informer) == cluster.held()
        assert told(changes) == ["++a", "++b", "~a", "~a"], "I19: deleted and made again unseen is an update"
        assert changes[2].old.uid != changes[2].new.uid, "R8"
        relists = [dict(one.query)["resourceVersion"] for one in cluster.requests if one.verb == "list"]
        assert relists[:2] == ["0", seen]

    async def test_a_version_from_the_future_after_a_restore_of_the_server(self):
        """R1: too large, so the newest there is."""
        cluster = ScriptedCluster()
        cluster.put("a")
        informer = informer_of(cluster)
        async with running(informer):
            await informer.ready(5)
            await asyncio.sleep(10)
            cluster.version = 5
            cluster.objects.clear()
            cluster.history.clear()
            cluster.put("z")
            cluster.fail(too_large())
            cluster.end_streams()
            await asyncio.sleep(60)
            assert contents(informer) == cluster.held()
        assert cluster.verbs[-2:] == ["list", "watch"]
        assert cluster.asked("resourceVersion")[-2:] == [None, "6"]

    async def test_a_relist_tells_deletes_then_updates_then_adds_over_a_store_that_is_complete(self):
        """R7, scenario 27; I1."""
        cluster = ScriptedCluster()
        cluster.put("a", spec={"n": 1})
        cluster.put("b")
        informer = informer_of(cluster)
        changes, views = [], []

        def handler(change):
            changes.append(change)
            views.append(contents(informer))

        informer.add_handler(handler, name="log")
        async with running(informer):
            await informer.ready(5)
            await asyncio.sleep(10)
            del changes[:], views[:]
            cluster.streams.clear()
            lost = encode(cluster.objects[A])
            cluster.delete("a")
            cluster.put("c")
            cluster.put("b", spec={"n": 2})
            cluster.compact()
            cluster.requests.clear()
            await asyncio.sleep(700)  # the silent peer is found by its idle limit
            assert told(changes) == ["--a", "~b", "+c"]
            assert changes[0].object.raw == lost, "the last known state"
            assert views == [cluster.held()] * 3

    async def test_a_500_inside_the_stream_leads_to_a_list(self):
        """R15, scenario 18."""
        cluster = ScriptedCluster()
        informer = informer_of(cluster)
        async with running(informer):
            await informer.ready(5)
            await asyncio.sleep(10)
            cluster.emit({"type": "ERROR", "object": status(500, "InternalError")})
            await asyncio.sleep(10)
            assert informer.statistics().relists == {"server_error": 1}
            cluster.put("a")
            await settle()
            assert contents(informer) == cluster.held()
        assert cluster.verbs == ["list", "watch", "list", "watch"]

    async def test_a_malformed_line_is_left_behind(self, caplog):
        cluster = ScriptedCluster()
        informer = informer_of(cluster)
        async with running(informer):
            await informer.ready(5)
            await asyncio.sleep(10)
            cluster.emit_bytes(b"<html>502 Bad Gateway</html>\n")
            cluster.put("a")
            await asyncio.sleep(10)
            assert contents(informer) == cluster.held()
            assert informer.statistics().rewatches == {"malformed": 1}
        assert "502 Bad Gateway" in caplog.text

    async def test_an_object_of_a_wrong_kind_is_passed_over_and_its_version_counts(self):
        """R20, scenario 25."""
        cluster = ScriptedCluster()
        informer = informer_of(cluster)
        async with running(informer):
            await informer.ready(5)
            await asyncio.sleep(10)
            cluster.version += 1
            cluster.emit({"type": "ADDED", "object": {**body("x", cluster.version), "kind": "Gadget"}})
            cluster.put("a")
            await settle()
            assert contents(informer) == cluster.held()
            cluster.end_streams()
            await settle()
        assert cluster.asked("resourceVersion")[-1] == str(cluster.version)

    async def test_an_unknown_type_of_event_is_passed_over(self):
        cluster = ScriptedCluster()
        informer = informer_of(cluster)
        async with running(informer):
            await informer.ready(5)
            cluster.emit({"type": "NEWS", "object": body("x", 99)})
            cluster.put("a")
            await settle()
            assert contents(informer) == cluster.held()

    async def test_a_silent_peer_is_left_after_the_time_the_server_was_given_and_a_little(self):
        """R16, scenario 26."""
        cluster = ScriptedCluster()
        informer = informer_of(cluster)
        async with running(informer):
            await informer.ready(5)
            granted = int(cluster.asked("timeoutSeconds")[-1])
            cluster.streams.clear()
            cluster.put("a")
            await asyncio.sleep(granted + 4)
            assert contents(informer) == {}
            await asyncio.sleep(2)
            assert contents(informer) == cluster.held()
            assert informer.statistics().rewatches == {"connection": 1}

    async def test_a_peer_that_sent_bookmarks_and_stops_is_left_sooner(self):
        cluster = ScriptedCluster()
        informer = informer_of(cluster)
        async with running(informer):
            await informer.ready(5)
            cluster.bookmark()
            await settle()
            cluster.streams.clear()
            cluster.put("a")
            await asyncio.sleep(151)
            assert contents(informer) == cluster.held()

    async def test_watches_that_end_at_once_do_not_make_a_hot_loop(self):
        """R19."""
        cluster = ScriptedCluster()
        informer = informer_of(cluster)
        served = cluster.client._watch

        def watch(query, namespace):
            stream = served(query, namespace)
            stream.end()
            return stream

        cluster.client._watch = watch
        async with running(informer):
            await asyncio.sleep(600)
        assert 10 <= len(cluster.requests) <= 30

    async def test_watches_of_one_fleet_end_at_different_times(self):
        """R12, scenario 22: uniform in [T, 2T)."""
        asked = []
        for seed in range(40):
            cluster = ScriptedCluster()
            informer = informer_of(cluster, seed=seed)
            async with running(informer):
                await informer.ready(5)
            asked.append(int(cluster.asked("timeoutSeconds")[-1]))
        assert all(300 <= seconds < 600 for seconds in asked)
        assert max(asked) - min(asked) > 200
        assert len(set(asked)) > 30

    async def test_the_definition_is_deleted_and_made_again(self):
        """The watch ends, the list is 404 for a while, then everything is new."""
        cluster = ScriptedCluster()
        cluster.put("a")
        cluster.put("b")
        informer = informer_of(cluster)
        changes = []
        informer.add_handler(changes.append, name="log")
        async with running(informer):
            await informer.ready(5)
            await asyncio.sleep(10)
            cluster.fail(*[refusal(404, "NotFound", "404 page not found")] * 3)
            cluster.end_streams()
            cluster.objects.clear()
            cluster.put("a")
            cluster.compact()
            await asyncio.sleep(120)
            assert contents(informer) == cluster.held()
            assert told(changes) == ["++a", "++b", "--b", "~a"]

    async def test_the_store_is_kept_while_nothing_can_be_listed(self):
        cluster = ScriptedCluster()
        cluster.put("a")
        informer = informer_of(cluster)
        async with running(informer):
            await informer.ready(5)
            await asyncio.sleep(10)
            cluster.compact()
            cluster.end_streams()
            cluster.version += 1
            cluster.compacted = cluster.version
            cluster.fail(*[refusal(403, "Forbidden")] * 50)
            await asyncio.sleep(300)
            assert informer.has_synced
            assert list(contents(informer)) == [A]


class TestStreamingList:
    async def test_nothing_is_shown_before_the_marked_bookmark(self):
        """R21."""
        cluster = ScriptedCluster()
        cluster.bookmark_initial_end = False
        cluster.put("a")
        informer = informer_of(cluster, Policy())
        async with running(informer):
            await asyncio.sleep(1)
            assert not informer.has_synced
            assert contents(informer) == {}
            cluster.bookmark(**{"k8s.io/initial-events-end": "true"})
            await settle()
            assert informer.has_synced
            assert contents(informer) == cluster.held()
        assert cluster.verbs == ["watch"], "R22: the same stream goes on"

    async def test_a_server_that_ignores_the_wish_is_listed_after_ten_seconds(self):
        """R25."""
        cluster = ScriptedCluster()
        cluster.bookmark_initial_end = False
        cluster.put("a")
        informer = informer_of(cluster, Policy())
        async with running(informer):
            await informer.ready(11)
            assert contents(informer) == cluster.held()
        assert cluster.verbs == ["watch", "list", "watch"]
        assert cluster.client.streaming_lists is False, "the next informer of this client does not try"

    @pytest.mark.parametrize(
        ("version", "first"), [(("1", "26"), "list"), (("1", "27+"), "watch"), (("one", ""), "watch")]
    )
    async def test_a_server_too_old_to_know_the_wish_is_not_asked(self, version, first):
        cluster = ScriptedCluster()
        cluster.client.version = version
        cluster.put("a")
        informer = informer_of(cluster, Policy())
        async with running(informer):
            await informer.ready(1)
            assert contents(informer) == cluster.held()
        assert cluster.verbs[0] == first

    async def test_a_server_that_refuses_the_wish_is_listed_at_once(self):
        cluster = ScriptedCluster(streaming=False)
        cluster.put("a")
        informer = informer_of(cluster, Policy())
        async with running(informer):
            await informer.ready(0.1)
            assert contents(informer) == cluster.held()
        assert cluster.verbs == ["watch", "list", "watch"]

    async def test_what_a_client_has_learnt_its_next_informer_uses(self):
        cluster = ScriptedCluster(streaming=False)
        for _ in range(2):
            informer = informer_of(cluster, Policy())
            async with running(informer):
                await informer.ready(1)
        assert cluster.verbs == ["watch", "list", "watch", "list", "watch"]

    async def test_a_stream_that_breaks_half_way_shows_nothing(self):
        cluster = ScriptedCluster()
        cluster.bookmark_initial_end = False
        cluster.put("a")
        informer = informer_of(cluster, Policy())
        async with running(informer):
            await asyncio.sleep(1)
            cluster.bookmark_initial_end = True
            cluster.delete("a")
            cluster.end_streams(ConnectionFailed("reset"))
            await settle()
            assert contents(informer) == {}
            await informer.ready(30)
            assert contents(informer) == {}


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
        cluster = ScriptedCluster()
        cluster.put("a")
        informer = informer_of(cluster)
        changes = []
        informer.add_handler(changes.append, name="log")
        async with running(informer):
            await informer.ready(5)
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
        cluster = ScriptedCluster()
        cluster.put("a")
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
        cluster = ScriptedCluster()
        cluster.put("a")
        cluster.put("b")
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
        informer = informer_of(cluster)
        changes = []
        informer.add_handler(changes.append, name="log")
        async with running(informer):
            await informer.ready(5)
            gone = body("ghost", cluster.version + 1)
            cluster.emit_change("DELETED", gone)
            cluster.put("a")
            cluster.delete("a")
            cluster.emit_change("DELETED", body("a", cluster.version))
            await settle()
        assert told(changes) == ["+a", "-a"]

    async def test_the_same_version_twice_is_no_change(self):
        """R27."""
        cluster = ScriptedCluster()
        cluster.put("a")
        informer = informer_of(cluster)
        changes = []
        informer.add_handler(changes.append, name="log")
        async with running(informer):
            await informer.ready(5)
            cluster.emit_change("MODIFIED", cluster.objects[A])
            await settle()
        assert told(changes) == ["++a"]

    async def test_a_delete_carries_the_state_and_version_of_the_deletion(self):
        """W-15."""
        cluster = ScriptedCluster()
        cluster.put("a")
        informer = informer_of(cluster)
        changes = []
        informer.add_handler(changes.append, name="log")
        async with running(informer):
            await informer.ready(5)
            cluster.delete("a")
            await settle()
        assert changes[-1].object.resource_version == "12"
        assert changes[-1].final_state_known


class TestResync:
    async def test_it_replays_the_store_to_those_who_asked_when_they_asked(self):
        """I10, scenario 30."""
        cluster = ScriptedCluster()
        cluster.put("a")
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
        informer = informer_of(cluster, namespace=["x", "y"])
        async with running(informer):
            await informer.ready(5)
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
        informer = informer_of(cluster, namespace=["x", "y"])
        changes = []
        informer.add_handler(changes.append, name="log")
        async with running(informer):
            await informer.ready(5)
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
        monkeypatch.setattr("windlass.informers.informer.SLICE_SECONDS", -1.0)
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


class TestTransform:
    @pytest.mark.parametrize("policy", [LISTS, Policy()], ids=["list", "streaming list"])
    async def test_it_runs_once_for_each_object_by_whatever_way_it_comes(self, policy):
        """R28, scenario 35."""
        seen = []

        def trim(value):
            seen.append(value["metadata"]["name"])
            return {"kind": value["kind"], "apiVersion": value["apiVersion"], "trimmed": True}

        cluster = ScriptedCluster()
        cluster.put("a", spec={"big": "x" * 100})
        informer = informer_of(cluster, policy, transform=trim)
        async with running(informer):
            await informer.ready(5)
            cluster.put("b", spec={"big": "x" * 100})
            await settle()
            held = informer.store.get(B)
            assert held.to_dict()["trimmed"] is True
            assert "spec" not in held.to_dict()
            assert (held.uid, held.resource_version) == ("uid-b-12", "12"), "put back whatever the transform did"
        assert seen == ["a", "b"]

    async def test_one_that_raises_is_told_of_and_the_object_is_kept_as_it_came(self, caplog):
        def broken(value):
            raise KeyError("spec")

        cluster = ScriptedCluster()
        cluster.put("a")
        informer = informer_of(cluster, transform=broken)
        async with running(informer):
            await informer.ready(5)
            assert contents(informer) == cluster.held()
        assert "the transform failed on default/a" in caplog.text

    async def test_managed_fields_are_cut_away_unless_wanted(self):
        cluster = ScriptedCluster()
        cluster.put("a")
        cluster.objects[A]["metadata"]["managedFields"] = [{"manager": "m"}]
        stripped, kept = informer_of(cluster), informer_of(cluster, keep_managed_fields=True)
        async with running(stripped, kept):
            await stripped.ready(5)
            await kept.ready(5)
            assert b"managedFields" not in stripped.store.get(A).raw
            assert kept.store.get(A).to_dict()["metadata"]["managedFields"] == [{"manager": "m"}]


class TestSight:
    async def test_its_repr_says_what_it_is_and_how_it_is(self):
        cluster = ScriptedCluster()
        cluster.put("a")
        informer = informer_of(cluster, namespace="default")
        assert repr(informer) == "<Informer widgets.v1.ex.dev in default idle objects=0 handlers=0>"
        async with running(informer):
            await settle(1)
            assert "syncing" in repr(informer)
            await informer.ready(5)
            assert repr(informer) == "<Informer widgets.v1.ex.dev in default synced objects=1 handlers=0>"
        assert "over" in repr(informer)

    async def test_its_statistics_count_what_happened(self):
        cluster = ScriptedCluster()
        cluster.put("a")
        informer = informer_of(cluster)
        async with running(informer):
            await informer.ready(5)
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
