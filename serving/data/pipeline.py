"""One piece of code turns columns into features, in training and behind the endpoint, and its digest proves that.

Numbers are standardised, categories become one column of 0 or 1 each, a category that was never seen is 0 in all of
them. The digest covers schema and statistics and what this code makes of rows that follow from them: a server whose
code computes anything else has another digest, and refuses (skew).

    {"schema": {...}, "statistics": {...}, "digest": "<hex>"}
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import attrs
import msgspec
import numpy as np
import numpy.typing as npt

from windlass.serving.data.digests import digest_of, digest_of_arrays
from windlass.serving.data.errors import SchemaError, Skew
from windlass.serving.data.fitting import Categories, Numbers, Statistics
from windlass.serving.data.schema import Column, Schema, Table

__all__ = ("Pipeline",)


class _Document(msgspec.Struct, kw_only=True):
    schema: Schema
    statistics: dict[str, Numbers | Categories]
    digest: str


_DOCUMENT = msgspec.json.Decoder(_Document)


@attrs.frozen(eq=False, slots=False)
class Pipeline:
    """A schema and what was learned for it. `names` are the features, in the order of their columns."""

    schema: Schema
    statistics: Statistics

    def __attrs_post_init__(self) -> None:
        for column in self.schema.features:
            found = self.statistics.get(column.name)
            if not isinstance(found, Categories if column.kind == "category" else Numbers):
                raise SchemaError(f"statistics: {column.name!r}: expected those of a {column.kind}, found {found!r}")

    def __repr__(self) -> str:
        return f"<Pipeline features={len(self.names)} {self.digest[:12]}>"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """`age` for a number, `city=Oslo` for a value of a category."""
        return tuple(self._names())

    @cached_property
    def digest(self) -> str:
        """Of the schema, the statistics, and what this code makes of witnesses: rows made of the statistics."""
        statistics = {name: msgspec.to_builtins(found) for name, found in self.statistics.items()}
        witness = digest_of_arrays({"features": self.transform(self._witnesses())})
        return digest_of({"schema": attrs.asdict(self.schema), "statistics": statistics, "witness": witness})

    def transform(self, table: Table) -> npt.NDArray[np.float32]:
        """The features, rows by columns, FP32. The label, if it is there, is left alone."""
        columns = self.schema.features
        rows = len(table[columns[0].name])
        features = np.zeros((rows, len(self.names)), dtype=np.float32)
        place = 0
        for column in columns:
            found = self.statistics[column.name]
            if isinstance(found, Numbers):
                features[:, place] = (table[column.name] - found.mean) / found.deviation
                place += 1
            else:
                for value in found.values:
                    features[:, place] = table[column.name] == value
                    place += 1
        return features

    def inverse(self, features: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[Any]]:
        """The columns that these are the features of, up to the precision of FP32; an unseen category is None."""
        table: dict[str, npt.NDArray[Any]] = {}
        place = 0
        for column in self.schema.features:
            found = self.statistics[column.name]
            if isinstance(found, Numbers):
                table[column.name] = features[:, place].astype(np.float64) * found.deviation + found.mean
                place += 1
                continue
            width = len(found.values)
            flags = features[:, place : place + width] > 0.5
            values = np.array([*found.values, None], dtype=object)
            table[column.name] = values[np.where(flags.any(axis=1), flags.argmax(axis=1) if width else 0, width)]
            place += width
        return table

    def example(self) -> dict[str, npt.NDArray[Any]]:
        """A row that the pipeline takes: the means, and a value of each category."""
        table: dict[str, npt.NDArray[Any]] = {}
        for column in self.schema.features:
            found = self.statistics[column.name]
            if isinstance(found, Categories):
                table[column.name] = np.array([found.values[0] if found.values else "?"], dtype=object)
            else:
                dtype = np.int64 if column.kind == "integer" else np.float64
                table[column.name] = np.array([found.mean]).astype(dtype)
        return table

    def to_json(self) -> bytes:
        """The document; the same bytes for the same pipeline."""
        statistics = {name: msgspec.to_builtins(found) for name, found in self.statistics.items()}
        document = {"schema": attrs.asdict(self.schema), "statistics": statistics, "digest": self.digest}
        return msgspec.json.encode(document, order="deterministic")

    @classmethod
    def from_json(cls, content: bytes, *, digest: str | None = None) -> "Pipeline":
        """The pipeline of a document.

        Raises SchemaError for what is none, Skew when this code computes another digest than the document says, or
        than the given `digest` does.
        """
        try:
            document = _DOCUMENT.decode(content)
        except msgspec.DecodeError as error:
            raise SchemaError(f"the document is no pipeline: {error}") from error
        pipeline = cls(document.schema, document.statistics)
        for said, by in ((document.digest, "its document"), (digest, "the model's description")):
            if said is not None and said != pipeline.digest:
                raise Skew(f"the pipeline is {pipeline.digest} here, but {by} says {said}")
        return pipeline

    def _names(self) -> Iterator[str]:
        for column in self.schema.features:
            found = self.statistics[column.name]
            if isinstance(found, Numbers):
                yield column.name
            else:
                yield from (f"{column.name}={value}" for value in found.values)

    def _witnesses(self) -> Mapping[str, npt.NDArray[Any]]:
        return {column.name: self._witness(column) for column in self.schema.features}

    def _witness(self, column: Column) -> npt.NDArray[Any]:
        found = self.statistics[column.name]
        if isinstance(found, Numbers):
            steps = np.array([0.0, 1.0, -1.0, 1 / 3, 1e6])
            return found.mean + steps * found.deviation
        values = [*found.values[:2], found.values[-1] if found.values else "", "\0 never seen", ""]
        return np.array([*values, "", ""][:5], dtype=object)
