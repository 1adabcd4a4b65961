"""Files of images in training and behind the endpoint: the same tensors, or no service."""

import json

import aiohttp
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from windlass.serving import BadRequest, Endpoint, ModelRepository, TensorSpec
from windlass.serving.data import (
    ImagePipeline,
    ImageReader,
    Pictures,
    SchemaError,
    Skew,
    digest_of_arrays,
    preprocessed,
)

SIZE = Pictures(6, 5)


@pytest.fixture
def paths(tmp_path):
    rng = np.random.default_rng(7)
    found = []
    for number in range(6):
        pixels = rng.integers(0, 256, size=(9 + number, 12, 3), dtype=np.uint8)
        path = tmp_path / f"{number}.{('png', 'jpg')[number % 2]}"
        Image.fromarray(pixels).save(path)
        found.append(path)
    return found


@pytest.fixture
def pipeline(paths):
    return ImagePipeline.fitted(SIZE, (batch.table for batch in ImageReader(paths, SIZE).batches()))


def tables(paths):
    return [batch.table for batch in ImageReader(paths, SIZE).batches()]


def test_channels_are_standardised_by_what_was_seen(paths, pipeline):
    """P3."""
    (table,) = tables(paths)
    tensor = pipeline.transform(table["image"])
    assert (tensor.dtype, tensor.shape, pipeline.shape) == (np.float32, (6, 6, 5, 3), (-1, 6, 5, 3))
    assert np.allclose(tensor.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    assert np.allclose(tensor.std(axis=(0, 1, 2)), 1, atol=1e-4)
    other = ImagePipeline(SIZE, pipeline.mean, pipeline.deviation, "NCHW")
    assert np.array_equal(other.transform(table["image"]), tensor.transpose(0, 3, 1, 2))
    assert other.shape == (-1, 3, 6, 5)


def test_a_pipeline_is_written_and_read_as_it_is(pipeline):
    again = ImagePipeline.from_json(pipeline.to_json(), digest=pipeline.digest)
    assert (again.to_json(), again.digest) == (pipeline.to_json(), pipeline.digest)


def test_code_or_a_library_that_computes_something_else_is_skew(pipeline, monkeypatch):
    """Skew: another filter for resizing, as another version of the library could have."""
    content = pipeline.to_json()
    resize = Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda self, size, _: resize(self, size, Image.Resampling.NEAREST))
    with pytest.raises(Skew, match="but its document says"):
        ImagePipeline.from_json(content)
    monkeypatch.undo()
    with pytest.raises(Skew, match="but the model's description says"):
        ImagePipeline.from_json(content, digest="0" * 64)
    changed = {**json.loads(content), "mean": [1, 2, 3]}
    with pytest.raises(Skew, match="but its document says"):
        ImagePipeline.from_json(json.dumps(changed).encode())


def test_what_cannot_be_meant_is_refused():
    for make, why in (
        (lambda: ImagePipeline(Pictures()), "expected a height and a width"),
        (lambda: ImagePipeline(SIZE, deviation=(1.0, 0.0, 1.0)), "deviation: expected three finite numbers above 0"),
        (lambda: ImagePipeline.fitted(SIZE, []), "there is no image to fit on"),
        (lambda: ImagePipeline.from_json(b"{}"), "the document is no pipeline of images: Object missing"),
    ):
        with pytest.raises(SchemaError) as caught:
            make()
        assert why in str(caught.value)


def mean_model():
    """An ONNX model that answers the mean of each image."""
    node = helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2, 3], keepdims=0)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 6, 5, 3])]
    outputs = [helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["rows"])]
    graph = helper.make_graph([node], "mean", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.mark.realtime
async def test_the_endpoint_answers_for_files_with_the_tensors_of_training(tmp_path, paths, pipeline, publish):
    """M3: over the binary form of v2, where files travel as they are."""
    folder = publish(
        tmp_path / "models",
        "pictures",
        1,
        mean_model(),
        format="onnx",
        pipeline={"file": "pipeline.json", "digest": pipeline.digest},
    )
    (folder / "pipeline.json").write_bytes(pipeline.to_json())
    (table,) = tables(paths)
    expected = pipeline.transform(table["image"]).mean(axis=(1, 2, 3))
    repository = ModelRepository(tmp_path / "models")
    await repository.refresh()
    blob = b"".join(len(content).to_bytes(4, "little") + content for content in (path.read_bytes() for path in paths))
    tensor = {"name": "image", "datatype": "BYTES", "shape": [6], "parameters": {"binary_data_size": len(blob)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    async with Endpoint(repository, port=0) as endpoint, aiohttp.ClientSession(endpoint.url) as session:
        async with session.post("/v2/models/pictures/infer", data=head + blob, headers=headers) as response:
            content = await response.json()
            assert response.status == 200, content
            assert np.allclose(content["outputs"][0]["data"], expected, atol=1e-5)
        text = {"name": "image", "datatype": "BYTES", "shape": [1], "data": ["no image"]}
        async with session.post("/v2/models/pictures/infer", json={"inputs": [text]}) as response:
            assert response.status == 400
            assert (await response.json())["error"].startswith("input 'image': row 0: not a PNG or JPEG")


def test_a_hostile_file_in_a_batch_is_told_with_its_row(pipeline, echo):
    """P2: behind the endpoint."""
    model = preprocessed(pipeline, echo(TensorSpec("x", "FP32", (-1, 6, 5, 3))))
    good = pipeline.example()
    files = np.empty(2, dtype=object)
    files[:] = [good, good[:100]]
    with pytest.raises(BadRequest, match="input 'image': row 1: not a PNG or JPEG that can be read"):
        model.predict({"image": files})
    files[:] = [good, good]
    assert model.predict({"image": files})["x"].shape == (2, 6, 5, 3)
    assert digest_of_arrays(model.example(2)) == digest_of_arrays({"image": files})
