"""What the helpers need to know of an object, in whichever of its two shapes the caller holds it.

A reconciler holds typed instances (`CustomResource`) of its own kinds and `Object`s of all others. Helpers that write
about an object (owners, finalizers, status, events) see it through `subject_of` and need not care.
"""

from typing import TypeAlias

import attrs
import msgspec

from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.resources import resource_of
from windlass.informers.typed import CustomResource

__all__ = ("AnyObject", "Subject", "subject_of")


class _SeenMeta(msgspec.Struct):
    finalizers: list[str] | None = None


class _Seen(msgspec.Struct, rename="camel"):
    metadata: _SeenMeta
    api_version: str = ""
    kind: str = ""


_SEEN = msgspec.json.Decoder(_Seen)

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
        seen = _SEEN.decode(obj.raw)  # at once, where each of the object's own properties would decode it again
        return Subject(
            api_version=seen.api_version,
            kind=seen.kind,
            key=obj.key,
            uid=obj.uid,
            resource_version=obj.resource_version,
            finalizers=tuple(seen.metadata.finalizers or ()),
            deleting=obj.deletion is not None,
        )
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
