"""Texts are read by the ids of their rows, and what breaks the contract is named with its column and row."""

import numpy as np
import pytest
from arro3.core import Array, DataType, Table
from deltalake import write_deltalake

from windlass.operators.errors import DataError
from windlass.operators.training.dataversion import resolve
from windlass.operators.training.llm.texts import Example, read_examples

INTEGERS, TEXTS = DataType.int64(), DataType.string()


def written(path, **columns):
    write_deltalake(str(path), Table.from_pydict({name: Array(*column) for name, column in columns.items()}))
    return resolve(str(path), "latest")


def test_rows_come_in_the_order_of_their_ids(tmp_path):
    found = read_examples(written(tmp_path / "t", row=([5, 1, 3], INTEGERS), text=(["e", "a", "ç"], TEXTS)))

    assert found.ids.tolist() == [1, 3, 5]
    assert found.examples == (Example("a"), Example("ç"), Example("e"))
    assert found.take(np.array([True, False, True])) == (Example("a"), Example("e"))


def test_pairs_are_read_before_a_text_and_other_columns_ignored(tmp_path):
    record = written(
        tmp_path / "t",
        row=([1, 2], INTEGERS),
        text=(["t", "t"], TEXTS),
        prompt=(["p", ""], TEXTS),
        completion=(["c", "d"], TEXTS),
        weight=([1, 2], INTEGERS),
    )

    assert read_examples(record).examples == (Example("c", "p"), Example("d", ""))


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"row": ([1], INTEGERS), "words": (["x"], TEXTS)}, "found the columns row, words"),
        ({"row": ([1], INTEGERS), "prompt": (["x"], TEXTS)}, "either 'text' or 'prompt' and 'completion'"),
        ({"text": (["x"], TEXTS)}, "expected an integer column 'row'"),
        ({"row": (["1"], TEXTS), "text": (["x"], TEXTS)}, "column 'row': expected integers without nulls, found '1'"),
        ({"row": ([None], INTEGERS), "text": (["x"], TEXTS)}, "expected integers without nulls, found None"),
        ({"row": ([7, 7], INTEGERS), "text": (["x", "y"], TEXTS)}, "expected unique ids, found 7 more than once"),
        ({"row": ([7], INTEGERS), "text": ([None], TEXTS)}, "column 'text', row 7: expected a text that is not empty"),
        ({"row": ([7], INTEGERS), "text": ([""], TEXTS)}, "column 'text', row 7: expected a text that is not empty"),
        ({"row": ([7], INTEGERS), "text": ([3], INTEGERS)}, "column 'text', row 7: expected a text that is not empty"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_table_that_breaks_the_contract_is_refused_by_name(tmp_path, columns, told):
    with pytest.raises(DataError, match=told.replace("(", r"\(")) as caught:
        read_examples(written(tmp_path / "t", **columns))

    assert caught.value.reason == "DataUnsuitable"
