"""The sample table: the file's values, under stable ids, whole or not there."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from arro3.core import Table
from deltalake import DeltaTable, QueryBuilder

import windlass.operators.training
from windlass.operators.errors import OperatorsError
from windlass.operators.training.dataset import FEATURES, read_digits, write_sample_table

DATA = Path(windlass.operators.training.__file__).parent / "data"


def test_the_committed_file_is_the_one_whose_digest_the_readme_states():
    digest = hashlib.sha256((DATA / "digits.csv.gz").read_bytes()).hexdigest()

    assert digest in (DATA / "README.md").read_text()


def test_the_readme_names_source_authors_and_licence():
    text = (DATA / "README.md").read_text()

    assert all(word in text for word in ("10.24432/C50P49", "Alpaydin", "Kaynak", "CC BY 4.0"))


def test_there_are_1797_images_of_64_pixels_from_0_to_16_and_ten_digits():
    pixels, labels = read_digits()

    assert pixels.shape == (1797, 64)
    assert (pixels.min(), pixels.max()) == (0, 16)
    assert list(range(10)) == np.unique(labels).tolist()


def test_the_table_reads_back_the_values_of_the_file_unchanged(tmp_path):
    pixels, labels = read_digits()

    write_sample_table(tmp_path / "digits")

    table = Table.from_arrow(
        QueryBuilder().register("t", DeltaTable(str(tmp_path / "digits"))).execute("select * from t order by row")
    )
    assert ["row", *FEATURES, "label"] == table.schema.names
    assert np.array_equal(table.column("row").to_numpy(), np.arange(1797))
    assert np.array_equal(table.column("label").to_numpy(), labels)
    assert np.array_equal(np.stack([table.column(name).to_numpy() for name in FEATURES], axis=1), pixels)


def test_writing_it_again_leaves_the_table_as_it_is(tmp_path):
    first = write_sample_table(tmp_path / "digits")
    before = DeltaTable(str(tmp_path / "digits")).metadata().id

    assert first == write_sample_table(tmp_path / "digits")
    assert before == DeltaTable(str(tmp_path / "digits")).metadata().id
    assert DeltaTable(str(tmp_path / "digits")).version() == 0


def test_writers_at_the_same_time_leave_one_table_and_no_litter(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        uris = list(pool.map(lambda _: write_sample_table(tmp_path / "digits"), range(4)))

    assert len(set(uris)) == 1
    assert os.listdir(tmp_path) == ["digits"]


def test_something_else_in_the_way_is_refused_and_left_alone(tmp_path):
    (tmp_path / "digits").write_text("mine")

    with pytest.raises(OperatorsError, match="digits is in the way of the sample table"):
        write_sample_table(tmp_path / "digits")

    assert (tmp_path / "digits").read_text() == "mine"
    assert os.listdir(tmp_path) == ["digits"]
