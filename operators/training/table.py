"""Rows read here are those of one pinned version of one table, in the order of their ids, all values finite.

The contract for tables: an integer column `row` (a unique, stable id), an integer column `label`, and every other
column a number, which makes the features in the order of the schema. This module does not know how rows are split or
what a model does with them.
"""

from typing import Any, Protocol

import attrs
import numpy as np
import numpy.typing as npt

from windlass.operators.errors import DataError
from windlass.operators.training.dataversion import DataRecord, is_panic, resolve
from windlass.operators.training.lines import is_lines
from windlass.operators.training.storage import is_remote, masked, options_for

__all__ = ("Rows", "open_table", "read_rows", "unsuitable")

_ID, _LABEL = "row", "label"


class _Column(Protocol):
    def to_numpy(self) -> npt.NDArray[np.generic]: ...


@attrs.frozen(eq=False)
class Rows:
    """`ids` N integers in rising order, `features` N by F, `labels` N integers, `names` the F features."""

    names: tuple[str, ...]
    ids: npt.NDArray[np.int64]
    features: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]

    def take(self, mask: npt.NDArray[np.bool_]) -> "Rows":
        """The rows where `mask` is true."""
        return Rows(self.names, self.ids[mask], self.features[mask], self.labels[mask])


def read_rows(record: DataRecord) -> Rows:
    """Read every row of the version that `record` pins, after proving that it is still the same. Blocks.

    Raises DataError with the reasons of `resolve`, and DataUnsuitable when the table breaks the contract above.
    """
    table = open_table(record)
    columns = {name: _numbers(name, table.column(name), record) for name in table.schema.names}
    return _checked(columns, record)


def open_table(record: DataRecord) -> Any:
    """The version that `record` pins as a table of arro3, after proving that it is still the same. Blocks.

    Raises DataError with the reasons of `resolve`.
    """
    found = resolve(record.uri, record.version, expected_table_id=record.table_id)
    if found.files_sha256 != record.files_sha256:
        raise DataError(
            f"{record.uri} version {record.version} no longer has the files it had when it was pinned",
            reason="DataFilesMissing",
        )
    if is_lines(record.uri):
        raise unsuitable(record, "expected a Delta table, found a file of JSON lines")
    import deltalake  # noqa: PLC0415  (an extra; resolve() has said so by now if it is missing)
    from arro3.core import Table  # noqa: PLC0415  (comes with deltalake)

    try:
        options = options_for(record.uri)
        opened = deltalake.DeltaTable(record.uri, version=record.version, storage_options=options)
        return Table.from_arrow(deltalake.QueryBuilder().register("t", opened).execute("select * from t"))
    except FileNotFoundError as error:
        raise DataError(f"{record.uri} version {record.version}: {error}", reason="DataFilesMissing") from error
    except OSError as error:
        raise DataError(f"{record.uri}: {masked(str(error))}", reason="TableUnreachable") from error
    except BaseException as error:
        # The engine's errors share no root but Exception, and its panics not even that.
        if not (isinstance(error, Exception) or is_panic(error)):
            raise
        raise DataError(
            f"{record.uri} version {record.version} cannot be read: {masked(str(error))}",
            reason=_reason_of(str(error), remote=is_remote(record.uri)),
        ) from error


def unsuitable(record: DataRecord, what: str) -> DataError:
    """The error for a table that breaks a contract."""
    return DataError(f"{record.uri} version {record.version}: {what}", reason="DataUnsuitable")


def _reason_of(text: str, *, remote: bool) -> str:
    """The engine wraps what the store said, and its words are all there is to go by."""
    if not remote or "Object Store error" not in text:
        return "TableCorrupt"
    return "DataFilesMissing" if "404" in text or "not found" in text.lower() else "TableUnreachable"


def _numbers(name: str, column: _Column, record: DataRecord) -> npt.NDArray[np.generic]:
    try:
        return column.to_numpy()
    except (TypeError, ValueError, NotImplementedError) as error:
        raise unsuitable(
            record, f"column {name!r}: expected numbers without nulls, found what numpy cannot hold: {error}"
        ) from error


def _checked(columns: dict[str, npt.NDArray[np.generic]], record: DataRecord) -> Rows:
    for name in (_ID, _LABEL):
        if name not in columns:
            raise unsuitable(
                record, f"expected an integer column {name!r}, found the columns {', '.join(columns) or 'none'}"
            )
        if columns[name].dtype.kind not in "iu":
            raise unsuitable(record, f"column {name!r}: expected integers without nulls, found {columns[name].dtype}")
    names = tuple(name for name in columns if name not in (_ID, _LABEL))
    if not names:
        raise unsuitable(record, "expected at least one column of features")
    for name in names:
        if columns[name].dtype.kind not in "iufb":
            raise unsuitable(record, f"column {name!r}: expected numbers, found {columns[name].dtype}")
    ids = columns[_ID].astype(np.int64)
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    if len(ids) and bool((ids[1:] == ids[:-1]).any()):
        raise unsuitable(
            record, f"column {_ID!r}: expected unique ids, found {int(ids[1:][ids[1:] == ids[:-1]][0])} more than once"
        )
    features = np.stack([columns[name].astype(np.float64)[order] for name in names], axis=1)
    if not bool(np.isfinite(features).all()):
        bad = names[int(np.argmin(np.isfinite(features).all(axis=0)))]
        raise unsuitable(record, f"column {bad!r}: expected finite numbers, found a null, NaN or infinity")
    return Rows(names, ids, features, columns[_LABEL].astype(np.int64)[order])
