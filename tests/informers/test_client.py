"""The transport over real sockets: each trap of raw HTTP clients has a test (R16, R17, A5)."""

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web
from fault_proxy import FaultProxy

from windlass.informers import requests
from windlass.informers.builtins import Pod
from windlass.informers.client import Client, Timeouts
from windlass.informers.cluster import Cluster
from windlass.informers.credentials import StaticHeader
from windlass.informers.errors import (
    ApiError,
    ConfigError,
    ConnectionFailed,
    Forbidden,
    InformersError,
    ServerError,
    TooManyRequests,
)
from windlass.informers.framing import LineSplitter
from windlass.informers.http.reasons import NoAnswer
from windlass.informers.keys import Key
from windlass.informers.requests import ListOptions

pytestmark = pytest.mark.realtime

A = Key("default", "a")
GET = requests.get(Pod, A)
WATCH = requests.watch(Pod, ListOptions())
CREATE = requests.create(Pod, b"{}", namespace="default")
QUICK = Timeouts(connect_seconds=0.2, silence_seconds=0.3)


def status(code, reason="", headers=None, **details):
    text = json.dumps({"kind": "Status", "code": code, "reason": reason, "message": "no", "details": details})
    return web.Response(status=code, text=text, headers=headers)


@asynccontextmanager
async def serving(handler, *, credentials=None, **options):
    """A client of an HTTP server that answers everything by `handler`."""

    async def answer(request):
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    cluster = Cluster(f"http://127.0.0.1:{port}", credentials or StaticHeader("Bearer t"))
    try:
        async with Client(cluster, **options) as client:
            yield client
    finally:
        await runner.cleanup()


@asynccontextmanager
async def talking(talk, **options):
    """A client of a bare TCP server; `talk` has each connection's reader and writer."""

    async def accept(reader, writer):
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with Client(Cluster(f"http://127.0.0.1:{port}"), **options) as client:
            yield client
    finally:
        server.close()


async def read_all(stream, silence_seconds=5.0):
    data = b""
    while chunk := await stream.read(silence_seconds):
        data += chunk
    return data


async def test_an_answer_is_bytes_and_every_request_says_who_asks():
    seen = []

    async def handler(request):
        seen.append((request.method, request.path, request.headers["Authorization"], request.headers["User-Agent"]))
        return web.Response(body=b"\x00raw", headers={"X-A": "b"})

    async with serving(handler, user_agent="mine/1.0") as client:
        answer = await client.send(GET)
        async with client.stream(WATCH) as stream:
            assert await read_all(stream) == b"\x00raw"

    assert (answer.status, answer.body, answer.headers["X-A"]) == (200, b"\x00raw", "b")
    assert seen == [
        ("GET", "/api/v1/namespaces/default/pods/a", "Bearer t", "mine/1.0"),
        ("GET", "/api/v1/pods", "Bearer t", "mine/1.0"),
    ]


async def test_the_user_agent_names_the_field_manager_by_default():
    """P-11: the server takes the part before the slash."""

    async def handler(request):
        return web.Response(text=request.headers["User-Agent"])

    async with serving(handler) as client:
        assert (await client.send(GET)).body.startswith(b"windlass/")


async def open_and_close(client):
    async with client.stream(WATCH):
        pass


@pytest.mark.parametrize("way", [lambda client: client.send(GET), open_and_close], ids=["send", "stream"])
async def test_a_refusal_is_raised_and_never_returned(way):
    async def handler(request):
        return status(403, "Forbidden")

    async with serving(handler) as client:
        with pytest.raises(Forbidden, match=r"403 Forbidden: no") as caught:
            await way(client)
    assert caught.value.request in (GET, WATCH)


async def test_a_redirect_is_an_answer_nobody_asked_for():
    async def handler(request):
        raise web.HTTPFound("/login")

    async with serving(handler) as client:
        with pytest.raises(ApiError, match="302"):
            await client.send(GET)


class Rotating:
    """Credentials whose first header the server refuses."""

    certificate = None

    def __init__(self):
        self.current = "Bearer old"
        self.refused = []

    async def header(self, *, refused=None):
        if refused is not None:
            self.refused.append(refused)
            self.current = "Bearer new"
        return self.current


def _only(authorization):
    async def handler(request):
        if request.headers["Authorization"] != authorization:
            return status(401, "Unauthorized")
        return web.Response(text="in")

    return handler


@pytest.mark.parametrize("request_", [GET, CREATE], ids=["read", "write"])
async def test_after_a_401_fresh_credentials_are_tried_once(request_):
    credentials = Rotating()
    async with serving(_only("Bearer new"), credentials=credentials) as client:
        assert (await client.send(request_)).body == b"in"
    assert credentials.refused == ["Bearer old"]


async def test_a_401_that_stays_is_raised():
    count = 0

    async def handler(request):
        nonlocal count
        count += 1
        return status(401, "Unauthorized")

    async with serving(handler, credentials=Rotating()) as client:
        with pytest.raises(ApiError, match="401"):
            await client.send(GET)
    assert count == 2


class Failing:
    """A handler that gives these answers first and then `done`."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.times = []

    async def __call__(self, request):
        self.times.append(asyncio.get_running_loop().time())
        if self.answers:
            return self.answers.pop(0)()
        return web.Response(text="done")


@pytest.mark.parametrize("request_", [GET, CREATE], ids=["read", "write"])
async def test_too_many_requests_is_waited_out_for_reads_and_writes(request_):
    """E-15: the server has done nothing yet."""
    handler = Failing(*[lambda: status(429, "TooManyRequests", {"Retry-After": "1"})])
    async with serving(handler) as client:
        assert (await client.send(request_)).body == b"done"
    assert handler.times[1] - handler.times[0] >= 1.0


async def test_an_eviction_held_back_by_a_budget_is_an_answer():
    """E-18."""
    handler = Failing(lambda: status(429, "TooManyRequests", causes=[{"reason": "DisruptionBudget"}]))
    async with serving(handler) as client:
        with pytest.raises(TooManyRequests):
            await client.send(CREATE)
    assert len(handler.times) == 1


async def test_unavailable_with_a_time_is_tried_again_for_reads_only():
    def unavailable():
        return status(503, "ServiceUnavailable", {"Retry-After": "0"})

    handler = Failing(unavailable, unavailable)
    async with serving(handler) as client:
        assert (await client.send(GET)).body == b"done"
        handler.answers.append(unavailable)
        with pytest.raises(ServerError):
            await client.send(CREATE)


async def test_retries_are_counted():
    handler = Failing(*[lambda: status(503, "ServiceUnavailable", {"Retry-After": "0"})] * 10)
    async with serving(handler, retries=2) as client:
        with pytest.raises(ServerError):
            await client.send(GET)
        assert len(handler.times) == 3
        with pytest.raises(ServerError):
            await client.send(GET, retries=0)
        assert len(handler.times) == 4


async def test_a_refused_connection_names_the_address_and_was_not_sent():
    async with Client(Cluster("http://127.0.0.1:1")) as client:
        with pytest.raises(
            ConnectionFailed, match=r"get pods\.v1 default/a: no answer from http://127\.0\.0\.1:1"
        ) as caught:
            await client.send(GET)
    assert caught.value.sent is False
    assert isinstance(caught.value.__cause__, NoAnswer), "the cause is kept, and does not leak"


async def test_connecting_has_a_limit_of_its_own_and_what_ran_into_it_was_not_sent():
    """Nobody accepts and nobody refuses, as behind a firewall that drops."""
    patient = Timeouts(connect_seconds=0.3, silence_seconds=3600.0)
    async with (
        FaultProxy("http://127.0.0.1:1") as proxy,
        proxy.black_hole(),
        Client(Cluster(proxy.url), timeouts=patient) as client,
        asyncio.timeout(30),
    ):
        for way in (lambda: client.send(CREATE), lambda: open_and_close(client)):
            with pytest.raises(ConnectionFailed, match=r"no answer from .*[Tt]imeout") as caught:
                await way()
            assert caught.value.sent is False


async def test_a_peer_that_accepts_and_says_nothing_is_left():
    """R16."""

    async def talk(reader, writer):
        await asyncio.sleep(10)

    async with talking(talk, timeouts=QUICK) as client:
        with pytest.raises(ConnectionFailed):
            await client.send(GET)


async def test_a_peer_that_falls_silent_inside_a_stream_is_left():
    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await asyncio.sleep(10)

    async with talking(talk) as client, client.stream(WATCH) as stream:
        assert await stream.read(1.0) == b"hello"
        with pytest.raises(ConnectionFailed, match="was silent"):
            await stream.read(0.1)


async def test_a_long_answer_may_take_longer_than_any_limit_on_silence():
    """R17: there is no total timeout."""

    async def handler(request):
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(12):
            await answer.write(b"x" * 1000)
            await asyncio.sleep(0.1)
        return answer

    async with serving(handler, timeouts=QUICK) as client:
        assert len((await client.send(GET)).body) == 12_000


async def test_a_stream_cut_after_any_byte_is_our_error():
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    sent = bytearray()

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()

    async with talking(talk) as client:
        for byte in whole:
            with pytest.raises(ConnectionFailed):
                await client.send(GET)
            sent.append(byte)
        assert (await client.send(GET)).body == b"hello world"


async def test_what_is_no_http_is_our_error():
    async def talk(reader, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")

    async with talking(talk) as client:
        with pytest.raises(InformersError):
            await client.send(GET)


async def test_watches_never_starve_calls():
    """Each holds a connection; a pool of 100 would be gone."""
    opened = asyncio.Semaphore(0)

    async def handler(request):
        if "watch" not in request.query:
            return web.Response(text="served")
        answer = web.StreamResponse()
        await answer.prepare(request)
        opened.release()
        await asyncio.sleep(30)
        return answer

    async with serving(handler) as client, asyncio.TaskGroup() as group:

        async def watch():
            async with client.stream(WATCH) as stream:
                await stream.read(30.0)

        tasks = [group.create_task(watch()) for _ in range(150)]
        for _ in tasks:
            await opened.acquire()
        async with asyncio.timeout(2):
            assert (await client.send(GET)).body == b"served"
        for task in tasks:
            task.cancel()


@pytest.mark.parametrize("size", [5 * 2**20, 63 * 2**20], ids=["5 MiB", "63 MiB"])
async def test_a_line_of_any_size_comes_through(size):
    """A5: readline of the HTTP library stops at 4 MiB."""
    line = b"{" + b"x" * size + b"}"

    async def handler(request):
        return web.Response(body=line + b"\n{}\n")

    async with serving(handler) as client, client.stream(WATCH) as stream:
        splitter = LineSplitter()
        lines = []
        while chunk := await stream.read(5.0):
            lines += splitter.feed(chunk)
    assert [len(one) for one in lines] == [size + 2, 2]
    assert lines[0] == line


async def test_a_body_is_sent_with_its_type_even_when_empty():
    async def handler(request):
        return web.json_response({"type": request.content_type, "body": (await request.read()).decode()})

    async with serving(handler) as client:
        answer = json.loads((await client.send(CREATE)).body)
    assert answer == {"type": "application/json", "body": "{}"}


async def test_every_exchange_is_observed():
    seen = []

    class Observer:
        def called(self, request, code, seconds):
            seen.append((request.verb, code, seconds >= 0))

        def retried(self, request, code):
            seen.append((request.verb, f"again after {code}"))

    handler = Failing(lambda: status(404, "NotFound"))
    async with serving(handler, observer=Observer()) as client:
        with pytest.raises(ApiError):
            await client.send(GET)
        handler.answers.append(lambda: status(429, "TooManyRequests", {"Retry-After": "0"}))
        await client.send(GET)
    async with serving(_only("Bearer new"), observer=Observer(), credentials=Rotating()) as client:
        await client.send(GET)
    async with Client(Cluster("http://127.0.0.1:1"), observer=Observer()) as client:
        with pytest.raises(ConnectionFailed):
            await client.send(GET)
    assert seen == [
        ("get", "404", True),
        ("get", "429", True),
        ("get", "again after 429"),
        ("get", "200", True),
        ("get", "401", True),
        ("get", "again after 401"),
        ("get", "200", True),
        ("get", "<error>", True),
    ]


async def test_what_the_server_warns_of_is_logged_each_text_once(caplog):
    async def handler(request):
        answer = web.Response(text="done")
        answer.headers.add("Warning", '299 - "unknown field \\"spec.colour\\", ignored"')
        answer.headers.add("Warning", '299 - "v1beta1 is deprecated", 299 - "use v1"')
        answer.headers.add("Warning", "199 nonsense")
        return answer

    async with serving(handler) as client:
        for _ in range(3):
            await client.send(CREATE)

    assert [record.getMessage().partition(" warns: ")[2] for record in caplog.records] == [
        'unknown field "spec.colour", ignored',
        "v1beta1 is deprecated",
        "use v1",
    ]
    assert caplog.records[0].getMessage().startswith("create pods.v1 default/(new): the server")


async def test_an_abandoned_stream_gives_its_connection_up():
    closed = asyncio.Event()

    async def handler(request):
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"x")
                await asyncio.sleep(0.01)
        except (ConnectionError, asyncio.CancelledError):
            closed.set()
            raise

    async with serving(handler) as client:
        async with client.stream(WATCH) as stream:
            await stream.read(1.0)
        await asyncio.wait_for(closed.wait(), 5)


async def test_a_closed_client_says_so():
    client = Client(Cluster("http://127.0.0.1:1"))
    assert repr(client) == "<Client http://127.0.0.1:1 closed>"
    with pytest.raises(RuntimeError, match="async with client"):
        await client.send(GET)


async def test_a_proxy_is_used_when_the_configuration_names_one():
    seen = []

    async def handler(request):
        seen.append(request.raw_path if hasattr(request, "raw_path") else str(request.url))
        return web.Response(text="by proxy")

    async with serving(handler) as proxy, AsyncExitStack() as stack:
        behind = Cluster("http://cluster.example:80", proxy=proxy.cluster.server)
        client = await stack.enter_async_context(Client(behind))
        assert (await client.send(GET)).body == b"by proxy"
    assert "cluster.example" in seen[0]


@pytest.mark.parametrize(
    ("variable", "excepted", "used"),
    [("http_proxy", "", True), ("http_proxy", "other,cluster.example", False), ("https_proxy", "", False)],
)
async def test_a_proxy_of_the_environment_is_used_for_the_servers_it_is_for(monkeypatch, variable, excepted, used):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    async def handler(request):
        return web.Response(text="by proxy")

    async with serving(handler) as proxy, AsyncExitStack() as stack:
        monkeypatch.setenv(variable, proxy.cluster.server)
        monkeypatch.setenv("no_proxy", excepted)
        client = await stack.enter_async_context(Client(Cluster("http://cluster.example:1"), timeouts=QUICK))
        if used:
            assert (await client.send(GET)).body == b"by proxy"
        else:
            with pytest.raises(ConnectionFailed):
                await client.send(GET)


async def test_a_netrc_file_does_not_meddle_with_the_credentials(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with serving(_only("Bearer t")) as client:
        assert (await client.send(GET)).body == b"in"


class Issuing:
    """An exec plugin that issues a new certificate each time it is asked."""

    def __init__(self):
        self.certificate = ("cert-1", "key-1")

    async def header(self, *, refused=None):
        return None


async def test_a_new_certificate_opens_new_connections_and_leaves_running_streams_alone(monkeypatch):
    async def handler(request):
        if "watch" not in request.query:
            return web.Response(text="served")
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"one")
        await asyncio.sleep(0.2)
        await answer.write(b"two")
        return answer

    credentials = Issuing()
    async with serving(handler, credentials=credentials) as client, client.stream(WATCH) as stream:
        assert await stream.read(1.0) == b"one"
        before = client._pool
        credentials.certificate = ("cert-2", "key-2")
        assert (await client.send(GET)).body == b"served"
        assert client._pool is not before
        assert await stream.read(1.0) == b"two"


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_an_object_without_a_name_is_not_its_collection(name):
    """A DELETE of it would be one of all objects."""
    for build in (requests.get, requests.delete):
        with pytest.raises(ValueError, match=r"pods\.v1: expected the name of an object, found"):
            build(Pod, Key("default", name))
        with pytest.raises(ValueError, match=r"pods\.v1: expected the namespace of an object, found '\.\.'"):
            build(Pod, Key("..", "a"))


async def test_a_stream_that_was_left_reads_nobody_elses_answer():
    async def handler(request):
        await asyncio.sleep(0.05)
        return web.Response(text=request.path)

    async with serving(handler) as client:
        async with client.stream(WATCH) as stream:
            while await stream.read(5.0):
                pass
        asking = asyncio.ensure_future(client.send(GET))
        await asyncio.sleep(0)
        with pytest.raises(ConnectionFailed, match="no longer read"):
            await stream.read(5.0)
        assert (await asking).body == GET.path.encode()


async def test_a_client_is_entered_once_at_a_time():
    async with serving(_only("Bearer t")) as client:
        with pytest.raises(RuntimeError, match="the client is open already"):
            await client.__aenter__()
        assert (await client.send(GET)).body == b"in"
    async with client:  # and again afterwards
        pass


async def test_a_client_is_not_used_from_another_loop():
    async with serving(_only("Bearer t")) as client:
        await client.send(GET)
        with pytest.raises(RuntimeError, match="belongs to another event loop"):
            await asyncio.to_thread(lambda: asyncio.run(client.send(GET)))
        assert (await client.send(GET)).body == b"in"


@pytest.mark.parametrize(
    ("server", "proxy", "words"),
    [
        ("cluster.example", None, "server: expected http"),
        ("https://ada:secret@cluster.example", None, "server: https://cluster.example:443: expected no name and pass"),
        ("https://cluster.example", "socks5://a", "proxy-url: expected http"),
    ],
)
async def test_an_address_that_is_none_is_refused_when_the_client_is_opened(server, proxy, words):
    with pytest.raises(ConfigError, match=words) as caught:
        async with Client(Cluster(server, proxy=proxy)):
            pass
    assert "secret" not in str(caught.value)


async def test_a_scheme_in_capitals_is_the_same_scheme():
    """A token would go out in plain otherwise."""
    assert Cluster("HTTPS://cluster.example").ssl_context() is not None


@pytest.mark.parametrize("after", ["\u00b2", "-1", "soon"])
async def test_a_time_to_come_back_that_is_no_number_is_none(after):
    async def handler(request):
        return web.Response(status=503, headers={"Retry-After": after})

    async with serving(handler) as client:
        with pytest.raises(ServerError) as caught:
            await client.send(GET)
    assert caught.value.retry_after_seconds is None
