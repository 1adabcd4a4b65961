"""What a pipeline knows of data, it learned from the rows it was fitted on, in one pass and in bounded memory (P3).

A column of numbers is remembered by its mean and deviation, one of categories by its values in order. Sums are exact
enough to be merged: mean and squared deviations of blocks, as T. Chan et al. put them together, 1979.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import attrs
import msgspec
import numpy as np
import numpy.typing as npt

from windlass.serving.data.errors import DataProblem, SchemaError
from windlass.serving.data.schema import Column, Schema, Table

__all__ = ("Categories", "Numbers", "Statistics", "Sums", "fit")


class Numbers(msgspec.Struct, frozen=True, tag="numbers"):
    """`mean` and `deviation` of a column of numbers; a deviation of 0 is kept as 1."""

    mean: float
    deviation: float


class Categories(msgspec.Struct, frozen=True, tag="categories"):
    """The values that were seen, in the order of their text."""

    values: tuple[str, ...]


Statistics = Mapping[str, Numbers | Categories]
"""What was learned, by the name of the column."""


@attrs.define
class Sums:
    """Count, mean and squared deviations of all numbers so far."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: npt.NDArray[Any]) -> None:
        """And these numbers."""
        n = len(values)
        if n == 0:
            return
        with np.errstate(over="ignore", invalid="ignore"):  # judged when all of them are known
            mean = float(values.mean())
            squares = float(np.square(values - mean).sum())
        both = self.n + n
        distance = mean - self.mean
        self.squares += squares + distance * distance * self.n * n / both
        self.mean += distance * n / both
        self.n = both

    def learned(self) -> tuple[float, float]:
        """Mean and deviation; a deviation of 0 counts as 1."""
        return self.mean, math.sqrt(self.squares / self.n) or 1.0


def fit(schema: Schema, tables: Iterable[Table], *, categories_max: int = 10_000) -> Statistics:
    """The statistics of the features over all rows of the tables, which should be those of the training split alone.

    Raises DataProblem when there is no row, a sum is too large, or a column has more than `categories_max` values.
    """
    sums = {column.name: Sums() for column in schema.features if column.kind != "category"}
    seen: dict[str, set[str]] = {column.name: set() for column in schema.features if column.kind == "category"}
    rows = 0
    for table in tables:
        rows += len(table[schema.columns[0].name])
        for name, found in sums.items():
            found.add(table[name].astype(np.float64))
        for name, values in seen.items():
            values.update(table[name].tolist())
            if len(values) > categories_max:
                raise DataProblem(f"column {name!r}: more than {categories_max} values; is it a category?")
    if rows == 0:
        raise DataProblem("there is no row to fit on")
    return {column.name: _learned(column, sums, seen) for column in schema.features}


def _learned(column: Column, sums: dict[str, Sums], seen: dict[str, set[str]]) -> Numbers | Categories:
    if column.kind == "category":
        return Categories(tuple(sorted(seen[column.name])))
    mean, deviation = sums[column.name].learned()
    if not math.isfinite(deviation) or not math.isfinite(mean):
        raise SchemaError(f"column {column.name!r}: its numbers are too large for a mean and a deviation")
    return Numbers(mean, deviation)
