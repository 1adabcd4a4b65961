"""Examples read here are those of one pinned version, in the order of their ids, each with something to be learnt.

The contract for tables of text, Delta tables or files of JSON lines: an integer column `row` (a unique, stable id), and
either a column `text` or the two columns `prompt` and `completion`, with a text in every row. Other columns are
ignored. This module does not know tokens.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from windlass.operators.errors import DataError
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.lines import is_lines, read_lines
from windlass.operators.training.table import open_table, unsuitable

__all__ = ("Example", "Examples", "read_examples")

_ROW: Final = "row"
_TEXT: Final = "text"
_PAIR: Final = ("prompt", "completion")


@attrs.frozen
class Example:
    """What is to be learnt, the completion, and what stands before it; a plain text is completion throughout."""

    completion: str
    prompt: str | None = None


@attrs.frozen(eq=False)
class Examples:
    """`ids` N integers in rising order, and N examples."""

    ids: npt.NDArray[np.int64]
    examples: tuple[Example, ...]

    def take(self, mask: npt.NDArray[np.bool_]) -> tuple[Example, ...]:
        """The examples where `mask` is true."""
        return tuple(one for one, taken in zip(self.examples, mask, strict=True) if taken)


def read_examples(record: DataRecord) -> Examples:
    """Read every example of the version that `record` pins, after proving that it is still the same. Blocks.

    Raises DataError with the reasons of `resolve`, and DataUnsuitable when the table breaks the contract above.
    """
    if is_lines(record.uri):
        digest, lines, _ = read_lines(record.uri)
        if digest != record.files_sha256:
            raise DataError(
                f"{record.uri} is no longer the file that it was when it was pinned", reason="DataFilesMissing"
            )
        return _checked(lines, record, names=tuple(lines))
    table = open_table(record)
    columns = {name: table.column(name).to_pylist() for name in (_ROW, _TEXT, *_PAIR) if name in table.schema.names}
    return _checked(columns, record, names=tuple(table.schema.names))


def _checked(columns: Mapping[str, Sequence[object]], record: DataRecord, *, names: tuple[str, ...]) -> Examples:
    wanted = _PAIR if set(columns).issuperset(_PAIR) else (_TEXT,)
    for name in (_ROW, *wanted):
        if name not in columns:
            expected = f"an integer column {_ROW!r} and either {_TEXT!r} or {_PAIR[0]!r} and {_PAIR[1]!r}"
            raise unsuitable(record, f"expected {expected}, found the columns {', '.join(names) or 'none'}")
    rows = columns[_ROW]
    for row in rows:
        if not isinstance(row, int) or isinstance(row, bool):
            raise unsuitable(record, f"column {_ROW!r}: expected integers without nulls, found {row!r}")
    for name in wanted:
        for row, value in zip(rows, columns[name], strict=True):
            if not isinstance(value, str) or (not value and name != _PAIR[0]):
                raise unsuitable(
                    record, f"column {name!r}, row {row}: expected a text that is not empty, found {value!r}"
                )
    ids = np.asarray(rows, dtype=np.int64)
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    twice = ids[1:][ids[1:] == ids[:-1]]
    if len(twice):
        raise unsuitable(record, f"column {_ROW!r}: expected unique ids, found {int(twice[0])} more than once")
    found = [_example(columns, int(index), paired=wanted == _PAIR) for index in order]
    return Examples(ids, tuple(found))


def _example(columns: Mapping[str, Sequence[object]], index: int, *, paired: bool) -> Example:
    if not paired:
        return Example(str(columns[_TEXT][index]))
    return Example(str(columns[_PAIR[1]][index]), str(columns[_PAIR[0]][index]))
