"""One call, one object: reading and writing through the server, past every cache.

Bodies are dicts or instances of registered classes; answers are Objects. Writes report to an observer, through which a
cache knows what it must have seen before it may be read again (F9).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import msgspec

from windlass.informers import requests
from windlass.informers.client import Client
from windlass.informers.errors import ProtocolError
from windlass.informers.framing import ListSplitter
from windlass.informers.keys import Key
from windlass.informers.objects import Object, ObjectList
from windlass.informers.requests import FieldValidation, ListOptions, PatchType, Propagation, Request, WriteOptions
from windlass.informers.resources import Kind, Resource, resource_of
from windlass.informers.typed import CustomResource, unstructure

__all__ = ("Api", "Body", "Write", "WriteObserver")

Body = Mapping[str, Any] | CustomResource
_PLAIN = WriteOptions()


class Write(Protocol):
    """One write under way."""

    def wrote(self, written: Object) -> None:
        """The server has stored this."""

    def deleting(self, uid: str) -> None:
        """The object of this uid is gone or going, and no finalizer holds it."""


class WriteObserver(Protocol):
    """Who wants to know of writes before they are sent."""

    def writing(self, resource: Resource, key: Key) -> AbstractContextManager[Write]:
        """Entered before the request is sent, left after its answer or failure."""


class _Unwatched:
    def wrote(self, written: Object) -> None:
        """Nobody asks."""

    def deleting(self, uid: str) -> None:
        """Nobody asks."""


class _StatusAnswer(msgspec.Struct):
    class Details(msgspec.Struct):
        """What a Status is about."""

        uid: str = ""

    kind: str = ""
    details: Details | None = None


_STATUS = msgspec.json.Decoder(_StatusAnswer)


class Api:
    """Reads and writes of single objects. Every method raises ApiError, ConnectionFailed or ProtocolError."""

    def __init__(self, client: Client, *, observer: WriteObserver | None = None) -> None:
        self.client = client
        self.observer = observer

    async def get(self, kind: Kind, key: Key, *, subresource: str | None = None) -> Object:
        """The object as the server has it now."""
        resource = resource_of(kind)
        return await self._object(requests.get(resource, key, subresource=subresource), _answer(resource, subresource))

    async def list(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
        limit: int = 500,
    ) -> ObjectList:
        """Every object that matches, as one consistent snapshot read in pages of `limit` (0: one page)."""
        items: list[Object] = []
        version = ""
        async for page in self.pages(kind, namespace=namespace, labels=labels, fields=fields, limit=limit):
            items += page.items
            version = page.resource_version
        return ObjectList(items, version)

    async def pages(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
        limit: int = 500,
    ) -> AsyncIterator[ObjectList]:
        """The same list page by page. Raises Gone when the server has forgotten the snapshot between two pages."""
        resource = resource_of(kind)
        options = ListOptions(namespace, labels, fields)
        token = ""
        while True:
            request = requests.list_page(resource, options, limit=limit, continue_token=token)
            body = (await self.client.send(request)).body
            splitter = ListSplitter()
            items: list[Object] = []
            try:
                for raws in splitter.feed(body):
                    items += [Object.parse(bytes(raw), resource) for raw in raws]
                    await asyncio.sleep(0)  # a page can be many megabytes, and others want to run, too (A4)
                raws, tail = splitter.finish()
                items += [Object.parse(bytes(raw), resource) for raw in raws]
            except ProtocolError as error:
                raise ProtocolError(f"{request.what}: {error}") from error
            yield ObjectList(items, tail.resource_version)
            token = tail.continue_token
            if not token:
                return

    async def create(
        self,
        kind: Kind,
        body: Body,
        *,
        namespace: str | None = None,
        name: str = "",
        subresource: str | None = None,
        options: WriteOptions = _PLAIN,
    ) -> Object:
        """Create an object, in `namespace` or the body's own; with name and subresource, post to that."""
        resource, value = resource_of(kind), _value(body)
        metadata = value.get("metadata") or {}
        where = namespace if namespace is not None else metadata.get("namespace", "")
        request = requests.create(
            resource, _encode(value), namespace=where, name=name, subresource=subresource, options=options
        )
        # What a subresource answers (an eviction, a token) is not the object, and has no version of its own.
        key = None if subresource else Key(where, metadata.get("name", ""))
        return await self._write(request, resource, key, options, subresource=subresource)

    async def replace(
        self, kind: Kind, body: Body, *, subresource: str | None = None, options: WriteOptions = _PLAIN
    ) -> Object:
        """Replace an object whole; the body's resourceVersion makes it conditional (Conflict when it is old)."""
        resource, value = resource_of(kind), _value(body)
        key = _key_in(value)
        request = requests.replace(resource, key, _encode(value), subresource=subresource, options=options)
        return await self._write(request, resource, key, options, subresource=subresource)

    async def patch(
        self,
        kind: Kind,
        key: Key,
        patch: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        type: PatchType = PatchType.MERGE,  # noqa: A002 - the API's own word
        subresource: str | None = None,
        field_manager: str | None = None,
        force: bool = False,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
    ) -> Object:
        """Patch an object. A JSON patch is a list of operations, the others are partial objects."""
        resource = resource_of(kind)
        options = WriteOptions(field_manager, dry_run, field_validation, force)
        request = requests.patch(resource, key, _encode(patch), type=type, subresource=subresource, options=options)
        return await self._write(request, resource, key, options, subresource=subresource)

    async def apply(
        self,
        kind: Kind,
        body: Body,
        *,
        field_manager: str,
        force: bool = True,
        subresource: str | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
    ) -> Object:
        """Server-side apply: the object is to have these fields, and this manager is to own them."""
        resource, value = resource_of(kind), _value(body)
        value = {"apiVersion": resource.api_version, "kind": resource.kind, **value}
        key = _key_in(value)
        options = WriteOptions(field_manager, dry_run, field_validation, force)
        request = requests.patch(
            resource, key, _encode(value), type=PatchType.APPLY, subresource=subresource, options=options
        )
        return await self._write(request, resource, key, options, subresource=subresource)

    async def delete(
        self,
        kind: Kind,
        key: Key,
        *,
        propagation: Propagation | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        dry_run: bool = False,
    ) -> Object | None:
        """Ask for an object's deletion; the object when a finalizer still holds it, None when it is gone."""
        resource = resource_of(kind)
        request = requests.delete(
            resource, key, propagation=propagation, uid=uid, resource_version=resource_version, dry_run=dry_run
        )
        with self._writing(resource, None if dry_run else key) as write:
            body = (await self.client.send(request)).body
            answer = _decode(_STATUS, body, request)
            if answer.kind == "Status":
                gone = uid or (answer.details.uid if answer.details else "")
                if gone:
                    write.deleting(gone)
                return None
            held = _parse(body, resource)
            if held.finalizers or held.deletion is not None:
                write.wrote(held)
                return held
            write.deleting(held.uid)  # some built-ins answer with the object they have deleted
            return None

    async def delete_collection(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
        propagation: Propagation | None = None,
        dry_run: bool = False,
    ) -> None:
        """Ask for the deletion of every object that matches. Caches do not wait for it: list again to be sure."""
        request = requests.delete_collection(
            resource_of(kind), ListOptions(namespace, labels, fields), propagation=propagation, dry_run=dry_run
        )
        await self.client.send(request)

    async def server_version(self) -> str:
        """The server's `gitVersion`, such as `v1.34.1`."""
        request = requests.raw_get("/version")
        answer = _decode(msgspec.json.Decoder(dict[str, Any]), (await self.client.send(request)).body, request)
        return str(answer.get("gitVersion", ""))

    async def _object(self, request: Request, answer: Resource | None) -> Object:
        return _parse((await self.client.send(request)).body, answer)

    async def _write(
        self, request: Request, resource: Resource, key: Key | None, options: WriteOptions, *, subresource: str | None
    ) -> Object:
        with self._writing(resource, None if options.dry_run else key) as write:
            written = await self._object(request, _answer(resource, subresource))
            write.wrote(written)
            return written

    def _writing(self, resource: Resource, key: Key | None) -> AbstractContextManager[Write]:
        if self.observer is None or key is None or self.client.dry_run:
            return nullcontext(_Unwatched())
        return self.observer.writing(resource, key)

    def __repr__(self) -> str:
        return f"<Api {self.client.cluster.server}>"


def _value(body: Body) -> Mapping[str, Any]:
    return body if isinstance(body, Mapping) else unstructure(body)


def _answer(resource: Resource, subresource: str | None) -> Resource | None:
    # All but `status` have kinds of their own: Scale, TokenRequest; an Eviction is answered by a Status.
    return resource if subresource in (None, "status") else None


def _parse(body: bytes, resource: Resource | None) -> Object:
    # The server ends a document with a newline; by list and watch the same object comes without one.
    return Object.parse(body.rstrip(), resource)


def _key_in(value: Mapping[str, Any]) -> Key:
    metadata = value.get("metadata") or {}
    if not metadata.get("name"):
        raise ValueError(f"an object's body must carry metadata.name, found metadata {dict(metadata)!r}")
    return Key(metadata.get("namespace") or "", metadata["name"])


def _encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def _decode(decoder: msgspec.json.Decoder[Any], body: bytes, request: Request) -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(
            f"{request.what}: the answer is not what was asked for ({error}): {body[:120]!r}"
        ) from error
