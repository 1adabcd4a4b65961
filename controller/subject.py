"""What the helpers need to know of an object, in whichever of its two shapes the caller holds it.

A reconciler holds typed instances (`CustomResource`) of its own kinds and `Object`s of all others. Helpers that write
about an object (owners, finalizers, status, events) see it through `subject_of` and need not care.
"""

from typing import Any, TypeAlias

import attrs
import msgspec

from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.resources import resource_of
from windlass.informers.typed import CustomResource

__all__ = ("AnyObject", "Subject", "subject_and_status", "subject_of")


class _SeenMeta(msgspec.Struct):
    finalizers: list[str] | None = None


class _Seen(msgspec.Struct, rename="camel"):
    metadata: _SeenMeta
    api_version: str = ""
    kind: str = ""


class _SeenWithStatus(_Seen, rename="camel"):
    status: dict[str, Any] | None = None


_SEEN = msgspec.json.Decoder(_Seen)
_SEEN_WITH_STATUS = msgspec.json.Decoder(_SeenWithStatus)

AnyObject: TypeAlias = Object | CustomResource


@attrs.frozen
class Subject:
    """An object's identity and the metadata that writes depend on. Empty strings for what the object does not have."""

    api_version: str
    kind: str
    key: Key
    uid: str
    resource_version: str
    finalizers: tuple[str, ...]
    deleting: bool

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


def subject_of(obj: AnyObject) -> Subject:
    """The subject of an Object or of an instance of a registered class. Raises UnregisteredKind for other classes."""
    if isinstance(obj, Object):
        return _subject(obj, _SEEN.decode(obj.raw))
    resource = resource_of(type(obj))
    metadata = obj.metadata
    return Subject(
        api_version=resource.api_version,
        kind=resource.kind,
        key=metadata.key,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        finalizers=metadata.finalizers,
        deleting=metadata.deletion_timestamp is not None,
    )


def subject_and_status(obj: Object) -> tuple[Subject, dict[str, Any]]:
    """The subject and the status, empty where there is none, for the price of one look at the object's text."""
    seen = _SEEN_WITH_STATUS.decode(obj.raw)
    return _subject(obj, seen), seen.status or {}


def _subject(obj: Object, seen: _Seen) -> Subject:
    return Subject(
        api_version=seen.api_version,
        kind=seen.kind,
        key=obj.key,
        uid=obj.uid,
        resource_version=obj.resource_version,
        finalizers=tuple(seen.metadata.finalizers or ()),
        deleting=obj.deletion is not None,
    )
