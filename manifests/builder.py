"""A definition put together by a program: each step returns a new builder, and ``build`` checks it as a whole.

``CRDBuilder[T]`` knows the class, so a path may be a function (``lambda db: db.spec.replicas``) that a type checker
reads: a field that does not exist is an error before anything runs.

This module does not know how a schema is made.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

import attrs

from windlass.informers.converter import json_names
from windlass.informers.typed import CustomResource
from windlass.manifests.annotations import peel
from windlass.manifests.crd import Webhook, crd
from windlass.manifests.errors import InvalidKind
from windlass.manifests.kinds import KindInfo, check_subresources, info_of
from windlass.manifests.paths import Column, ColumnType, Scale, check_column, node_at
from windlass.manifests.schema import schema_of
from windlass.manifests.versions import Versions

__all__ = ("CRDBuilder", "path_of")

T = TypeVar("T", bound=CustomResource)
S = TypeVar("S", bound=CustomResource)

_COLUMN_TYPES: Final[Mapping[str, ColumnType]] = {
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
}
Path: TypeAlias = str | Callable[[T], object]
"""``.spec.replicas``, or a function that reads that field of an object."""


class _Trail:
    """Stands in for an object, and remembers which fields were read."""

    def __init__(self, cls: Any, steps: tuple[str, ...]) -> None:
        self._cls = cls
        self._steps = steps

    def __getattr__(self, name: str) -> "_Trail":
        names = json_names(self._cls) if isinstance(self._cls, type) and attrs.has(self._cls) else {}
        if name not in names:
            where = getattr(self._cls, "__name__", repr(self._cls))
            raise InvalidKind(
                where,
                rule="a path reads fields",
                found=f"the attribute {name!r}",
                expected=f"one of {', '.join(names) or 'none, for this is no attrs class'}",
            )
        field = attrs.fields_dict(self._cls)[name]
        return _Trail(peel(field.type).base, (*self._steps, names[name]))


def path_of(cls: type[T], read: Path[T]) -> str:
    """The JSON path of the field that ``read`` reads of an object; a text is returned as it is.

    Raises ``InvalidKind`` for a function that reads something else than nested fields.
    """
    if isinstance(read, str):
        return read
    found: Any = read(cast("T", _Trail(cls, ())))
    if not isinstance(found, _Trail) or not found._steps:
        raise InvalidKind(
            cls.__name__, rule="a path reads fields", found=repr(found), expected="lambda x: x.spec.field"
        )
    return "".join(f".{step}" for step in found._steps)


@attrs.frozen
class CRDBuilder(Generic[T]):
    """The definition of the kind ``cls``, which is registered; what the decorator said of it is where this begins.

    Raises ``InvalidKind`` at the step that is wrong, or in ``build`` for what only the whole shows.
    """

    cls: type[T]
    _versions: Versions[T] = attrs.field()
    _changes: Mapping[str, Any] = attrs.field(factory=dict)
    _metadata: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    _webhook: Webhook | None = None

    @_versions.default
    def _alone(self) -> Versions[T]:
        return Versions(self.cls)

    def column(
        self,
        name: str,
        path: Path[T],
        *,
        type: ColumnType | None = None,  # noqa: A002 - the column's own word
        wide: bool = False,
    ) -> "CRDBuilder[T]":
        """Add a column to ``kubectl get``, or to ``-o wide`` alone. ``type`` follows from the field."""
        where = f"{self.cls.__name__} column {name!r}"
        json_path, schema = path_of(self.cls, path), schema_of(self.cls)
        if type is None:
            node = node_at(json_path, schema, where, rule="the path of a column (R-06)")
            dated = node.get("format") == "date-time" or json_path.endswith("Timestamp")
            type = "date" if dated else _COLUMN_TYPES.get(str(node.get("type")), "string")  # noqa: A001
        column = Column(name, json_path, type, priority=1 if wide else 0)
        check_column(column, schema, where)
        return self._with(columns=(*self._info.columns, column))

    def short_name(self, name: str) -> "CRDBuilder[T]":
        """Add a short name."""
        return self._with(short_names=(*self._info.short_names, name))

    def category(self, name: str) -> "CRDBuilder[T]":
        """Add a category, such as ``all``."""
        return self._with(categories=(*self._info.categories, name))

    def scale(self, replicas: Path[T], observed: Path[T], *, selector: Path[T] | None = None) -> "CRDBuilder[T]":
        """Offer the scale subresource."""
        text = None if selector is None else path_of(self.cls, selector)
        return self._with(scale=Scale(path_of(self.cls, replicas), path_of(self.cls, observed), text))

    def selectable(self, *paths: Path[T]) -> "CRDBuilder[T]":
        """Let field selectors use these fields."""
        return self._with(selectable=(*self._info.selectable, *(path_of(self.cls, path) for path in paths)))

    def label(self, name: str, value: str) -> "CRDBuilder[T]":
        """Put a label on the definition itself."""
        return self._marked("labels", name, value)

    def annotation(self, name: str, value: str) -> "CRDBuilder[T]":
        """Put an annotation on the definition itself."""
        return self._marked("annotations", name, value)

    def version(self, cls: type[S], *, up: Callable[[S], T], down: Callable[[T], S]) -> "CRDBuilder[T]":
        """Serve another version beside this one, which stays the one that is stored; see ``Versions.also``."""
        return attrs.evolve(self, versions=self._versions.also(cls, up=up, down=down))

    def converted_by(self, webhook: Webhook) -> "CRDBuilder[T]":
        """Have the versions converted by a webhook."""
        return attrs.evolve(self, webhook=webhook)

    @property
    def versions(self) -> Versions[T]:
        """The versions, for the webhook."""
        return self._versions

    def build(self) -> dict[str, Any]:
        """Return the definition as plain JSON values."""
        check_subresources(self._info, schema_of(self.cls), self.cls.__name__)
        made = crd(self._versions, conversion=self._webhook, infos={self.cls: self._info})
        return {**made, "metadata": {**made["metadata"], **self._metadata}}

    @property
    def _info(self) -> KindInfo:
        return attrs.evolve(info_of(self.cls), **self._changes)

    def _with(self, **changes: Any) -> "CRDBuilder[T]":
        return attrs.evolve(self, changes={**self._changes, **changes})

    def _marked(self, kind: str, name: str, value: str) -> "CRDBuilder[T]":
        return attrs.evolve(self, metadata={**self._metadata, kind: {**self._metadata.get(kind, {}), name: value}})
