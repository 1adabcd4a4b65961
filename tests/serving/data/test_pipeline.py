"""From columns to features: fitted on some rows, the same code everywhere, and a digest that proves it."""

import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.serving.data import (
    Categories,
    Column,
    DataProblem,
    Numbers,
    Pipeline,
    Schema,
    SchemaError,
    Skew,
    fit,
)

SCHEMA = Schema(
    (Column("age"), Column("city", "category", fill="?"), Column("n", "integer"), Column("y", "integer")), label="y"
)


def table(ages, cities, ns=None, labels=None):
    count = len(ages)
    return {
        "age": np.array(ages, dtype=np.float64),
        "city": np.array(cities, dtype=object),
        "n": np.array(ns if ns is not None else range(count), dtype=np.int64),
        "y": np.array(labels if labels is not None else [0] * count, dtype=np.int64),
    }


ROWS = table([20.0, 30.0, 40.0, 50.0], ["Rome", "Oslo", "Rome", "?"], [1, 1, 3, 3])


@pytest.fixture
def pipeline():
    return Pipeline(SCHEMA, fit(SCHEMA, [ROWS]))


def test_features_are_standardised_numbers_and_a_column_for_each_category(pipeline):
    """P3."""
    assert pipeline.names == ("age", "city=?", "city=Oslo", "city=Rome", "n")
    features = pipeline.transform(ROWS)
    assert features.dtype == np.float32
    deviation = math.sqrt(125)
    assert np.allclose(features[:, 0], [-15 / deviation, -5 / deviation, 5 / deviation, 15 / deviation])
    assert features[:, 1:4].tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert features[:, 4].tolist() == [-1, -1, 1, 1]


def test_a_category_that_was_never_seen_is_none_of_them(pipeline):
    assert pipeline.transform(table([1.0], ["Bern"]))[0, 1:4].tolist() == [0, 0, 0]


def test_a_column_that_never_varies_is_not_divided_by_zero():
    fitted = Pipeline(Schema((Column("x"),)), fit(Schema((Column("x"),)), [{"x": np.full(3, 7.0)}]))
    assert fitted.transform({"x": np.array([7.0, 8.0])}).ravel().tolist() == [0.0, 1.0]


@given(
    st.lists(
        st.tuples(st.floats(-1e6, 1e6), st.sampled_from(["Rome", "Oslo", "?"]), st.integers(-1000, 1000)),
        min_size=1,
        max_size=20,
    )
)
def test_the_inverse_gives_the_columns_back(rows):
    """P3: round trip, up to the precision of FP32."""
    ages, cities, ns = (list(column) for column in zip(*rows, strict=True))
    given_ = table(ages, cities, ns)
    fitted = Pipeline(SCHEMA, fit(SCHEMA, [given_, ROWS]))
    back = fitted.inverse(fitted.transform(given_))
    assert back["city"].tolist() == cities
    for name in ("age", "n"):
        scale = abs(fitted.statistics[name].mean) + 10 * fitted.statistics[name].deviation
        assert np.allclose(back[name], given_[name], atol=1e-5 * scale + 1e-6)


def test_the_inverse_of_a_category_that_was_never_seen_is_nothing(pipeline):
    assert pipeline.inverse(pipeline.transform(table([1.0], ["Bern"])))["city"].tolist() == [None]


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60), st.lists(st.integers(0, 60), max_size=4))
def test_statistics_do_not_depend_on_how_rows_come(values, cuts):
    """P3: blocks are merged, and numpy's are the same."""
    schema = Schema((Column("x"),))
    parts = np.split(np.array(values), sorted(min(cut, len(values)) for cut in cuts))
    found = fit(schema, [{"x": part} for part in parts])["x"]
    scale = max(map(abs, values))
    assert math.isclose(found.mean, np.mean(values), rel_tol=1e-9, abs_tol=1e-12 * scale + 1e-300)
    deviation = float(np.std(values))
    assert found.deviation == 1.0 or math.isclose(found.deviation, deviation, rel_tol=1e-6, abs_tol=1e-7 * scale)


def test_rows_that_were_held_out_leave_no_trace():
    """P3: the leak test: whatever they hold, the digest is the same; a row of the training split changes it."""
    train = table([20.0, 30.0], ["Rome", "Oslo"])

    def fitted(held_out, first=20.0):
        whole = table([first, 30.0, held_out], ["Rome", "Oslo", f"city-{held_out}"])
        mask = np.array([True, True, False])
        return Pipeline(SCHEMA, fit(SCHEMA, [{name: values[mask] for name, values in whole.items()}])).digest

    assert fitted(1.0) == fitted(1e9) == Pipeline(SCHEMA, fit(SCHEMA, [train])).digest
    assert fitted(1.0, first=21.0) != fitted(1.0)


def test_labels_leave_no_trace_either():
    """P3."""
    one = fit(SCHEMA, [table([1.0, 2.0], ["a", "b"], labels=[0, 1])])
    assert one == fit(SCHEMA, [table([1.0, 2.0], ["a", "b"], labels=[7, 9])])
    assert set(one) == {"age", "city", "n"}


def test_a_pipeline_is_written_and_read_as_it_is(pipeline):
    again = Pipeline.from_json(pipeline.to_json(), digest=pipeline.digest)
    assert (again.digest, again.names, again.to_json()) == (pipeline.digest, pipeline.names, pipeline.to_json())
    assert np.array_equal(again.transform(ROWS), pipeline.transform(ROWS))


def test_the_digest_is_this_one_on_every_machine(pipeline):
    """Skew: golden value; who changes what the pipeline computes has to change it, and knows."""
    assert pipeline.digest == "f691625ebfd10c46f91feb8cd2c99a1863bceba78985f7020a23e0b9062a85fc"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("statistics", "age", "mean"), 35.000001),
        (("statistics", "city", "values"), ["?", "Oslo", "Rom"]),
        (("schema", "columns", 1, "fill"), "!"),
        (("schema", "missing"), [""]),
    ],
)
def test_a_document_that_was_changed_is_skew(pipeline, path, value):
    document = json.loads(pipeline.to_json())
    part = document
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    with pytest.raises(Skew, match=r"the pipeline is [0-9a-f]{64} here, but its document says [0-9a-f]{64}"):
        Pipeline.from_json(json.dumps(document).encode())


def test_code_that_computes_something_else_is_skew(pipeline, monkeypatch):
    """The digest covers what the code does, not only what the document says."""
    content, digest = pipeline.to_json(), pipeline.digest
    computed = Pipeline.transform
    monkeypatch.setattr(Pipeline, "transform", lambda self, rows: np.clip(computed(self, rows), -3, 3))
    with pytest.raises(Skew, match="but its document says"):
        Pipeline.from_json(content)
    monkeypatch.undo()
    with pytest.raises(Skew, match="but the model's description says"):
        Pipeline.from_json(content, digest="0" * 64)
    assert Pipeline.from_json(content, digest=digest).digest == digest


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "the document is no pipeline: Input data was truncated"),
        (b"[]", "the document is no pipeline: Expected `object`, got `array`"),
        (b'{"schema": {"columns": []}, "statistics": {}, "digest": ""}', "columns: expected at least one"),
        (
            b'{"schema": {"columns": [{"name": "x"}]}, "statistics": {}, "digest": ""}',
            "statistics: 'x': expected those of a number, found None",
        ),
        (
            b'{"schema": {"columns": [{"name": "x", "kind": "date"}]}, "statistics": {}, "digest": ""}',
            "the document is no pipeline: Invalid enum value 'date'",
        ),
    ],
)
def test_what_is_no_pipeline_is_refused(content, why):
    with pytest.raises(SchemaError) as caught:
        Pipeline.from_json(content)
    assert why in str(caught.value)


def test_statistics_belong_to_their_kind_of_column():
    with pytest.raises(SchemaError, match="'x': expected those of a number, found Categories"):
        Pipeline(Schema((Column("x"),)), {"x": Categories(("a",))})
    assert msgspec.json.decode(msgspec.json.encode(Numbers(1.0, 2.0)), type=Numbers | Categories) == Numbers(1.0, 2.0)


def test_fitting_on_nothing_or_on_what_is_no_category_is_told():
    with pytest.raises(DataProblem, match="there is no row to fit on"):
        fit(SCHEMA, [])
    many = table([0.0] * 11, [f"id-{number}" for number in range(11)])
    with pytest.raises(DataProblem, match="column 'city': more than 10 values; is it a category"):
        fit(SCHEMA, [many], categories_max=10)
    with pytest.raises(SchemaError, match="'x': its numbers are too large"):
        fit(Schema((Column("x"),)), [{"x": np.array([1e308, -1e308])}])
