"""The pipeline of training behind the endpoint: the same features, and no service with another one."""

import csv
import hashlib
import json

import aiohttp
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from windlass.serving import BadRequest, Endpoint, LinearModel, ModelError, ModelRepository, TensorSpec
from windlass.serving.data import Column, Pipeline, Reader, Schema, fit, preprocessed

SCHEMA = Schema(
    (Column("age"), Column("city", "category", fill="?"), Column("n", "integer"), Column("y", "integer")), label="y"
)


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "train.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "city", "n", "y"])
        writer.writerows(
            [[20 + number, ["Oslo", "Rome", ""][number % 3], number % 7, number % 2] for number in range(50)]
        )
    return path


@pytest.fixture
def pipeline(rows):
    return Pipeline(SCHEMA, fit(SCHEMA, (batch.table for batch in Reader([rows], SCHEMA).batches())))


def scorer(features, kind=TensorProto.FLOAT):
    """An ONNX model: scores = x @ (1, 2, 3, …)."""
    dtype = np.float32 if kind == TensorProto.FLOAT else np.float64
    weights = numpy_helper.from_array(np.arange(1, features + 1, dtype=dtype).reshape(-1, 1), "weights")
    node = helper.make_node("MatMul", ["x", "weights"], ["scores"])
    inputs = [helper.make_tensor_value_info("x", kind, ["rows", features])]
    outputs = [helper.make_tensor_value_info("scores", kind, ["rows", 1])]
    graph = helper.make_graph([node], "scorer", inputs, outputs, [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def publish_with(root, pipeline, *, content=None, digest=None, document=None):
    """A version folder with a model and a pipeline."""
    content = content or scorer(len(pipeline.names))
    folder = root / "scores" / ".1.partial"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(content)
    (folder / "pipeline.json").write_bytes(document or pipeline.to_json())
    described = {
        "format": "onnx",
        "file": "model.onnx",
        "sha256": hashlib.sha256(content).hexdigest(),
        "pipeline": {"file": "pipeline.json", "digest": digest or pipeline.digest},
    }
    (folder / "model.json").write_text(json.dumps(described))
    return folder.rename(root / "scores" / "1")


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE], ids=["FP32", "FP64"])
@pytest.mark.realtime
async def test_the_endpoint_answers_for_columns_with_the_features_of_training(tmp_path, rows, pipeline, kind):
    """M3: every row of the training file, over v1, is answered from the features that training would compute."""
    publish_with(tmp_path / "models", pipeline, content=scorer(len(pipeline.names), kind))
    (batch,) = Reader([rows], SCHEMA).batches()
    weights = np.arange(1, len(pipeline.names) + 1, dtype=np.float32)
    expected = pipeline.transform(batch.table) @ weights
    repository = ModelRepository(tmp_path / "models")
    await repository.refresh()
    async with Endpoint(repository, port=0) as endpoint, aiohttp.ClientSession(endpoint.url) as session:
        async with session.get("/v2/models/scores") as response:
            inputs = [(spec["name"], spec["datatype"], spec["shape"]) for spec in (await response.json())["inputs"]]
        assert inputs == [("age", "FP64", [-1]), ("city", "BYTES", [-1]), ("n", "INT64", [-1])]
        table = [batch.table[name].tolist() for name in ("age", "city", "n")]
        instances = [{"age": age, "city": city, "n": n} for age, city, n in zip(*table, strict=True)]
        async with session.post("/v1/models/scores:predict", json={"instances": instances}) as response:
            found = [row[0] for row in (await response.json())["predictions"]]
        assert np.allclose(found, expected, rtol=1e-6)
        async with session.post(
            "/v1/models/scores:predict", json={"instances": [{"age": 1, "city": "", "n": 0}]}
        ) as response:
            assert response.status == 200  # filled, as in training
    await repository.refresh()


async def loaded(root):
    repository = ModelRepository(root)
    await repository.refresh()
    (entry,) = repository.index()
    return entry


@pytest.mark.realtime
async def test_a_model_whose_pipeline_is_another_one_does_not_serve(tmp_path, pipeline):
    """Skew: by the digest of the description, by a changed document, by code that computes something else."""
    publish_with(tmp_path / "a", pipeline, digest="0" * 64)
    publish_with(tmp_path / "b", pipeline, document=pipeline.to_json().replace(b'"Rome"', b'"Roma"'))
    for root, by in (("a", "the model's description says 0000"), ("b", "its document says")):
        entry = await loaded(tmp_path / root)
        assert entry.state == "UNAVAILABLE"
        assert entry.reason.startswith("pipeline.json: the pipeline is ")
        assert by in entry.reason


@pytest.mark.realtime
async def test_code_that_computes_something_else_does_not_serve(tmp_path, pipeline, monkeypatch):
    """Skew."""
    publish_with(tmp_path, pipeline)
    assert (await loaded(tmp_path)).state == "READY"
    computed = Pipeline.transform
    monkeypatch.setattr(Pipeline, "transform", lambda self, table: computed(self, table) * np.float32(1.0001))
    entry = await loaded(tmp_path)
    assert entry.state == "UNAVAILABLE"
    assert "but its document says" in entry.reason


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("described", "why"),
    [
        ({"file": "../pipeline.json", "digest": "0" * 64}, "model.json: pipeline.file: expected a plain file name"),
        ({"file": "none.json", "digest": "0" * 64}, "model.json names 'none.json', which is not in the folder"),
        ({"file": "pipeline.json", "digest": "0"}, "model.json: pipeline.digest: "),
        ({"file": "model.json", "digest": "0" * 64}, "model.json: the document is no pipeline"),
    ],
)
async def test_a_description_that_names_no_pipeline_is_told(tmp_path, pipeline, described, why):
    folder = publish_with(tmp_path, pipeline)
    description = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**description, "pipeline": described}))
    assert why in (await loaded(tmp_path)).reason


def test_a_model_that_takes_something_else_than_the_features_is_refused(pipeline, echo):
    """The message says what the pipeline makes and what the model takes."""
    with pytest.raises(ModelError, match=r"makes one tensor: expected an input FP32 \[-1, 5\], found 'x' FP64 \[-1\]"):
        preprocessed(pipeline, LinearModel())
    for spec in (TensorSpec("x", "FP32", (-1, 4)), TensorSpec("x", "INT64", (-1, 5))):
        with pytest.raises(ModelError):
            preprocessed(pipeline, echo(spec))
    assert preprocessed(pipeline, echo(TensorSpec("x", "FP32", (-1, -1)))).name == "echo"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"age": np.array([1.0, np.nan])}, "input 'age': row 1: missing"),
        ({"age": np.array([np.inf, 1.0])}, "input 'age': row 0: expected a finite number"),
        ({"city": np.array([b"a", b"\xff"], dtype=object)}, "input 'city': row 1: expected text in UTF-8"),
    ],
)
def test_a_value_that_training_would_have_refused_is_a_bad_request(pipeline, echo, change, why):
    model = preprocessed(pipeline, echo(TensorSpec("x", "FP32", (-1, 5))))
    inputs = {"age": np.array([1.0, 2.0]), "city": np.array([b"Oslo", b"NA"], dtype=object), "n": np.array([1, 2])}
    features = model.predict(inputs)["x"]
    assert (
        features[1].tolist() == pipeline.transform({**inputs, "city": np.array(["?", "?"], dtype=object)})[1].tolist()
    )
    with pytest.raises(BadRequest) as caught:
        model.predict({**inputs, **change})
    assert str(caught.value) == why


def test_a_column_with_a_fill_takes_what_is_missing():
    schema = Schema((Column("x", fill=3.0),))
    fitted = Pipeline(schema, fit(schema, [{"x": np.array([1.0, 5.0])}]))

    class Features:
        name, version, platform = "f", "1", "t_t"
        inputs = outputs = (TensorSpec("x", "FP32", (-1, 1)),)

        def predict(self, inputs, /):
            return inputs

    model = preprocessed(fitted, Features())
    given = np.array([np.nan, 5.0])
    assert model.predict({"x": given})["x"].ravel().tolist() == [0.0, 1.0]
    assert np.isnan(given[0])  # inputs are never changed


@pytest.mark.realtime
async def test_a_category_that_nothing_fills_can_be_warmed_up(tmp_path):
    """An empty text, which other models are warmed up with, is a missing value here."""
    schema = Schema((Column("city", "category"),))
    fitted = Pipeline(schema, fit(schema, [{"city": np.array(["Oslo", "Rome"], dtype=object)}]))
    publish_with(tmp_path, fitted)
    assert (await loaded(tmp_path)).state == "READY"
