"""Functions as models, and steps around a model."""

import json
from pathlib import Path

import attrs
import numpy as np
import pytest

from windlass.serving.errors import ModelError
from windlass.serving.model import Explainer, LoadedModel, Model, checked
from windlass.serving.runtimes import CallableModel, LinearModel, PythonRuntime, Source, Transformed
from windlass.serving.runtimes.callables import named
from windlass.serving.tensors import TensorSpec

X = TensorSpec("x", "FP64", (-1,))
SUM, COUNT = TensorSpec("sum", "FP64", (-1,)), TensorSpec("count", "INT32", (-1,))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: {"sum": x, "count": np.ones(len(x), dtype=np.int32)},
        lambda x: (x, np.ones(len(x), dtype=np.int64)),
        lambda x: (x.tolist(), [1] * len(x)),
    ],
    ids=["mapping", "tuple", "lists"],
)
def test_what_a_function_returns_is_taken_by_the_names_of_the_outputs(function):
    model = CallableModel(function, (X,), (SUM, COUNT), "counts", "4")
    assert isinstance(model, Model)
    outputs = checked(LoadedModel("m", "1", model), model.predict({"x": np.array([2.0, 3.0])}))
    assert (outputs["sum"].tolist(), outputs["count"].tolist()) == ([2.0, 3.0], [1, 1])
    assert outputs["count"].dtype == np.int32


def test_one_output_may_be_the_array_itself():
    assert named([1, 2], (SUM,))["sum"].tolist() == [1.0, 2.0]
    words = named(["a", b"b"], (TensorSpec("w", "BYTES", (-1,)),))["w"]
    assert (words.dtype, words.tolist()) == (object, ["a", b"b"])


def test_too_few_values_are_named():
    with pytest.raises(TypeError, match="it returned 1 values, expected 2: sum, count"):
        named(np.zeros(1), (SUM, COUNT))


def test_a_real_number_does_not_become_an_integer():
    assert named(np.array([1.5]), (COUNT,))["count"].dtype == np.float64


def source(**content):
    return Source("m", "2", Path("m.json"), json.dumps(content).encode())


DOUBLE = {"name": "x", "datatype": "FP64", "shape": [-1]}


def double(x):
    return 2 * x


def made(source):
    return LinearModel(name=source.name, version=source.version)


def no_model(source):
    return 3


AGREED = LinearModel(bias=7.0)


def test_a_folder_names_a_function_a_model_or_what_makes_one():
    runtime = PythonRuntime()
    function = runtime.load(source(object=f"{__name__}:double", inputs=[DOUBLE], outputs=[{**DOUBLE, "name": "y"}]))
    assert function.predict({"x": np.array([2.0])})["y"].tolist() == [4.0]
    assert (function.name, function.version) == ("m", "2")
    assert runtime.load(source(object=f"{__name__}:AGREED")) is AGREED
    assert runtime.load(source(object=f"{__name__}:made")).version == "2"
    assert isinstance(runtime.load(source(object=f"{__name__}:made")), Explainer)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({}, "m.json: object missing required field object"),
        ({"object": "json"}, "m.json: object: expected 'module:object', found 'json'"),
        ({"object": "nowhere:x"}, "nowhere:x cannot be imported: ModuleNotFoundError"),
        ({"object": "json:nothing"}, "json:nothing cannot be imported: AttributeError"),
        ({"object": "json:__name__"}, "json:__name__ is a str, expected a function or a model"),
        ({"object": f"{__name__}:no_model"}, "no_model made int, which is no model"),
        ({"object": f"{__name__}:double", "inputs": [DOUBLE]}, "described together, or not at all"),
        ({"object": f"{__name__}:double", "inputs": [{**DOUBLE, "datatype": "FLOAT"}], "outputs": []}, "'FLOAT'"),
    ],
)
def test_a_folder_that_names_something_else_is_refused(content, why):
    with pytest.raises(ModelError, match=why):
        PythonRuntime().load(source(**content))


def test_steps_before_and_after_a_model():
    words = TensorSpec("words", "BYTES", (-1,))
    verdict = TensorSpec("verdict", "BYTES", (-1,))
    model = Transformed(
        LinearModel(bias=0.0, weight=1.0),
        before=lambda words: np.array([float(len(one)) for one in words]),
        after=lambda prediction: np.array([b"long" if one > 3 else b"short" for one in prediction], dtype=object),
        inputs=(words,),
        outputs=(verdict,),
    )
    assert isinstance(model, Model)
    outputs = model.predict({"words": np.array([b"a", b"windlass"], dtype=object)})
    assert outputs["verdict"].tolist() == [b"short", b"long"]
    assert (model.name, model.inputs, model.outputs) == ("linear", (words,), (verdict,))


def test_without_steps_it_is_the_model():
    model = Transformed(LinearModel())
    assert model.inputs == LinearModel().inputs
    assert model.predict({"x": np.array([2.5])})["prediction"].tolist() == [-0.5]
    assert model.not_ready_because() is None
    model.close()


def test_what_the_model_within_says_of_itself_is_said():
    @attrs.frozen
    class Ill(LinearModel):
        closed: list = attrs.field(factory=list)

        def not_ready_because(self):
            return "it is ill"

        def close(self):
            self.closed.append(True)

    within = Ill()
    model = Transformed(within)
    model.close()
    assert (model.not_ready_because(), within.closed) == ("it is ill", [True])
