"""Which graphs can be run, and what is said of the others."""

import json

import pytest

from windlass.serving.ensembles.graph import Looks, faults, graph_of
from windlass.serving.errors import ModelError
from windlass.serving.tensors import TensorSpec

X = {"name": "x", "datatype": "FP64", "shape": [-1]}
SPEC = TensorSpec("x", "FP64", (-1,))
LABEL = TensorSpec("label", "INT64", (-1,))
MODELS = {
    "scale": Looks((SPEC,), (TensorSpec("y", "FP64", (-1,)),)),
    "classify": Looks((TensorSpec("x", "FP64", (-1, 3)),), (LABEL,)),
    "join": Looks(
        (TensorSpec("a", "FP64", (-1,)), TensorSpec("b", "FP64", (-1,))), (TensorSpec("sum", "FP64", (-1,)),)
    ),
}


def describe(step):
    return MODELS.get(step.model, f"there is no model {step.model!r}")


def step(name, model="scale", **inputs):
    return {"name": name, "model": model, "inputs": inputs or {"x": "x"}}


def file(*steps, source="a.y", inputs=(X,), **output):
    outputs = [{"name": "y", "datatype": "FP64", "shape": [-1], "from": source, **output}]
    return json.dumps({"inputs": list(inputs), "outputs": outputs, "steps": list(steps)}).encode()


def test_steps_come_after_those_that_they_wait_for():
    content = file(step("c", "join", a="a.y", b="b.y"), step("b", x="a.y"), step("a"), source="c.sum")
    graph = graph_of(content, "e.json")
    assert [one.name for one in graph.steps] == ["a", "b", "c"]
    assert faults(graph, describe) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "e.json: not JSON"),
        (b'{"inputs": [], "outputs": [], "steps": []}', "expected at least one step and one output"),
        (file(), "expected at least one step"),
        (file(step("a"), step("a")), "two steps are called 'a'"),
        (file(step("a.b")), "a step cannot be called 'a.b'"),
        (file(step("a", x="z")), "step 'a', input 'x': 'z' is neither an input nor the output of a step"),
        (file(step("a"), source="b.y"), "output 'y': 'b.y' is neither"),
        (file(step("a", x="b.y"), step("b", x="a.y")), "the steps go in a circle: 'a' -> 'b' -> 'a'"),
        (file(step("a", x="a.y")), "the steps go in a circle: 'a' -> 'a'"),
        (file(step("a"), datatype="FLOAT"), "output 'y': datatype 'FLOAT', expected one of BOOL"),
        (file(step("a"), inputs=(X, X)), "input 'x': described twice"),
        (
            b'{"inputs": [], "outputs": [], "steps": [{"name": "a"}]}',
            r"steps\[0\]: object missing required field",
        ),
    ],
)
def test_a_graph_that_cannot_be_run_is_refused(content, why):
    with pytest.raises(ModelError, match=why):
        graph_of(content, "e.json")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (file(step("a", "nobody")), ["step 'a': there is no model 'nobody'"]),
        (
            file(step("a", "join", a="x", c="x"), source="a.sum"),
            [
                "step 'a': nothing is given for input 'b' of model 'join'",
                "step 'a': model 'join' has no input 'c'; it takes 'a', 'b'",
            ],
        ),
        (file(step("a", "classify"), source="a.label", datatype="INT64"), [
            "step 'a', input 'x' is FP64 [-1, 3], but 'x' is FP64 [-1]",
        ]),
        (file(step("a"), datatype="FP32"), ["output 'y' is FP32 [-1], but 'a.y' is FP64 [-1]"]),
        (file(step("a"), source="a.z"), ["output 'y': there is no 'a.z'"]),
        (file(step("a"), step("b", x="a.z")), ["step 'b', input 'x': there is no 'a.z'"]),
        (
            file(step("a", "nobody"), step("b", x="a.y"), step("c", "nothing"), source="b.y"),
            ["step 'a': there is no model 'nobody'", "step 'c': there is no model 'nothing'"],
        ),
    ],
    ids=["missing", "inputs", "shape", "datatype", "no such output", "no such source", "all at once"],
)  # fmt: skip
def test_every_fault_between_graph_and_models_is_named(content, expected):
    assert sorted(faults(graph_of(content, "e.json"), describe)) == sorted(expected)
