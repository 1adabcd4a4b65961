"""Rows that come out of a CSV file agree with the schema: every value of its type, none missing, all finite (P1).

Arrow parses whole blocks. A block in which it finds a mistake is halved until the records at fault are alone, so that
the same parser judges every row, and what is wrong with one row never touches the others.
"""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from windlass.serving.data.errors import LibraryMissing, SchemaError, Unreadable
from windlass.serving.data.records import Block, header_of, records_of
from windlass.serving.data.schema import Column, Schema, Table

__all__ = ("Bad", "CsvFile", "Parsed", "rows_of")

_ARROW_SAYS = re.compile(r"(?:In CSV column #(\d+): )?(?:CSV parse error: )?(?:Row #\d+: )?(.*)", re.DOTALL)


@attrs.frozen
class Bad:
    """A record that breaks the schema. `row` counts from 1 in its block."""

    row: int
    offset: int
    why: str
    record: bytes = attrs.field(repr=False)


@attrs.frozen(eq=False)
class Parsed:
    """The good rows of a block in their order, and the bad ones."""

    table: Table
    bad: tuple[Bad, ...]


def rows_of(table: Table) -> int:
    """How many rows a table has."""
    return len(next(iter(table.values())))


class CsvFile:
    """One file, whose header was held against the schema.

    Raises SchemaError when a column of the schema is missing or there twice, Unreadable for what is no CSV,
    LibraryMissing without pyarrow.
    """

    def __init__(self, path: Path, schema: Schema, *, block_bytes: int = 1 << 20) -> None:
        try:
            import pyarrow as arrow  # noqa: ICN001, PLC0415  (an extra, and slow to import)
            import pyarrow.csv  # noqa: PLC0415
        except ImportError as error:
            raise LibraryMissing("pyarrow", extra="csv") from error
        self._arrow: Any = arrow
        self.path, self.schema = path, schema
        header, self.begins = header_of(path, limit=block_bytes)
        self.names = self._header(header)
        self._options = self._made_options()

    def __repr__(self) -> str:
        return f"<CsvFile {self.path} columns={len(self.names)}>"

    def parse(self, block: Block) -> Parsed:
        """The rows of a block. Synchronous; it works for as long as the block is large."""
        table = self._tried(block.content)
        if not isinstance(table, str) and not self._faults(table):
            return Parsed(self._columns(table), ())
        records = list(records_of(block.content))
        good: list[Any] = []
        bad: list[Bad] = []
        for first, last, found in self._halved(records, 0, len(records)):
            if isinstance(found, str):
                offset, record = records[first]
                bad.append(Bad(first + 1, block.offset + offset, found, record))
            elif last > first:
                good.append(found)
        whole = self._arrow.concat_tables(good) if good else self._empty()
        return Parsed(self._columns(whole.combine_chunks()), tuple(bad))

    def _halved(self, records: list[tuple[int, bytes]], first: int, last: int) -> Iterator[tuple[int, int, Any]]:
        if first == last:
            return
        found = self._tried(b"\n".join(record for _, record in records[first:last]))
        if not isinstance(found, str):
            faults = self._faults(found)
            if not faults:
                yield first, last, found
                return
            if last - first == 1:
                found = faults
        if last - first == 1:
            yield first, last, found
            return
        middle = (first + last) // 2
        yield from self._halved(records, first, middle)
        yield from self._halved(records, middle, last)

    def _tried(self, content: bytes) -> Any:
        """The Arrow table, or why there is none."""
        if not content.strip():
            return self._empty()
        try:
            return self._arrow.csv.read_csv(self._arrow.BufferReader(content), **self._options)
        except self._arrow.ArrowInvalid as error:
            column, why = _ARROW_SAYS.fullmatch(str(error)).groups()  # type: ignore[union-attr]
            why = " ".join(why.split())[:200]
            return why if column is None else f"column {self.names[int(column)]!r}: {why}"

    def _faults(self, table: Any) -> str:
        for column in self.schema.columns:
            values = table.column(column.name)
            if column.fill is None and values.null_count:
                return f"column {column.name!r}: missing"
            if column.kind == "number" and not np.isfinite(values.fill_null(0.0).to_numpy()).all():
                return f"column {column.name!r}: expected a finite number, found infinity or NaN"
        return ""

    def _columns(self, table: Any) -> Table:
        return {column.name: self._array(column, table.column(column.name)) for column in self.schema.columns}

    def _array(self, column: Column, values: Any) -> np.ndarray[Any, Any]:
        if column.fill is not None and values.null_count:
            fill = int(column.fill) if column.kind == "integer" else column.fill
            values = values.fill_null(self._arrow.scalar(fill, type=values.type))
        # One chunk of numbers without nulls is a view on what Arrow has parsed.
        values = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
        array: np.ndarray[Any, Any] = values.to_numpy(zero_copy_only=False)
        return array

    def _empty(self) -> Any:
        arrow = self._arrow
        return arrow.schema([(one.name, self._types[one.name]) for one in self.schema.columns]).empty_table()

    @property
    def _types(self) -> dict[str, Any]:
        arrow = self._arrow
        kinds = {"number": arrow.float64(), "category": arrow.string(), "integer": arrow.int64()}
        return {column.name: kinds[column.kind] for column in self.schema.columns}

    def _made_options(self) -> dict[str, Any]:
        options = self._arrow.csv
        return {
            # One thread and one chunk: the order of rows is theirs in the file, and memory is bounded by the block.
            "read_options": options.ReadOptions(use_threads=False, column_names=self.names, block_size=1 << 30),
            "parse_options": options.ParseOptions(newlines_in_values=True),
            "convert_options": options.ConvertOptions(
                column_types=self._types,
                include_columns=[column.name for column in self.schema.columns],
                null_values=list(self.schema.missing),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        }

    def _header(self, record: bytes) -> list[str]:
        try:
            (names,) = csv.reader(io.StringIO(record.decode(), newline=""), strict=True)
        except (csv.Error, ValueError) as error:
            raise Unreadable(f"{self.path}: the header is no text that can be read: {error}") from error
        names = [name.strip() for name in names]
        for column in self.schema.columns:
            count = names.count(column.name)
            if count != 1:
                found = "none" if count == 0 else f"{count} of that name"
                raise SchemaError(
                    f"{self.path}: expected a column {column.name!r}, found {found}: {', '.join(names)[:300]}"
                )
        return names
