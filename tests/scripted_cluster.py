"""A collection in memory that lists, pages, watches, forgets and fails on request: what informers are tried on.

It speaks through `client`, which has what feeds need of a Client, so everything runs in virtual time. It does not
simulate validation, conflicts or more than one resource; the embedded server does.
"""

import asyncio
import json
import random
from collections import deque
from contextlib import asynccontextmanager

from windlass.informers.client import Response
from windlass.informers.errors import ApiError, ConnectionFailed
from windlass.informers.feed import FeedOptions
from windlass.informers.informer import Informer
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.phases import Policy
from windlass.informers.resources import Resource
from windlass.informers.store import Added, Deleted, Updated

WIDGET = Resource("ex.dev", "v1", "Widget", "widgets")
LISTS = Policy(streaming=False)


def body(name, version, *, namespace="default", uid=None, **fields):
    """The JSON value of a widget."""
    metadata = {"name": name, "namespace": namespace, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"apiVersion": "ex.dev/v1", "kind": "Widget", "metadata": metadata, **fields}


def encode(value):
    return json.dumps(value, separators=(",", ":")).encode()


def widget(name, version, **fields):
    """A widget as an informer holds it."""
    return Object.parse(encode(body(name, version, **fields)))


def status(code, reason, message="no", **details):
    return {
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
        "details": details,
    }


def refusal(code, reason, message="no", **details):
    return ApiError.of(code, encode(status(code, reason, message, **details)))


def too_large():
    return refusal(504, "Timeout", "Too large resource version", causes=[{"reason": "ResourceVersionTooLarge"}])


class ScriptedCluster:
    """One collection, at first of an object of each of `names`.

    `script` holds errors for the next requests; `requests` what was asked, oldest first.
    """

    def __init__(self, *names, streaming=True, server_pages_all=False):
        self.version = 10
        self.objects = {}
        self.history = []
        self.compacted = 0
        self.streaming = streaming
        self.server_pages_all = server_pages_all
        self.script = deque()
        self.requests = []
        self.opened_at = []
        self.streams = []
        self.client = ScriptedClient(self)
        self.bookmark_initial_end = True
        self.down_until = 0.0
        self.cut = None  # (bytes, how it ends: None for cleanly, or an error) of the next answer with a body
        for name in names:
            self.put(name)

    def put(self, name, *, namespace="default", **fields):
        self.version += 1
        key = Key(namespace, name)
        old = self.objects.get(key)
        uid = old["metadata"]["uid"] if old else f"uid-{name}-{self.version}"
        self.objects[key] = body(name, self.version, namespace=namespace, uid=uid, **fields)
        self._record("MODIFIED" if old else "ADDED", self.objects[key])

    def delete(self, name, *, namespace="default"):
        self.version += 1
        gone = self.objects.pop(Key(namespace, name))
        gone = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.version)}}
        self._record("DELETED", gone)

    def bookmark(self, **annotations):
        for stream in self.streams:
            stream.send(self.bookmark_event(**annotations))

    def bookmark_event(self, **annotations):
        metadata = {"resourceVersion": str(self.version), "annotations": annotations}
        return {"type": "BOOKMARK", "object": {"kind": "Widget", "apiVersion": "ex.dev/v1", "metadata": metadata}}

    def emit(self, event):
        """One event to every open stream, whatever it is."""
        for stream in self.streams:
            stream.send(event)

    def emit_bytes(self, data):
        for stream in self.streams:
            stream.send_bytes(data)

    def end_streams(self, error=None):
        for stream in list(self.streams):
            stream.end(error)

    def compact(self):
        """Forget all history: an older version is now too old."""
        self.compacted = self.version
        self.history.clear()

    def fail(self, *errors):
        self.script.extend(errors)

    def held(self, namespace=None):
        """What a store must hold."""
        return {key: encode(one) for key, one in self.objects.items() if namespace in (None, key.namespace)}

    def asked(self, name):
        """The values of one query parameter over all requests, None where it was absent."""
        return [dict(request.query).get(name) for request in self.requests]

    @property
    def verbs(self):
        return [request.verb for request in self.requests]

    def _record(self, kind, value):
        self.history.append((self.version, kind, value))
        self.emit_change(kind, value)

    def emit_change(self, kind, value):
        for stream in list(self.streams):
            if stream.namespace in (None, value["metadata"]["namespace"]):
                stream.send({"type": kind, "object": value})


class ScriptedClient:
    """As much of a Client as feeds use."""

    dry_run = False

    def __init__(self, cluster):
        self._cluster = cluster
        self.streaming_lists = None
        self.version = ("1", "34+")
        self.cluster = type("Address", (), {"server": "http://scripted"})()

    async def send(self, request, *, retries=None):
        assert request.path == "/version"
        major, minor = self.version
        return Response(200, {}, encode({"major": major, "minor": minor}))

    @asynccontextmanager
    async def stream(self, request):
        cluster = self._cluster
        cluster.requests.append(request)
        cluster.opened_at.append(asyncio.get_running_loop().time())
        if asyncio.get_running_loop().time() < cluster.down_until:
            raise ConnectionFailed("connection refused", sent=False)
        failure = cluster.script.popleft() if cluster.script else None
        if isinstance(failure, Exception):
            raise failure
        query = dict(request.query)
        namespace = request.path.split("/namespaces/")[1].split("/")[0] if "/namespaces/" in request.path else None
        if "watch" not in query:
            body = self._page(query, namespace)
            yield _Body(body) if cluster.cut is None else self._short(body)
            return
        stream = self._watch(query, namespace)
        if cluster.cut is not None:
            yield self._short(b"".join(stream._chunks))
            return
        cluster.streams.append(stream)
        try:
            yield stream
        finally:
            if stream in cluster.streams:
                cluster.streams.remove(stream)

    def _short(self, body):
        (after, error), self._cluster.cut = self._cluster.cut, None
        stream = ScriptedStream(self._cluster)
        if after:
            stream.send_bytes(body[:after])
        stream.end(error)
        return stream

    def _page(self, query, namespace):
        cluster = self._cluster
        token, version = query.get("continue", ""), query.get("resourceVersion", "")
        self._check(version)
        start = 0
        snapshot = cluster.version
        if token:
            snapshot, start = map(int, token.split("."))
            if snapshot < cluster.compacted:
                raise refusal(410, "Expired", "The provided continue parameter is too old")
        limit = int(query.get("limit", "0"))
        if version == "0" and not cluster.server_pages_all:
            limit = 0
        items = sorted(
            (one for key, one in cluster.objects.items() if namespace in (None, key.namespace)),
            key=lambda one: (one["metadata"]["namespace"], one["metadata"]["name"]),
        )
        page = items[start : start + limit] if limit else items[start:]
        following = f"{snapshot}.{start + limit}" if limit and start + limit < len(items) else ""
        metadata = {"resourceVersion": str(snapshot), "continue": following}
        return encode({"apiVersion": "ex.dev/v1", "items": page, "kind": "WidgetList", "metadata": metadata})

    def _watch(self, query, namespace):
        cluster = self._cluster
        version = query.get("resourceVersion", "")
        stream = ScriptedStream(cluster, namespace)
        if query.get("sendInitialEvents") == "true":
            if not cluster.streaming:
                raise refusal(422, "Invalid", "sendInitialEvents is forbidden for watch")
            self._check(version)
            for key, one in cluster.objects.items():
                if namespace in (None, key.namespace):
                    stream.send({"type": "ADDED", "object": one})
            if cluster.bookmark_initial_end:
                stream.send(cluster.bookmark_event(**{"k8s.io/initial-events-end": "true"}))
            return stream
        if int(version or 0) < cluster.compacted:
            stream.send({"type": "ERROR", "object": status(410, "Expired", f"too old resource version: {version}")})
            stream.end()
            return stream
        for at, type_, value in cluster.history:
            if at > int(version or 0) and namespace in (None, value["metadata"]["namespace"]):
                stream.send({"type": type_, "object": value})
        return stream

    def _check(self, version):
        cluster = self._cluster
        if version and int(version) > cluster.version:
            raise too_large()


class _Body:
    def __init__(self, data):
        self._data = data

    async def read(self, silence_seconds):
        await asyncio.sleep(0)
        data, self._data = self._data, b""
        return data


class ScriptedStream:
    def __init__(self, cluster, namespace=None):
        self._cluster = cluster
        self.namespace = namespace
        self._chunks = deque()
        self._wake = asyncio.Event()
        self._over = False
        self._error = None

    def send(self, event):
        self.send_bytes(encode(event) + b"\n")

    def send_bytes(self, data):
        self._chunks.append(data)
        self._wake.set()

    def end(self, error=None):
        self._over, self._error = True, error
        if self in self._cluster.streams:
            self._cluster.streams.remove(self)
        self._wake.set()

    async def read(self, silence_seconds):
        try:
            async with asyncio.timeout(silence_seconds):
                while not self._chunks:
                    if self._over:
                        if self._error is not None:
                            raise self._error
                        return b""
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            raise ConnectionFailed(f"silent for {silence_seconds:.0f} s") from None
        return self._chunks.popleft()


@asynccontextmanager
async def running(*parts):
    """Run each part in a task until the end of the block, then cancel it; a part that fails first is raised."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part.run()) for part in parts]
        yield
        for task in tasks:
            task.cancel()


async def settle(turns=20):
    """Let everything that can happen at this instant happen."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def until(condition, seconds=20.0, message="", *, turn=0.02):
    """Wait until `condition`, a function or coroutine function, is true; AssertionError if it never is."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = condition()
                if await found if asyncio.iscoroutine(found) else found:
                    return
                await asyncio.sleep(turn)
    except TimeoutError:
        raise AssertionError(message or f"not true after {seconds} s") from None


def informer_of(cluster, policy=LISTS, *, namespace=None, seed=1, **options):
    return Informer(
        cluster.client, WIDGET, namespace=namespace, options=FeedOptions(policy, rng=random.Random(seed), **options)
    )


@asynccontextmanager
async def synced(cluster, policy=LISTS, *, log=None, seconds=5, **options):
    """An informer that runs and is synced within `seconds`; `log` takes what a handler of it is told from the start."""
    informer = informer_of(cluster, policy, **options)
    if log is not None:
        informer.add_handler(log.append, name="log")
    async with running(informer):
        await informer.ready(seconds)
        yield informer


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
