"""Stop anywhere, go on from the state, and the batches are byte for byte those of a run that was not stopped (P4).

The order of an epoch follows from the seed and the epoch: shards are shuffled, and rows within their block, each block
by a generator of its own, so that a state needs no generator's inside. A state is small: epoch, place in the order of
shards, byte offset of a block, and how many rows of it are taken. Memory holds a block, its rows, and a batch.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import attrs
import msgspec
import numpy as np

from windlass.serving.data.digests import chained, digest_of
from windlass.serving.data.errors import BadRow, DataProblem, SchemaError, StateMismatch
from windlass.serving.data.lineage import Counts, Step, lineage
from windlass.serving.data.records import blocks
from windlass.serving.data.schema import Schema, Table
from windlass.serving.data.tables import Bad, CsvFile, Parsed, rows_of

__all__ = ("Batch", "Quarantine", "Reader", "Reading", "State")


@attrs.frozen
class Reading:
    """How tables are read.

    `batch_rows` is the size of every batch but the last of an epoch. `block_bytes` bounds a record, and what is in
    memory. `on_bad` says what a row that breaks the schema does: `error` ends the reading, `skip` leaves the row out,
    `quarantine` puts it aside as well; more than `bad_max` in one epoch are an error all the same. `shuffle` is by
    `seed` and epoch.
    """

    batch_rows: int = 256
    block_bytes: int = 1 << 20
    on_bad: Literal["error", "skip", "quarantine"] = "error"
    bad_max: int = 10_000
    shuffle: bool = False
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        for name in ("batch_rows", "block_bytes"):
            if getattr(self, name) < 1:
                raise SchemaError(f"{name}: expected at least 1, found {getattr(self, name)}")


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where to go on.

    `of` is a digest of the files' names and sizes, the schema and the settings. `taken` rows of the block at `offset`,
    in the order of the epoch, are out already; `counted` is what blocks before it held. `out` and `digest` are of all
    batches so far.
    """

    of: str
    epoch: int = 0
    shard: int = 0
    offset: int = 0
    taken: int = 0
    row: int = 0
    counted: Counts = Counts()
    out: int = 0
    digest: str = ""


@attrs.frozen(eq=False)
class Batch:
    """Rows, and the state from which the next batch follows."""

    table: Table
    state: State = attrs.field(repr=False)


class Quarantine(Protocol):
    """Where bad rows are put aside. It is told of a row again when a reading resumes within its block."""

    def put(self, path: Path, bad: Bad, *, row: int) -> None:
        """Keep the row, once; `row` counts from 1 in the file."""


@attrs.frozen(eq=False)
class _Rows:
    """The rows of a block in the order of the epoch, and the states before and after the block."""

    table: Table
    before: State
    after: State

    def taken(self, count: int) -> State:
        """The state after so many of its rows."""
        return self.after if count == rows_of(self.table) else msgspec.structs.replace(self.before, taken=count)


class Reader:
    """Batches of the rows of several files of one schema.

    `ended` is the state at the end of the latest epoch that was read to its end, behind any bad rows after the last
    batch; None before.

    Raises SchemaError and Unreadable for files that do not fit. `quarantine` is wanted when `on_bad` says so.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        schema: Schema,
        *,
        reading: Reading | None = None,
        quarantine: Quarantine | None = None,
    ) -> None:
        self.schema = schema
        self.reading = reading or Reading()
        if not paths:
            raise SchemaError("expected at least one file, found none")
        if self.reading.on_bad == "quarantine" and quarantine is None:
            raise SchemaError("on_bad is 'quarantine': expected a quarantine, found none")
        self._quarantine = quarantine
        self.ended: State | None = None
        self.files = [CsvFile(path, schema, block_bytes=self.reading.block_bytes) for path in paths]
        self.inputs: list[dict[str, object]] = [{"file": path.name, "bytes": path.stat().st_size} for path in paths]
        settings = {"schema": attrs.asdict(schema), "reading": attrs.asdict(self.reading)}
        self.digest = digest_of({"files": self.inputs, **settings})

    def __repr__(self) -> str:
        return f"<Reader files={len(self.files)} {self.digest[:12]}>"

    def begin(self, epoch: int = 0) -> State:
        """The state at the beginning of an epoch."""
        return State(of=self.digest, epoch=epoch)

    def batches(self, state: State | None = None) -> Iterator[Batch]:
        """The batches of an epoch, from a state on; those of epoch 0 by default.

        Raises StateMismatch for a state of something else, BadRow, and Unreadable. Closing it closes the file.
        """
        state = state if state is not None else self.begin()
        if state.of != self.digest:
            here = f"these files, their schema and settings are {self.digest[:12]}"
            raise StateMismatch(f"the state belongs to {state.of[:12]}, but {here}")
        size, digest, out = self.reading.batch_rows, state.digest, state.out
        parts: list[Table] = []
        rows, after = 0, state
        for block in self._rows(state):
            start = block.before.taken
            while start < rows_of(block.table):
                stop = min(rows_of(block.table), start + size - rows)
                parts.append({name: values[start:stop] for name, values in block.table.items()})
                rows += stop - start
                start, after = stop, block.taken(stop)
                if rows == size:
                    batch = _made(parts, after, out=out, digest=digest)
                    parts, rows, out, digest = [], 0, batch.state.out, batch.state.digest
                    yield batch
            after = block.after
        if parts:
            batch = _made(parts, after, out=out, digest=digest)
            out, digest = batch.state.out, batch.state.digest
            yield batch
        self.ended = msgspec.structs.replace(after, out=out, digest=digest)

    def lineage(self, state: State) -> dict[str, Any]:
        """What was read until the state, and what became of it (P6)."""
        read = Step("read", state.counted.read, state.counted.read - state.counted.bad, "bad rows")
        batches = Step("batch", state.counted.read - state.counted.bad, state.out, "not taken yet")
        return lineage(self.inputs, [read, batches], digest=state.digest)

    def _rows(self, state: State) -> Iterator[_Rows]:
        order = self._order(state.epoch)
        for position in range(state.shard, len(order)):
            file = self.files[order[position]]
            if position != state.shard:
                state = msgspec.structs.replace(state, shard=position, offset=0, taken=0, row=0)
            offset = state.offset or file.begins
            state = msgspec.structs.replace(state, offset=offset)
            for block in blocks(file.path, offset, limit=self.reading.block_bytes):
                parsed = file.parse(block)
                counted = self._counted(file, parsed, state)
                records = rows_of(parsed.table) + len(parsed.bad)
                after = msgspec.structs.replace(
                    state, offset=block.end, taken=0, row=state.row + records, counted=counted
                )
                yield _Rows(self._shuffled(parsed.table, state, shard=order[position]), state, after)
                state = after

    def _order(self, epoch: int) -> list[int]:
        if not self.reading.shuffle:
            return list(range(len(self.files)))
        order = np.random.default_rng((self.reading.seed, epoch)).permutation(len(self.files))
        return [int(index) for index in order]

    def _shuffled(self, table: Table, state: State, *, shard: int) -> Table:
        if not self.reading.shuffle:
            return table
        rng = np.random.default_rng((self.reading.seed, state.epoch, shard, state.offset))
        order = rng.permutation(rows_of(table))
        return {name: values[order] for name, values in table.items()}

    def _counted(self, file: CsvFile, parsed: Parsed, state: State) -> Counts:
        counted = state.counted
        read = counted.read + rows_of(parsed.table) + len(parsed.bad)
        bad = counted.bad + len(parsed.bad)
        if parsed.bad and self.reading.on_bad == "error":
            first = parsed.bad[0]
            raise BadRow(str(file.path), row=state.row + first.row, offset=first.offset, why=first.why)
        if bad > self.reading.bad_max:
            raise DataProblem(
                f"{file.path}: more than {self.reading.bad_max} bad rows, the latest: {parsed.bad[-1].why}"
            )
        if self._quarantine is not None and self.reading.on_bad == "quarantine":
            for one in parsed.bad:
                self._quarantine.put(file.path, one, row=state.row + one.row)
        return Counts(read, bad)


def _made(parts: list[Table], after: State, *, out: int, digest: str) -> Batch:
    # One part is a view on the block; rows of two blocks have to be put together.
    table = parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    state = msgspec.structs.replace(after, out=out + rows_of(table), digest=chained(digest, table))
    return Batch(table, state)
