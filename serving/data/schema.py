"""A column has the type that the schema gives it, never one that was guessed from what the file holds (P1)."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

import attrs
import numpy.typing as npt

from windlass.serving.data.errors import SchemaError

__all__ = ("MISSING", "Column", "Schema", "Table")

MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None")
"""The spellings of a missing value, unless a schema has its own."""

Table: TypeAlias = Mapping[str, npt.NDArray[Any]]


def _as_written(fill: int | float | str | None) -> float | str | None:
    # A document has one form for 0 and 0.0, and so has a digest.
    return float(fill) if type(fill) is int else fill


@attrs.frozen
class Column:
    """A column of a table.

    `kind` is `number` (FP64, finite), `category` (text) or `integer` (64 bits). A missing value is replaced by
    `fill`; without one, a row that misses it is bad.
    """

    name: str
    kind: Literal["number", "category", "integer"] = "number"
    fill: float | str | None = attrs.field(default=None, converter=_as_written)


def _tuple(values: object) -> tuple[Any, ...]:
    return tuple(values)  # type: ignore[arg-type]


@attrs.frozen
class Schema:
    """The columns that are read, in their order; a file may have others. `label` names one of them, if there is one.

    `missing` are the spellings of a missing value. Raises SchemaError with every fault at once.
    """

    columns: tuple[Column, ...] = attrs.field(converter=_tuple)
    label: str | None = None
    missing: tuple[str, ...] = attrs.field(converter=_tuple, default=MISSING)

    def __attrs_post_init__(self) -> None:
        faults = list(self._faults())
        if faults:
            raise SchemaError("; ".join(faults))

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that are not the label."""
        return tuple(column for column in self.columns if column.name != self.label)

    def _faults(self) -> Iterator[str]:
        names = [column.name for column in self.columns]
        if not self.features:
            yield "columns: expected at least one that is not the label"
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"columns: {name!r} is given twice"
        if self.label is not None and self.label not in names:
            yield f"label: expected one of {', '.join(names)}, found {self.label!r}"
        for column in self.columns:
            fill = column.fill
            if fill is None:
                continue
            text = column.kind == "category"
            number = isinstance(fill, int | float) and not isinstance(fill, bool) and math.isfinite(fill)
            whole = number and (column.kind == "number" or float(fill).is_integer())
            if not (isinstance(fill, str) if text else whole):
                wanted = {"category": "text", "number": "a finite number", "integer": "a whole number"}[column.kind]
                yield f"columns: {column.name!r}: fill: expected {wanted}, found {fill!r}"
