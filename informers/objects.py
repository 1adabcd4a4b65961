"""An object is the bytes the server sent plus a decoded header; two objects are equal when their bytes are.

The body stays bytes until somebody asks for it, so a copy of the cluster costs little more than its text, sharing it is
safe, and "did the status change" is a comparison of slices. managedFields are cut out on arrival: they are often the
larger half and no reader needs them; servers' built-in lists leave kind and apiVersion out, and they are put back, so
that the same object is the same bytes whether it came by list or by watch.

This module does not know where the bytes came from.
"""

from collections.abc import Mapping
from datetime import datetime
from sys import intern
from typing import Any, TypeVar

import msgspec

from windlass.informers.converter import parse_time
from windlass.informers.errors import ProtocolError
from windlass.informers.keys import Key
from windlass.informers.resources import Resource
from windlass.informers.typed import ObjectMeta, OwnerReference, structure

__all__ = ("Object", "ObjectList", "WrongKind")

T = TypeVar("T")


class _HeaderMeta(msgspec.Struct, rename="camel", gc=False):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    deletion_timestamp: str | None = None
    managed_fields: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Header(msgspec.Struct, rename="camel", gc=False):
    metadata: _HeaderMeta
    kind: str = ""


class _Owner(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class _DetailsMeta(msgspec.Struct, rename="camel"):
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: list[str] | None = None
    owner_references: list[_Owner] | None = None


class _Details(msgspec.Struct, rename="camel"):
    metadata: _DetailsMeta
    api_version: str = ""
    kind: str = ""


class _Body(msgspec.Struct):
    spec: msgspec.Raw = msgspec.Raw(b"")
    status: msgspec.Raw = msgspec.Raw(b"")


class _Meta(msgspec.Struct):
    metadata: msgspec.Raw


_HEADER = msgspec.json.Decoder(_Header)
_DETAILS = msgspec.json.Decoder(_Details)
_BODY = msgspec.json.Decoder(_Body)
_META = msgspec.json.Decoder(_Meta)
_ANY = msgspec.json.Decoder()
_MANAGED = b'"managedFields":'


class WrongKind(ProtocolError):
    """An object of another kind than was asked for; its version still tells how far a stream has come (R20)."""

    def __init__(self, found: str, resource: Resource, resource_version: str) -> None:
        self.resource_version = resource_version
        super().__init__(f"expected an object of kind {resource.kind}, found {found}")


class Object(msgspec.Struct, frozen=True, gc=False, repr_omit_defaults=True):
    """One object as the server sent it. Immutable and shared: no reader can harm another's view (I13).

    `raw`, `key`, `uid`, `resource_version` and `generation` are there at once; the rest is decoded from `raw` on each
    access, a microsecond or two for an object of common size.
    """

    raw: bytes
    key: Key
    uid: str
    resource_version: str
    generation: int
    deletion: str | None

    @classmethod
    def parse(cls, raw: bytes, resource: Resource | None = None, *, keep_managed_fields: bool = False) -> "Object":
        """The object in `raw`. With a resource, a missing kind and apiVersion are put back.

        Raises ProtocolError if the bytes are not a JSON object with metadata, WrongKind if its kind is another.
        """
        try:
            header = _HEADER.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProtocolError(f"not an API object: {error}: {raw[:120]!r}") from error
        meta = header.metadata
        if meta.managed_fields is not msgspec.UNSET and not keep_managed_fields:
            raw = _without_managed_fields(raw, bytes(meta.managed_fields))
        if resource is None or header.kind == resource.kind:
            pass
        elif header.kind:
            if header.kind != "PartialObjectMetadata":
                raise WrongKind(header.kind, resource, meta.resource_version)
        else:
            raw = b'{"kind":"%s","apiVersion":"%s",' % (resource.kind.encode(), resource.api_version.encode()) + raw[1:]
        return cls(
            raw,
            Key(intern(meta.namespace), meta.name),
            meta.uid,
            meta.resource_version,
            meta.generation,
            meta.deletion_timestamp,
        )

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return self.key.name

    @property
    def namespace(self) -> str:
        """`metadata.namespace`, "" for cluster-scoped objects."""
        return self.key.namespace

    @property
    def kind(self) -> str:
        """The kind, such as `Pod`."""
        return _DETAILS.decode(self.raw).kind

    @property
    def api_version(self) -> str:
        """The group and version, such as `apps/v1`."""
        return _DETAILS.decode(self.raw).api_version

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels; empty when there are none."""
        return _DETAILS.decode(self.raw).metadata.labels or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        """The annotations; empty when there are none."""
        return _DETAILS.decode(self.raw).metadata.annotations or {}

    @property
    def finalizers(self) -> tuple[str, ...]:
        """The finalizers, in order."""
        return tuple(_DETAILS.decode(self.raw).metadata.finalizers or ())

    @property
    def owner_references(self) -> tuple[OwnerReference, ...]:
        """The owners, in order."""
        return tuple(
            OwnerReference(one.api_version, one.kind, one.name, one.uid, one.controller, one.block_owner_deletion)
            for one in _DETAILS.decode(self.raw).metadata.owner_references or ()
        )

    @property
    def deletion_timestamp(self) -> datetime | None:
        """When deletion was asked for; None for a live object."""
        return None if self.deletion is None else parse_time(self.deletion)

    @property
    def metadata(self) -> ObjectMeta:
        """All metadata as one typed value."""
        return structure(bytes(_META.decode(self.raw).metadata), ObjectMeta)

    @property
    def spec(self) -> bytes:
        """The bytes of `.spec`, empty when there is none."""
        return bytes(_BODY.decode(self.raw).spec)

    @property
    def status(self) -> bytes:
        """The bytes of `.status`, empty when there is none."""
        return bytes(_BODY.decode(self.raw).status)

    def to_dict(self) -> dict[str, Any]:
        """A fresh dict of the whole object, the caller's to change."""
        return _ANY.decode(self.raw)  # type: ignore[no-any-return]  # parse() has seen that it is an object

    def as_(self, cls: type[T]) -> T:
        """The typed value. Raises StructureError with every fault."""
        return structure(self.raw, cls)

    def __repr__(self) -> str:
        return f"<Object {self.kind or '?'} {self.key} rv={self.resource_version or '-'}>"


class ObjectList(msgspec.Struct, frozen=True):
    """The objects of a list and the resource version of its snapshot."""

    items: list[Object]
    resource_version: str


def _without_managed_fields(raw: bytes, value: bytes) -> bytes:
    # Unescaped, the name can only be a key; if it stands there once, it is the one that the header found in metadata.
    # Searching from the end is three times as fast, and a joint copies everything once.
    start = raw.find(_MANAGED)
    end = start + len(_MANAGED) + len(value)
    if start < 0 or not raw.startswith(value, start + len(_MANAGED)) or raw.rfind(_MANAGED) != start:
        return _without_managed_fields_slowly(raw)
    if raw[start - 1] == 0x2C:  # the comma before it
        start -= 1
    elif raw[end] == 0x2C:  # it came first: the comma after it
        end += 1
    return b"".join((raw[:start], raw[end:]))


def _without_managed_fields_slowly(raw: bytes) -> bytes:
    # White space, or another key of the same name somewhere in the object: decode, drop, encode.
    value = _ANY.decode(raw)
    value["metadata"].pop("managedFields", None)
    return msgspec.json.encode(value)
