"""A feed survives what servers and networks do: R2 to R28, in virtual time against a scripted cluster."""

import asyncio
import re
import time
from pathlib import Path

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
    status,
    synced,
    told,
    too_large,
)

import windlass.informers
from windlass.informers.errors import ConnectionFailed
from windlass.informers.keys import Key
from windlass.informers.phases import Policy

REFUSED = ConnectionFailed("connection refused", sent=False)
A, B, C = Key("default", "a"), Key("default", "b"), Key("default", "c")


class TestFaults:
    """Each fault: the copy equals the cluster afterwards, and the right changes were told once."""

    async def test_a_server_that_is_away_for_a_minute(self):
        """R14, scenario 16."""
        cluster = ScriptedCluster("a")
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
        async with synced(cluster) as informer:
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
        async with synced(cluster, seconds=100):
            assert cluster.opened_at[1] >= 45.0

    async def test_gone_on_the_watch_twice_in_a_row(self):
        """R2: the last version first, each time."""
        cluster = ScriptedCluster("a", "b")
        changes = []
        async with synced(cluster, log=changes) as informer:
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
        cluster = ScriptedCluster("a")
        async with synced(cluster) as informer:
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
        """R7, R9, scenario 27; I1."""
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
            assert not changes[0].final_state_known, "and it says that it may be stale"
            assert views == [cluster.held()] * 3

    async def test_a_500_inside_the_stream_leads_to_a_list(self):
        """R15, scenario 18."""
        cluster = ScriptedCluster()
        async with synced(cluster) as informer:
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
        async with synced(cluster) as informer:
            await asyncio.sleep(10)
            cluster.emit_bytes(b"<html>502 Bad Gateway</html>\n")
            cluster.put("a")
            await asyncio.sleep(10)
            assert contents(informer) == cluster.held()
            assert informer.statistics().rewatches == {"malformed": 1}
        assert "502 Bad Gateway" in caplog.text

    async def test_others_run_between_the_changes_of_one_chunk(self, monkeypatch):
        """A4: after a pause hundreds may have come together, and each is told to handlers at once."""
        monkeypatch.setattr("windlass.informers.slices.SLICE_SECONDS", -1.0)
        cluster, changes, seen = ScriptedCluster(), [], set()
        async with synced(cluster, log=changes):
            await asyncio.sleep(10)
            events = [{"type": "ADDED", "object": body(f"w{number}", 20 + number)} for number in range(50)]
            cluster.emit_bytes(b"".join(encode(event) + b"\n" for event in events))
            while len(changes) < 50:
                seen.add(len(changes))
                await asyncio.sleep(0)
        assert len(seen) >= 25
        assert [change.key.name for change in changes] == [f"w{number}" for number in range(50)]

    async def test_an_object_of_a_wrong_kind_is_passed_over_and_its_version_counts(self):
        """R20, scenario 25."""
        cluster = ScriptedCluster()
        async with synced(cluster) as informer:
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
        async with synced(cluster) as informer:
            cluster.emit({"type": "NEWS", "object": body("x", 99)})
            cluster.put("a")
            await settle()
            assert contents(informer) == cluster.held()

    async def test_a_silent_peer_is_left_after_the_time_the_server_was_given_and_a_little(self):
        """R16, scenario 26."""
        cluster = ScriptedCluster()
        async with synced(cluster) as informer:
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
        async with synced(cluster) as informer:
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
            async with synced(cluster, seed=seed):
                asked.append(int(cluster.asked("timeoutSeconds")[-1]))
        assert all(300 <= seconds < 600 for seconds in asked)
        assert max(asked) - min(asked) > 200
        assert len(set(asked)) > 30

    async def test_the_definition_is_deleted_and_made_again(self):
        """The watch ends, the list is 404 for a while, then everything is new."""
        cluster = ScriptedCluster("a", "b")
        changes = []
        async with synced(cluster, log=changes) as informer:
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
        cluster = ScriptedCluster("a")
        async with synced(cluster) as informer:
            await asyncio.sleep(10)
            cluster.compact()
            cluster.end_streams()
            cluster.version += 1
            cluster.compacted = cluster.version
            cluster.fail(*[refusal(403, "Forbidden")] * 50)
            await asyncio.sleep(300)
            assert informer.has_synced
            assert list(contents(informer)) == [A]

    async def test_a_wall_clock_that_jumps_changes_nothing(self, monkeypatch):
        now = [time.time()]
        monkeypatch.setattr(time, "time", lambda: now[0])
        cluster = ScriptedCluster()
        informer = informer_of(cluster)
        changes = []
        informer.add_handler(changes.append, name="log", resync_seconds=100_000)
        async with running(informer):
            await informer.ready(5)
            for name, jump in (("a", 400 * 86400), ("b", -800 * 86400), ("c", 3600)):
                now[0] += jump
                cluster.put(name)
                await asyncio.sleep(10)
            assert contents(informer) == cluster.held()
            assert informer.statistics().last_event_age_seconds == pytest.approx(10.0)
        assert told(changes) == ["+a", "+b", "+c"]
        assert cluster.verbs == ["list", "watch"]

    def test_nothing_but_credentials_looks_at_the_wall_clock(self):
        readers = {
            path.name
            for path in Path(windlass.informers.__file__).parent.glob("*.py")
            if re.search(r"datetime\.now|utcnow|time\.time\(|import time", path.read_text("utf-8"))
        }
        assert readers == {"credentials.py"}, "its test of a jump is test_a_clock_that_jumps_costs_one_run_at_most"


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
        async with synced(cluster, Policy(), seconds=11) as informer:
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
        async with synced(cluster, Policy(), seconds=1) as informer:
            assert contents(informer) == cluster.held()
        assert cluster.verbs[0] == first

    async def test_a_server_that_refuses_the_wish_is_listed_at_once(self):
        cluster = ScriptedCluster(streaming=False)
        cluster.put("a")
        async with synced(cluster, Policy(), seconds=0.1) as informer:
            assert contents(informer) == cluster.held()
        assert cluster.verbs == ["watch", "list", "watch"]

    async def test_what_a_client_has_learnt_its_next_informer_uses(self):
        cluster = ScriptedCluster(streaming=False)
        for _ in range(2):
            async with synced(cluster, Policy(), seconds=1):
                assert cluster.client.streaming_lists is False
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
        async with synced(cluster, policy, transform=trim) as informer:
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

        cluster = ScriptedCluster("a")
        async with synced(cluster, transform=broken) as informer:
            assert contents(informer) == cluster.held()
        assert "the transform failed on default/a" in caplog.text

    async def test_managed_fields_are_cut_away_unless_wanted(self):
        cluster = ScriptedCluster("a")
        cluster.objects[A]["metadata"]["managedFields"] = [{"manager": "m"}]
        stripped, kept = informer_of(cluster), informer_of(cluster, keep_managed_fields=True)
        async with running(stripped, kept):
            await stripped.ready(5)
            await kept.ready(5)
            assert b"managedFields" not in stripped.store.get(A).raw
            assert kept.store.get(A).to_dict()["metadata"]["managedFields"] == [{"manager": "m"}]
