"""A parser makes objects and events of bytes; a line that cannot be read becomes an event that says so.

Servers write an event in one way, which is recognised by its first and last bytes: then the object is decoded once,
where it lies. Any other way of writing it is decoded twice and comes to the same event.

This module does not know streams, and not what an event leads to.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from windlass.informers.causes import failure_of
from windlass.informers.errors import ApiError, ProtocolError
from windlass.informers.objects import Object, WrongKind
from windlass.informers.phases import Cause, Failure
from windlass.informers.resources import Resource
from windlass.informers.signals import BookmarkSeen, ErrorSeen, ObjectSeen, Skipped, StreamEnded

__all__ = ("Parser", "StreamEvent", "Transform")

Transform = Callable[[dict[str, Any]], dict[str, Any]]
"""Changes an object on its way in; must be idempotent, may change its argument."""

StreamEvent = ObjectSeen | BookmarkSeen | Skipped | ErrorSeen | StreamEnded
"""What a line of a watch can say; StreamEnded when it cannot be read."""

log = logging.getLogger(__name__)


class _WatchEvent(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _BookmarkMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class _Bookmark(msgspec.Struct):
    metadata: _BookmarkMeta


_BAD_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError)
_EVENT = msgspec.json.Decoder(_WatchEvent)
_BOOKMARK = msgspec.json.Decoder(_Bookmark)
_OBJECT_TYPES = ("MODIFIED", "ADDED", "DELETED")
_STARTS = tuple((kind, b'{"type":"%s","object":{' % kind.encode()) for kind in _OBJECT_TYPES)


class Parser:
    """Reads the objects of one resource. One transform that raises spoils nothing: the object is kept as it came."""

    def __init__(self, resource: Resource, *, transform: Transform | None, keep_managed_fields: bool) -> None:
        self._resource = resource
        self._transform = transform
        self._keep_managed_fields = keep_managed_fields

    def objects(self, raws: Iterable[msgspec.Raw]) -> list[Object]:
        """Items of a list. Raises ProtocolError for what is no object, WrongKind for one of another kind."""
        return [self._object(bytes(raw)) for raw in raws]

    def event(self, line: bytes) -> StreamEvent:
        """A line of a watch, without its newline."""
        for kind, start in _STARTS:
            if line.startswith(start) and line.endswith(b"}}"):
                try:
                    return ObjectSeen(kind, self._object(line[len(start) - 1 : -1]))
                except ProtocolError:
                    break  # it goes on after the object, or is of a wrong kind, or is no JSON at all
        return self._any_event(line)

    def _any_event(self, line: bytes) -> StreamEvent:
        try:
            event = _EVENT.decode(line)
            raw = bytes(event.object)
            if event.type == "BOOKMARK":
                return _bookmark(raw)
            if event.type == "ERROR":
                return ErrorSeen(failure_of(ApiError.of(0, raw)))
            if event.type not in _OBJECT_TYPES:
                return Skipped(_version_in(raw))
            return ObjectSeen(event.type, self._object(raw))
        except WrongKind as error:
            return Skipped(error.resource_version)
        except (*_BAD_JSON, ProtocolError) as error:
            return StreamEnded(
                Failure(Cause.MALFORMED, f"a line of the stream cannot be read: {error}: {line[:120]!r}")
            )

    def _object(self, raw: bytes) -> Object:
        one = Object.parse(raw, self._resource, keep_managed_fields=self._keep_managed_fields)
        if self._transform is None:
            return one
        try:
            return _transformed(one, self._transform)
        except Exception:
            # One odd object must not end the copy of all; untrimmed it is larger, and not wrong.
            log.exception("%s: the transform failed on %s; the object is kept as it came", self._resource, one.key)
            return one


def _bookmark(raw: bytes) -> BookmarkSeen:
    meta = _BOOKMARK.decode(raw).metadata
    return BookmarkSeen(meta.resource_version, (meta.annotations or {}).get("k8s.io/initial-events-end") == "true")


def _version_in(raw: bytes) -> str:
    try:
        return _BOOKMARK.decode(raw).metadata.resource_version
    except _BAD_JSON:
        return ""


def _transformed(one: Object, transform: Transform) -> Object:
    before = one.to_dict()
    identity = {name: before["metadata"].get(name) for name in ("name", "namespace", "uid", "resourceVersion")}
    after = transform(before)
    # Without these no store, no watch and no barrier could work, so a transform cannot take them away (R28).
    after["metadata"] = {**after.get("metadata", {}), **{name: value for name, value in identity.items() if value}}
    return Object.parse(msgspec.json.encode(after), keep_managed_fields=True)
