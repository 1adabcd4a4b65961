"""The recorder asks a server as a contender would, and keeps the answers; each widget changes once, by a blank stamp.

It does not hurry: how fast the server writes is not what a replay measures.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any, Final

import msgspec

from windlass.benchmarks.errors import RecordingFailed
from windlass.benchmarks.replay.recording import Recording, blank
from windlass.benchmarks.widgets import GROUP, WIDGET, name_of
from windlass.informers.api import Api
from windlass.informers.client import Client
from windlass.informers.errors import ApiError
from windlass.informers.keys import Key
from windlass.informers.requests import ListOptions, PatchType, list_page, raw_get, watch

__all__ = ("record",)

_AT_ONCE: Final = 32
_SILENCE_SECONDS: Final = 60.0


class _Version(msgspec.Struct):
    resourceVersion: str  # noqa: N815  # the field's own name


class _List(msgspec.Struct):
    metadata: _Version
    items: list[msgspec.Raw]


class _Groups(msgspec.Struct):
    class Group(msgspec.Struct):
        """A group of discovery."""

        class Version(msgspec.Struct, rename="camel"):
            """A version of it."""

            group_version: str

        name: str
        versions: list[Version]

    groups: list[Group]


class _Object(msgspec.Struct):
    metadata: _Version


class _Event(msgspec.Struct):
    type: str
    object: _Object


_LIST: Final = msgspec.json.Decoder(_List)
_GROUPS: Final = msgspec.json.Decoder(_Groups)
_EVENT: Final = msgspec.json.Decoder(_Event)


async def record(
    api: Api, namespace: str, count: int, *, progress: Callable[[int], None] = lambda _: None
) -> Recording:
    """The list of a population of `count` widgets, and one change of each; nobody else may change any meanwhile.

    `progress` hears how many changes are recorded. Raises RecordingFailed, ApiError and ConnectionFailed.
    """
    found = _LIST.decode((await api.client.send(list_page(WIDGET, ListOptions(namespace)))).body)
    if len(found.items) != count:
        raise RecordingFailed(f"expected {count} widgets in {namespace}, found {len(found.items)}")
    documents = await _discovery(api.client)

    async def listen() -> list[bytes]:
        events: list[bytes] = []
        async with aclosing(_changes(api.client, namespace, found.metadata.resourceVersion)) as changes:
            while len(events) < count:
                events.append(await anext(changes))
                progress(len(events))
        return events

    try:
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(listen())
            await _change_all(api, namespace, count)
    except BaseExceptionGroup as errors:
        raise _first(errors) from errors
    return Recording(
        documents=documents,
        path=WIDGET.path(None),
        api_version=f"{GROUP}/v1",
        kind="Widget",
        version=found.metadata.resourceVersion,
        items=[bytes(item) for item in found.items],
        events=listening.result(),
        tls=api.client.cluster.server.startswith("https"),
    )


async def _discovery(client: Client) -> dict[str, bytes]:
    documents: dict[str, bytes] = {}

    async def keep(path: str) -> None:
        with suppress(ApiError):  # a group whose own server is away, or a page that this server has not
            documents[path] = (await client.send(raw_get(path))).body

    for path in ("/version", "/api", "/api/v1", "/apis"):
        await keep(path)
    for group in _GROUPS.decode(documents["/apis"]).groups:
        await keep(f"/apis/{group.name}")
        for version in group.versions:
            await keep(f"/apis/{version.group_version}")
    return documents


async def _change_all(api: Api, namespace: str, count: int) -> None:
    numbers = iter(range(count))
    body: dict[str, Any] = {"spec": {"stamp": blank()}}

    async def work() -> None:
        for number in numbers:
            await api.patch(WIDGET, Key(namespace, name_of(number)), body, type=PatchType.MERGE, field_manager="bench")

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())


async def _changes(client: Client, namespace: str, version: str) -> AsyncGenerator[bytes, None]:
    """The lines of a watch, a change each, without end. Watches end when the server likes, and go on here."""
    while True:
        async with client.stream(watch(WIDGET, ListOptions(namespace), resource_version=version)) as stream:
            rest = b""
            while part := await stream.read(_SILENCE_SECONDS):
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    event = _EVENT.decode(line)
                    if event.type not in ("MODIFIED", "BOOKMARK"):
                        raise RecordingFailed(f"expected that widgets change and no more, found {line[:200]!r}")
                    version = event.object.metadata.resourceVersion
                    if event.type == "MODIFIED":
                        yield line + b"\n"


def _first(error: BaseException) -> BaseException:
    # 32 workers that fail at the same thing have one thing to say.
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
