"""A server of as many widgets as one likes, which holds none of them: each is written when it is asked for.

It speaks as much of the API as a manager needs: the version, lists, watches that begin with all objects or with none,
status patches that come back as events. What its pipe tells it to send, it sends as fast as it can: `("events", COUNT)`
updates each of the first COUNT widgets, `("expire",)` tells every watch that it is too old, so that all is listed anew;
from `("delay", SECONDS)` on patches are answered so much later.
"""

import asyncio
import os
import re
from collections.abc import Iterator
from multiprocessing.connection import Connection

import msgspec
from aiohttp import web

from windlass.benchmarks.widgets import GROUP, WIDGET, widget

AT_ONCE = 40  # objects that are written with one call
VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
_NAME = re.compile(r".*/widgets/widget-(\d+)/status")


class Widgets:
    """The widgets as text: a template, and what is different in each."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.version = count  # widget N was made at version N + 1
        self._changed: dict[int, tuple[int, str]] = {}
        value = widget(0, "NAMESPACE")
        value["metadata"] |= {
            "name": "NAME",
            "uid": "UID",
            "resourceVersion": "VERSION",
            "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [_managed("bench", "f:spec"), _managed("guard", "f:status")],
        }
        value["status"] = {"phase": "PHASE", "observedGeneration": 1}
        text = msgspec.json.encode(value).replace(b"%", b"%%")
        for word, place in (
            (b"NAMESPACE", b"ns-%(shard)d"),
            (b"NAME", b"widget-%(index)06d"),
            (b"UID", b"00000000-0000-4000-8000-%(index)012d"),
            (b'"VERSION"', b'"%(version)d"'),
            (b"PHASE", b"%(phase)b"),
        ):
            text = text.replace(word, place, 1)
        self._text = text

    def body(self, index: int) -> bytes:
        version, phase = self._changed.get(index, (index + 1, "New"))
        fields = {b"shard": index % 10, b"index": index, b"version": version, b"phase": phase.encode()}
        return self._text % fields

    def change(self, index: int, phase: str | None = None) -> bytes:
        """The event of a change of one widget."""
        self.version += 1
        before = self._changed.get(index, (0, "New"))[1]
        self._changed[index] = self.version, phase if phase is not None else before
        return b'{"type":"MODIFIED","object":%b}\n' % self.body(index)

    def parts(self) -> Iterator[list[bytes]]:
        for start in range(0, self.count, AT_ONCE):
            yield [self.body(index) for index in range(start, min(start + AT_ONCE, self.count))]

    def bookmark(self) -> bytes:
        metadata = {"resourceVersion": str(self.version), "annotations": {"k8s.io/initial-events-end": "true"}}
        value = {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": metadata}
        return msgspec.json.encode({"type": "BOOKMARK", "object": value}) + b"\n"


def _managed(manager: str, field: str) -> dict[str, object]:
    fields = {f"f:{letter}": {} for letter in "abcdefgh"}
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": f"{GROUP}/v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {field: fields},
    }


class Server:
    """Answers, and has the watches that are open."""

    def __init__(self, count: int) -> None:
        self.widgets = Widgets(count)
        self.delay_seconds = 0.0
        self._watches: list[asyncio.Queue[bytes]] = []

    async def get(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/version":
            return web.json_response(VERSION)
        if not request.path.endswith(f"/{WIDGET.plural}"):
            raise web.HTTPNotFound
        if request.query.get("watch") in ("1", "true"):
            return await self._watch(request)
        return await self._list(request)

    async def patch(self, request: web.Request) -> web.Response:
        found = _NAME.fullmatch(request.path)
        if found is None:
            raise web.HTTPNotFound
        index = int(found[1])
        phase = msgspec.json.decode(await request.read())["status"]["phase"]
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        self.tell(self.widgets.change(index, phase))
        return web.Response(body=self.widgets.body(index), content_type="application/json")

    def tell(self, data: bytes) -> None:
        for watch in self._watches:
            watch.put_nowait(data)

    async def send(self, count: int) -> None:
        """An event for each of the first `count` widgets."""
        for start in range(0, count, AT_ONCE):
            self.tell(b"".join(self.widgets.change(index) for index in range(start, min(start + AT_ONCE, count))))
            await asyncio.sleep(0)

    def expire(self) -> None:
        """End every watch; what is listed after that has a change in it that no watch told of."""
        self.widgets.change(0)
        status = {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"}
        self.tell(msgspec.json.encode({"type": "ERROR", "object": status}) + b"\n")
        self.tell(b"")

    async def _list(self, request: web.Request) -> web.StreamResponse:
        limit = int(request.query.get("limit", "0"))
        response = await _begun(request)
        await response.write(b'{"apiVersion":"%b/v1","kind":"WidgetList","items":[' % GROUP.encode())
        for number, part in enumerate(self.widgets.parts()):
            shown = part[:limit] if limit else part
            await response.write((b"," if number else b"") + b",".join(shown))
            if limit:
                break
        await response.write(b'],"metadata":{"resourceVersion":"%d"}}' % self.widgets.version)
        return response

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = await _begun(request)
        watch: asyncio.Queue[bytes] = asyncio.Queue()
        if "sendInitialEvents" in request.query:
            for part in self.widgets.parts():
                await response.write(b"".join(b'{"type":"ADDED","object":%b}\n' % one for one in part))
            await response.write(self.widgets.bookmark())
        self._watches.append(watch)
        try:
            while data := await watch.get():
                await response.write(data)
        finally:
            self._watches.remove(watch)
        return response


async def _begun(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    return response


def serve(count: int, core: int, pipe: Connection) -> None:
    """The process: sends its port, then does what the pipe says until it is closed."""
    os.sched_setaffinity(0, {core})
    asyncio.run(_serve(count, pipe))


async def _serve(count: int, pipe: Connection) -> None:
    server = Server(count)
    app = web.Application()
    app.router.add_get("/{path:.*}", server.get)
    app.router.add_patch("/{path:.*}", server.patch)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pipe.send(runner.addresses[0][1])
    orders: asyncio.Queue[tuple[object, ...]] = asyncio.Queue()

    def read() -> None:
        try:
            orders.put_nowait(pipe.recv())
        except EOFError:
            orders.put_nowait(("end",))

    asyncio.get_running_loop().add_reader(pipe.fileno(), read)
    while (order := await orders.get())[0] != "end":
        if order[0] == "events":
            await server.send(int(str(order[1])))
        elif order[0] == "delay":
            server.delay_seconds = float(str(order[1]))
        else:
            server.expire()
    asyncio.get_running_loop().remove_reader(pipe.fileno())
    await runner.cleanup()
