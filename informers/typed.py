"""A typed object is a frozen attrs value of an untyped one: `structure` and `unstructure` are inverse for known fields.

Fields that the class does not know are ignored when reading (an older program may meet a newer object) and are never
written, unless the class has a field for them, marked `Rest`. This module does not know requests, caches or the schema
that is generated from the same classes.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, TypeVar

import attrs
import msgspec
from cattrs import BaseConverter

from windlass.informers.converter import CONVERTER, JsonName, Rest, attrs_unstructurer, faults_of, structured
from windlass.informers.errors import StructureError
from windlass.informers.keys import Key
from windlass.informers.resources import Resource, resource_of

__all__ = ("CustomResource", "JsonName", "ObjectMeta", "OwnerReference", "Rest", "structure", "unstructure")

T = TypeVar("T")


@attrs.frozen
class OwnerReference:
    """A link from a dependent to its owner; `uid` makes it point at one life of the owner's name."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


@attrs.frozen
class ObjectMeta:
    """The metadata every object carries. Absent texts are "", an absent generation is 0, absent times are None."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: Mapping[str, str] = attrs.field(factory=dict)
    annotations: Mapping[str, str] = attrs.field(factory=dict)
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    generate_name: Annotated[str, JsonName("generateName")] = ""

    @property
    def key(self) -> Key:
        """The object's key."""
        return Key(self.namespace, self.name)


@attrs.frozen
class CustomResource:
    """The base of users' kinds: `@kind("example.com/v1") @attrs.frozen class Database(CustomResource): spec: …`."""

    __windlass_resource__: ClassVar[Resource]

    metadata: ObjectMeta = attrs.field(factory=ObjectMeta, kw_only=True)

    @property
    def key(self) -> Key:
        """The object's key."""
        return self.metadata.key


def structure(raw: bytes | Mapping[str, Any], cls: type[T]) -> T:
    """The instance of `cls` that an object describes.

    Raises StructureError with every fault as `$.spec.replicas: expected an integer, found "three"`.
    """
    value: Any = raw
    if isinstance(raw, bytes):
        try:
            value = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StructureError(cls.__name__, [f"$: expected JSON, found {raw[:80]!r} ({error})"]) from error
    try:
        return structured(value, cls)
    except Exception as error:
        faults = faults_of(error, value, cls)
        raise StructureError(_subject(value, cls), faults) from error


def unstructure(value: object) -> dict[str, Any]:
    """The JSON value of an attrs instance, ready for a request's body; a registered kind gets apiVersion and kind."""
    return CONVERTER.unstructure(value)  # type: ignore[no-any-return]  # an attrs instance becomes a dict


def _subject(value: object, cls: type) -> str:
    metadata = value.get("metadata") if isinstance(value, Mapping) else None
    if not isinstance(metadata, Mapping) or not metadata.get("name"):
        return cls.__name__
    namespace = metadata.get("namespace")
    return f"{cls.__name__} {namespace}/{metadata['name']}" if namespace else f"{cls.__name__} {metadata['name']}"


def _register() -> None:
    write_meta = CONVERTER.get_unstructure_hook(ObjectMeta)

    def unstructure_meta(meta: ObjectMeta) -> dict[str, Any]:
        # Empty means absent here: a body with `finalizers: []` would claim the field in a server-side apply.
        return {name: value for name, value in write_meta(meta).items() if value}

    CONVERTER.register_unstructure_hook(ObjectMeta, unstructure_meta)

    CONVERTER.register_unstructure_hook_factory(
        lambda cls: isinstance(cls, type) and issubclass(cls, CustomResource), _object_unstructurer
    )


def _object_unstructurer(cls: type[CustomResource], converter: BaseConverter) -> Callable[[Any], dict[str, Any]]:
    write = attrs_unstructurer(cls, converter)
    header: dict[str, Any] = {}
    if hasattr(cls, "__windlass_resource__"):
        resource = resource_of(cls)
        header = {"apiVersion": resource.api_version, "kind": resource.kind}
    return lambda value: header | write(value)


_register()
