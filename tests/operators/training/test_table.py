"""What a table must be to be trained on, and that it is still the one that was pinned."""

import os

import attrs
import numpy as np
import pytest

from windlass.operators.errors import DataError
from windlass.operators.training.table import read_rows


def test_rows_come_in_the_order_of_their_ids_with_features_in_the_order_of_the_schema(lab):
    path = lab.write(
        row=np.array([2, 0, 1]), b=np.array([20, 0, 10]), a=np.array([0.2, 0.0, 0.1]), label=np.array([7, 5, 6])
    )

    rows = read_rows(lab.record(path))

    assert rows.names == ("b", "a")
    assert rows.ids.tolist() == [0, 1, 2]
    assert rows.features.tolist() == [[0, 0.0], [10, 0.1], [20, 0.2]]
    assert rows.labels.tolist() == [5, 6, 7]


def test_rows_of_several_files_are_one_table(lab):
    lab.write(mode="append", row=np.arange(3), a=np.zeros(3), label=np.arange(3))
    path = lab.write(mode="append", row=np.arange(3, 5), a=np.ones(2), label=np.arange(2))

    assert read_rows(lab.record(path)).ids.tolist() == [0, 1, 2, 3, 4]


def test_the_pinned_version_is_read_though_the_table_has_moved_on(lab):
    path = lab.write(mode="append", row=np.arange(3), a=np.zeros(3), label=np.arange(3))
    record = lab.record(path)
    lab.write(mode="append", row=np.arange(3, 5), a=np.ones(2), label=np.arange(2))

    assert read_rows(record).ids.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        pytest.param({"row": [0, 1], "label": [0, 1]}, "at least one column of features", id="no features"),
        pytest.param({"a": [0, 1], "label": [0, 1]}, "expected an integer column 'row'", id="no ids"),
        pytest.param({"row": [0, 1], "a": [0, 1]}, "expected an integer column 'label'", id="no labels"),
        pytest.param({"row": [0, 0], "a": [0, 1], "label": [0, 1]}, "found 0 more than once", id="ids twice"),
        pytest.param(
            {"row": [0, 1], "a": [0, 1], "label": [0.5, 1]}, "column 'label': expected integers", id="float labels"
        ),
        pytest.param({"row": [0, 1], "a": [0, np.nan], "label": [0, 1]}, "column 'a': expected finite", id="NaN"),
        pytest.param({"row": [0, 1], "a": [0, np.inf], "label": [0, 1]}, "column 'a': expected finite", id="infinity"),
    ],
)
def test_a_table_that_breaks_the_contract_is_unsuitable_and_the_column_is_named(lab, columns, told):
    path = lab.write(**{name: np.array(values) for name, values in columns.items()})

    with pytest.raises(DataError, match=told) as caught:
        read_rows(lab.record(path))

    assert caught.value.reason == "DataUnsuitable"


def test_another_file_set_than_the_pinned_one_is_refused(lab):
    record = lab.record(lab.blobs())

    with pytest.raises(DataError) as caught:
        read_rows(attrs.evolve(record, files_sha256="0" * 64))

    assert caught.value.reason == "DataFilesMissing"


def test_a_file_that_vanished_after_pinning_is_refused(lab):
    path = lab.blobs()
    record = lab.record(path)
    os.remove(next(path.glob("*.parquet")))

    with pytest.raises(DataError) as caught:
        read_rows(record)

    assert caught.value.reason == "DataFilesMissing"


def test_another_table_at_the_same_place_is_refused(lab):
    record = lab.record(lab.blobs())

    with pytest.raises(DataError) as caught:
        read_rows(attrs.evolve(record, table_id="another"))

    assert caught.value.reason == "TableIdMismatch"


def test_a_panic_of_the_engine_is_an_unreadable_table(lab, monkeypatch):
    record = lab.record(lab.blobs())
    panic = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})

    class Builder:
        def register(self, *_):
            raise panic("index out of bounds")

    monkeypatch.setattr("deltalake.QueryBuilder", Builder)
    with pytest.raises(DataError, match="cannot be read: index out of bounds") as caught:
        read_rows(record)

    assert (caught.value.reason, caught.value.retryable) == ("TableCorrupt", False)
