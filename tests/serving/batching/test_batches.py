"""Rows that are put together come apart again as they were."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.serving.batching import batches
from windlass.serving.errors import ModelFailed
from windlass.serving.model import LoadedModel
from windlass.serving.tensors import TensorSpec


class Echo:
    """Two inputs of different datatypes, answered as they are."""

    name, version, platform = "echo", "1", "test_test"
    inputs = outputs = (TensorSpec("x", "FP64", (-1, -1)), TensorSpec("word", "BYTES", (-1,)))

    def predict(self, inputs, /):
        return inputs


ECHO = LoadedModel("echo", "1", Echo())


def request(rows, columns=2):
    words = np.empty(rows, dtype=object)
    words[:] = [b"word"] * rows
    return {"x": np.zeros((rows, columns)), "word": words}


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.data())
def test_what_is_joined_and_split_is_what_it_was(counts, data):
    """DB9."""
    requests = []
    for rows in counts:
        x = data.draw(arrays.arrays(np.float64, (rows, 2), elements=st.floats(allow_nan=False)))
        words = np.empty(rows, dtype=object)
        words[:] = data.draw(st.lists(st.binary(max_size=3), min_size=rows, max_size=rows))
        requests.append({"x": x, "word": words})
    parts = batches.split(ECHO, batches.join(ECHO, requests), counts)
    assert len(parts) == len(requests)
    for part, one in zip(parts, requests, strict=True):
        assert all(np.array_equal(part[name], one[name]) for name in ("x", "word"))


def test_a_model_that_loses_a_row_answers_nobody():
    """DB13."""
    outputs = request(3)
    outputs["word"] = outputs["word"][:2]
    with pytest.raises(ModelFailed, match=r"^model 'echo': output 'word' has 2 rows for 3$"):
        batches.split(ECHO, outputs, [1, 2])
    with pytest.raises(ModelFailed, match=r"has 2 rows for 3$"):
        batches.split(ECHO, outputs, [3])


def test_only_the_number_of_rows_may_differ_in_a_group():
    """DB6."""
    assert batches.group(ECHO, request(1)) == batches.group(ECHO, request(5))
    assert batches.group(ECHO, request(1)) != batches.group(ECHO, request(1, columns=3))


def test_rows_and_bytes_of_a_request():
    assert (batches.rows(ECHO, request(3)), batches.size_bytes(request(3))) == (3, 3 * 2 * 8 + 3 * 8 + 3 * 4)

    class Single(Echo):
        inputs = (TensorSpec("x", "FP64", (4,)),)

    assert batches.rows(LoadedModel("m", "1", Single()), {"x": np.zeros(4)}) == 1


def test_every_tensor_must_count_rows():
    rows, fixed = TensorSpec("x", "FP64", (-1, 2)), TensorSpec("y", "FP64", (2,))
    assert batches.not_batchable_because((rows,), (rows,)) is None
    assert batches.not_batchable_because((rows,), (fixed,)) == "'y' has shape [2], and batching needs -1 first"
    assert batches.not_batchable_because((fixed,), (rows,)) is not None
