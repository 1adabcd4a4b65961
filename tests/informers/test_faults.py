"""Faults on real sockets, in front of every server: afterwards the copy is the server, and every change was told once.

What takes minutes is told in virtual time by `test_feed`; here the sockets, the TLS and the servers are real.
"""

import asyncio
import json
import random
import time
import uuid
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import pytest
from answering_proxy import Answer, AnsweringProxy, lists, nth, pages, status, watches
from fault_proxy import FaultProxy
from hurried_loop import HurriedLoop
from journal import Journal
from scripted_cluster import running, until
from servers import EVERY_SERVER, at_hand, forget_history, open_server

from windlass.informers.api import Api
from windlass.informers.backoff import Backoff
from windlass.informers.builtins import ConfigMap, Namespace
from windlass.informers.client import Client, Timeouts
from windlass.informers.cluster import Cluster
from windlass.informers.credentials import TokenFile
from windlass.informers.feed import FeedOptions
from windlass.informers.informer import Informer
from windlass.informers.keys import Key
from windlass.informers.phases import Policy, phase

OURS = "metadata.name!=kube-root-ca.crt"  # a real control plane puts that one into every namespace
USUAL, QUICK, PATIENT = Timeouts(), Timeouts(1.0, 1.0), Timeouts(120.0, 120.0)
FAST = Backoff(base_seconds=0.02, cap_seconds=0.1)
LISTS = Policy(streaming=False, page_size=3)
# The real server is older than streaming lists, so an informer that would like one begins with a list there, too.
STREAMS = Policy(streaming=True, streaming_silence_seconds=0.5)
EVERYWHERE = [
    pytest.param("embedded", LISTS, id="embedded-list"),
    pytest.param("embedded", STREAMS, id="embedded-streaming list"),
    pytest.param("kubernetes", LISTS, id="kubernetes-list"),
]
BY_LIST = [pytest.param(name, LISTS, id=name) for name in EVERY_SERVER]

everywhere = pytest.mark.parametrize(("server", "policy"), EVERYWHERE)
by_list = pytest.mark.parametrize(("server", "policy"), BY_LIST)


@attrs.define
class World:
    """A server, and a client that reaches it through two proxies only: one knows bytes, the other requests."""

    server: object
    api: Api  # straight to the server
    wire: FaultProxy
    http: AnsweringProxy
    client: Client  # through both
    namespace: str

    def informer(self, policy, *, client=None):
        """One that is not running yet, and its journal."""
        options = FeedOptions(policy, FAST, random.Random(1))
        one = Informer(client or self.client, ConfigMap, namespace=self.namespace, fields=OURS, options=options)
        return one, Journal(one)

    async def put(self, name, **data):
        key = Key(self.namespace, name)
        body = {"metadata": {"name": name, "namespace": self.namespace}, "data": data}
        return await self.api.apply(ConfigMap, body, field_manager="tests"), key

    async def start_with(self, *names):
        """Objects that even a list of any version holds."""
        for name in names:
            await self.put(name, x=name)
        await until(lambda: at_hand(self.api, ConfigMap, Key(self.namespace, names[-1])), 20.0)

    async def delete(self, name):
        await self.api.delete(ConfigMap, Key(self.namespace, name))

    async def contents(self):
        """What the server holds, as the client sees it."""
        listed = await self.api.list(ConfigMap, namespace=self.namespace, fields=OURS)
        return {one.key: self.http.alter(one.raw) for one in listed.items}

    async def until_same(self, informer, seconds=20.0):
        async def same():
            found = {one.key: one.raw for one in informer.store.list()}
            return informer.has_synced and found == await self.contents()

        await until(same, seconds, f"the copy is not the server: {informer!r} {informer.statistics()}")

    async def until_watching(self, informer):
        """Until what is said on watches now reaches it."""

        def watching():
            return phase(informer._feeds[self.namespace].feed.state) == "watching" and self.http.is_watched

        await until(watching, 20.0)

    def asked_since(self, index):
        """What the informer has asked for after its first `index` requests; `stream` for a streaming list."""
        return [_asked(one) for one in self.http.requests[index:]]


def _asked(request):
    if not watches(request):
        return "list"
    return "stream" if "sendInitialEvents" in request.query else "watch"


@asynccontextmanager
async def world(server, *, timeouts=USUAL):
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_server(server))
        direct = Cluster.from_dict(opened.kubeconfig())
        api = Api(await stack.enter_async_context(Client(direct, timeouts=PATIENT)))
        http = await stack.enter_async_context(AnsweringProxy(direct))
        wire = await stack.enter_async_context(FaultProxy(http.cluster.server))
        through = attrs.evolve(http.cluster, server=wire.url)
        client = await stack.enter_async_context(Client(through, timeouts=timeouts))
        namespace = f"faults-{uuid.uuid4().hex[:10]}"
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        yield World(opened, api, wire, http, client, namespace)


@asynccontextmanager
async def followed(server, policy):
    """A world with one object `a`, and an informer that holds it and watches; at the end the copy is compared."""
    async with world(server) as here:
        await here.start_with("a")
        informer, journal = here.informer(policy)
        async with running(informer):
            await here.until_same(informer)
            await here.until_watching(informer)
            yield here, informer, journal
            await here.until_same(informer)
        journal.check()


@by_list
def test_nobody_listens_for_a_minute(server, policy):
    """R14: by the informer's clock, which runs twenty times as fast as the wall's; the backoff is the usual one."""

    async def minute():
        loop = asyncio.get_running_loop()
        async with world(server, timeouts=PATIENT) as here:
            await here.start_with("a")
            options = FeedOptions(policy, rng=random.Random(1))
            informer = Informer(here.client, ConfigMap, namespace=here.namespace, fields=OURS, options=options)
            journal = Journal(informer)
            async with running(informer):
                async with here.wire.absent():
                    until_then = loop.time() + 60.0
                    await until(lambda: loop.time() >= until_then, 600.0, turn=1.0)
                    attempts = sum(informer.statistics().relists.values())
                    assert 2 <= attempts <= 8, "0.8 s doubling to 30 s, times [1, 2)"
                await here.until_same(informer, 600.0)
            journal.check()
            assert journal.told == ["++a"]

    with asyncio.Runner(loop_factory=lambda: HurriedLoop(20.0)) as runner:
        runner.run(minute())


@pytest.mark.realtime
class TestConnections:
    """What happens to bytes, and to attempts to exchange any."""

    @everywhere
    async def test_nobody_listens_at_first(self, server, policy):
        async with world(server) as here:
            await here.start_with("a")
            informer, journal = here.informer(policy)
            async with running(informer):
                async with here.wire.absent():
                    await until(lambda: informer.statistics().relists.get("connection", 0) >= 3)
                    assert not informer.has_synced
                await here.until_same(informer)
            journal.check()
            assert journal.told == ["++a"]

    @everywhere
    async def test_connecting_ends_in_a_black_hole_at_first_and_again_later(self, server, policy):
        """Bounded by the client's own limit, for nobody else ends it."""
        async with world(server, timeouts=QUICK) as here:
            await here.start_with("a")
            informer, journal = here.informer(policy)
            async with running(informer):
                async with here.wire.black_hole():
                    await until(lambda: "connection" in informer.statistics().relists)
                    assert "timeout" in informer.why().lower(), informer.why()
                    assert not informer.has_synced
                await here.until_same(informer)
                await here.until_watching(informer)
                async with here.wire.black_hole():
                    here.wire.cut_all()
                    await here.put("b")
                    await until(lambda: "timeout" in informer.why().lower())
                    assert len(informer.store) == 1
                await here.until_same(informer)
            journal.check()
            assert journal.told == ["++a", "+b"]

    @everywhere
    async def test_the_first_list_is_cut_after_any_byte(self, server, policy):
        async with world(server) as here:
            await here.start_with(*(f"m{index}" for index in range(8)))
            cuts = iter(range(0, 8000, 397))
            here.wire.cut_after = lambda: next(cuts, None)
            informer, journal = here.informer(policy)
            async with running(informer):
                await here.until_same(informer)
            journal.check()
            assert len(journal.changes) == 8

    @everywhere
    async def test_every_stream_is_cut_again_and_again_while_things_change(self, server, policy):
        rng = random.Random(5)
        async with followed(server, policy) as (here, _, _):
            here.wire.cut_after = lambda: rng.randrange(1, 6000)
            here.wire.cut_all()
            for index in range(200):
                name = f"m{rng.randrange(15)}"
                await here.put(name, x=str(index))
                if rng.random() < 0.3:
                    await here.delete(name)
                if rng.random() < 0.1:
                    here.wire.cut_all()
                    await asyncio.sleep(0.03)
            here.wire.cut_after = lambda: None
            here.wire.cut_all()
            assert here.wire.connections > 5

    @everywhere
    async def test_a_peer_accepts_and_says_nothing(self, server, policy):
        async with world(server, timeouts=QUICK) as here:
            await here.start_with("a")
            here.wire.silent = True
            informer, journal = here.informer(policy)
            async with running(informer):
                await until(lambda: {*informer.statistics().relists, *informer.statistics().rewatches})
                assert not informer.has_synced
                here.wire.silent = False
                here.wire.cut_all()
                await here.until_same(informer)
            journal.check()
            assert journal.told == ["++a"]

    @everywhere
    async def test_a_peer_falls_silent_in_the_middle_of_a_watch(self, server, policy, monkeypatch):
        """R16: it is left after the time that the server was given and a little."""
        monkeypatch.setattr("windlass.informers.feed.IDLE_MARGIN_SECONDS", 0.3)
        async with followed(server, attrs.evolve(policy, watch_seconds=1.0)) as (here, informer, journal):
            here.wire.hush()
            await here.put("b")
            await here.until_same(informer)
            assert journal.told == ["++a", "+b"]
            assert informer.statistics().rewatches["connection"] >= 1
            assert informer.statistics().relists.keys() <= {"unsupported"}

    @everywhere
    async def test_the_server_ends_every_watch_after_a_second(self, server, policy):
        """R12, R18: at the time that it was asked to; no list follows, and nothing is missed."""
        async with followed(server, attrs.evolve(policy, watch_seconds=1.0)) as (here, informer, journal):
            since = len(here.http.requests)
            while informer.statistics().rewatches.get("ended", 0) < 2:
                _, key = await here.put("b", x=str(len(journal.changes)))
                await until(lambda key=key: journal.held.get(key), 20.0)
            assert set(here.asked_since(since)) == {"watch"}

    @everywhere
    async def test_a_hole_in_the_bytes_of_a_stream(self, server, policy):
        """Which breaks its framing, or its TLS."""
        async with followed(server, policy) as (here, _, journal):
            halved = []

            def halve(chunk):
                halved.append(chunk)
                return chunk[: len(chunk) // 2]

            here.wire.garble = halve
            await here.put("b")
            await until(lambda: halved)
            here.wire.garble = lambda chunk: chunk
            here.wire.cut_all()
            await here.until_same(informer=journal.informer)
            assert journal.told == ["++a", "+b"]


@pytest.mark.realtime(limit=180)  # the first test on a server starts it
class TestAnswers:
    """What the server says, or somebody in its place."""

    @everywhere
    async def test_storms_of_429_and_503(self, server, policy):
        """R13: the watch is asked for again and again, and no list in between."""
        async with world(server) as here:
            await here.start_with("a")
            storm = [Answer.status(429, "TooManyRequests", Retry_After="0"), Answer(503, body=b"<html>busy</html>")]
            here.http.answers = storm * 5
            informer, journal = here.informer(policy)
            async with running(informer):
                await here.until_same(informer)
                await here.until_watching(informer)
                assert here.http.answers == []
                since = len(here.http.requests)
                here.http.answers = storm * 4
                here.wire.cut_all()
                await here.put("b")
                await here.until_same(informer)
                assert here.asked_since(since) == ["watch"] * 9
            journal.check()
            assert journal.told == ["++a", "+b"]
            assert {"throttled", "server_error"} <= {*informer.statistics().rewatches}

    @everywhere
    async def test_retry_after_is_waited_out(self, server, policy):
        async with followed(server, policy) as (here, _, _):
            here.http.answers = [Answer.status(429, "TooManyRequests", fits=watches, Retry_After="1")]
            asked = []

            async def note(request):
                asked.append(time.monotonic())

            here.http.before = note
            here.wire.cut_all()
            await until(lambda: len(asked) >= 2)
            assert asked[1] - asked[0] >= 1.0

    @everywhere
    async def test_429_and_500_inside_the_stream(self, server, policy):
        """R15, scenario 18: after the one the same watch, after the other a list."""
        async with followed(server, policy) as (here, informer, journal):
            anew = "stream" if server == "embedded" and policy.streaming else "list"
            for code, reason, then in ((429, "TooManyRequests", "watch"), (500, "InternalError", anew)):
                since = len(here.http.requests)
                await here.http.insert(b'{"type":"ERROR","object":%b}' % status(code, reason))
                await here.put(f"after-{code}")
                await here.until_same(informer)
                await here.until_watching(informer)
                assert here.asked_since(since)[0] == then
            assert journal.told == ["++a", "+after-429", "+after-500"]
            assert informer.statistics().rewatches["throttled"] == 1
            assert informer.statistics().relists["server_error"] == 1

    @everywhere
    async def test_410_inside_a_watch_and_for_a_watch_twice_in_a_row(self, server, policy):
        """R1, R2: the last version is listed first, and only if that is refused, too, the newest, once."""
        async with followed(server, policy) as (here, informer, journal):
            since = len(here.http.requests)
            last = max(int(one.resource_version) for one in informer.store)
            here.http.answers = [Answer.status(410, "Expired")]  # to the list that follows
            await here.http.insert(b'{"type":"ERROR","object":%b}' % status(410, "Expired"))
            await here.put("b")
            await here.until_same(informer)
            await here.until_watching(informer)
            first, second, *_ = here.http.requests[since:]
            assert int(first.query["resourceVersion"]) >= last
            assert second.query.get("resourceVersion", "") == ""

            here.http.answers = [Answer.status(410, "Gone", fits=watches), Answer.status(410, "Gone", fits=watches)]
            here.wire.cut_all()
            await here.put("c")
            await here.until_same(informer)
            assert journal.told == ["++a", "+b", "+c"]
            assert informer.statistics().relists["expired"] >= 3
            assert here.http.answers == []

    @by_list
    async def test_the_token_of_page_three_expires_twice_in_a_row(self, server, policy):
        """R4, scenario 20: the server has really forgotten; one whole list follows, and that is refused once, too."""
        async with world(server) as here:
            await here.start_with(*(f"m{index}" for index in range(8)))
            third = nth(2, pages)

            async def forget(request):
                if third(request):
                    latest, _ = await here.put("late")
                    await forget_history(here.server, latest.resource_version)
                    here.http.answers.append(Answer.status(410, "Expired", fits=lambda one: not pages(one)))

            here.http.before = forget
            here.http.answers = [Answer.status(410, "Expired")]  # so that a consistent list is asked for, in pages
            informer, journal = here.informer(policy)
            async with running(informer):
                await here.until_same(informer)
            journal.check()
            assert sorted(journal.told) == ["++late", *(f"++m{index}" for index in range(8))]
            asked = [(one.query.get("limit"), "continue" in one.query) for one in here.http.requests if lists(one)]
            assert asked[:5] == [("3", False), ("3", False), ("3", True), ("3", True), (None, False)]
            assert informer.statistics().relists["expired"] == 3

    @everywhere
    async def test_lines_that_are_no_json(self, server, policy):
        async with followed(server, policy) as (here, informer, journal):
            await here.http.insert(b"<html>502 Bad Gateway</html>")
            await until(lambda: informer.statistics().rewatches.get("malformed") == 1)
            await here.until_watching(informer)
            here.http.alter = lambda line: line.replace(b'"type":"ADDED"', b'"type":"ADD')
            await here.put("b")
            await until(lambda: informer.statistics().rewatches["malformed"] >= 2)
            assert len(informer.store) == 1
            here.http.alter = lambda line: line
            await here.until_same(informer)
            assert journal.told == ["++a", "+b"]
            assert informer.statistics().relists.keys() <= {"unsupported"}

    @everywhere
    async def test_a_list_that_is_no_json_and_an_answer_that_is_no_http(self, server, policy):
        """R6."""
        async with world(server) as here:
            await here.put("a")
            here.http.answers = [
                Answer(200, body=b"<html>please log in</html>"),
                Answer(raw=b"SSH-2.0-OpenSSH_9.6\r\n"),
            ]
            informer, journal = here.informer(policy)
            async with running(informer):
                await here.until_same(informer)
            journal.check()
            assert journal.told == ["++a"]
            assert here.http.answers == []

    @everywhere
    async def test_objects_of_a_wrong_kind_and_events_of_an_unknown_type(self, server, policy):
        """R20, scenario 25: they are passed over, and the same stream goes on."""
        async with followed(server, policy) as (here, informer, journal):
            since = len(here.http.requests)
            metadata = {"name": "x", "namespace": here.namespace, "uid": "u", "resourceVersion": "1"}
            for kind, type_ in (("Secret", "ADDED"), ("Table", "MODIFIED"), ("ConfigMap", "NEWS")):
                one = {"kind": kind, "apiVersion": "v1", "metadata": metadata}
                await here.http.insert(json.dumps({"type": type_, "object": one}).encode())
            await here.put("b")
            await here.until_same(informer)
            assert journal.told == ["++a", "+b"]
            assert here.asked_since(since) == []

    @everywhere
    async def test_an_object_of_five_mebibytes(self, server, policy):
        """A5; no server takes one so large, so it grows on its way."""
        async with world(server) as here:
            here.http.alter = lambda text: text.replace(b"@large", b"x" * 5 * 2**20)
            await here.put("a", blob="@large", x="1")
            await until(lambda: at_hand(here.api, ConfigMap, Key(here.namespace, "a")))
            informer, journal = here.informer(policy)
            async with running(informer):
                await here.until_same(informer)
                await here.until_watching(informer)
                await here.put("a", blob="@large", x="2")
                await until(lambda: len(journal.changes) == 2)
                await here.until_same(informer)
                assert informer.store.bytes_held > 5 * 2**20
            journal.check()
            assert journal.told == ["++a", "~a"]

    @everywhere
    async def test_an_object_as_large_as_the_server_takes(self, server, policy):
        async with followed(server, policy) as (here, informer, _):
            await here.put("large", blob="x" * 900_000)
            await here.until_same(informer)
            assert informer.store.bytes_held > 900_000


@pytest.mark.realtime
class TestCredentials:
    @everywhere
    async def test_a_token_that_is_refused_under_a_watch_is_read_again_and_nothing_is_missed(
        self, server, policy, tmp_path
    ):
        """The file holds the next one by then, as a kubelet sees to; `test_tokens` lets a real one expire."""
        async with world(server) as here:
            good = await here.client.cluster.credentials.header()
            file = tmp_path / "token"
            file.write_text("first\n")
            accepted = {"Bearer first"}
            here.http.authenticate = lambda header: good if header in accepted else None
            cluster = attrs.evolve(here.client.cluster, credentials=TokenFile(file))
            async with Client(cluster) as client:
                informer, journal = here.informer(policy, client=client)
                async with running(informer):
                    await here.until_same(informer)
                    await here.until_watching(informer)
                    since = len(here.http.requests)
                    accepted = {"Bearer second"}
                    file.write_text("second\n")
                    here.wire.cut_all()
                    await here.put("b")
                    await here.until_same(informer)
                    sent = [one.headers["Authorization"] for one in here.http.requests[since:]]
                    assert sent == ["Bearer first", "Bearer second"]
            journal.check()
            assert journal.told == ["+b"]


@pytest.mark.realtime
class TestClocks:
    @everywhere
    async def test_the_wall_clock_jumps_by_years_and_back(self, server, policy, monkeypatch):
        jump = 0.0
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() + jump)
        async with followed(server, policy) as (here, informer, journal):
            since = len(here.http.requests)
            for name, jump in (("b", 400 * 86400.0), ("c", -800 * 86400.0), ("d", 3600.0)):  # noqa: B007 - the clock's
                await here.put(name)
                await here.until_same(informer)
            assert journal.told == ["++a", "+b", "+c", "+d"]
            assert here.asked_since(since) == []
            assert 0.0 <= informer.statistics().last_event_age_seconds < 60.0
