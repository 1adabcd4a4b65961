"""The exported file answers, and where its graph can be read, its own weights give the slope."""

import numpy as np
import onnx
import pytest
from gate_subjects import linear, perceptron
from onnx import TensorProto, helper, numpy_helper

from windlass.operators.errors import CheckError
from windlass.operators.training.export import Trained, as_onnx
from windlass.operators.training.files import sha256_of
from windlass.operators.training.gate.attack import Attack, attack
from windlass.operators.training.gate.classifiers import network_of, onnx_classifier
from windlass.operators.training.gate.subject import Sample
from windlass.operators.training.network import Network


def exported(network: Network, *, spoil=lambda nodes: nodes) -> bytes:
    """The network as a graph with the names of the trainer's."""
    nodes, constants, name = (
        [helper.make_node("Mul", ["x", "factor"], ["scaled"])],
        {"factor": network.factor},
        "scaled",
    )
    for index, layer in enumerate(network.layers):
        constants |= {f"w{index}": layer.weights, f"b{index}": layer.bias}
        nodes.append(helper.make_node("MatMul", [name, f"w{index}"], [f"m{index}"]))
        nodes.append(helper.make_node("Add", [f"m{index}", f"b{index}"], [f"a{index}"]))
        name = f"a{index}"
        if layer.rectified:
            nodes.append(helper.make_node("Relu", [name], [f"r{index}"]))
            name = f"r{index}"
    nodes.append(helper.make_node("Softmax", [name], ["probabilities"], axis=1))
    features, classes = len(network.layers[0].weights), len(network.layers[-1].bias)
    graph = helper.make_graph(
        spoil(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", features])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes])],
        [numpy_helper.from_array(np.asarray(value, np.float32), key) for key, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    made.ir_version = 7
    return made.SerializeToString()


@pytest.mark.parametrize("make", [linear, perceptron])
def test_the_network_that_is_read_answers_as_the_runtime_does(make):
    rng = np.random.default_rng(0)
    network = make(rng)
    content = exported(network)
    features = rng.normal(size=(100, len(network.layers[0].weights)))
    found = onnx_classifier(content, range(3))

    np.testing.assert_allclose(found.answers(features), network_of(content).probabilities(features), atol=2e-6)
    np.testing.assert_allclose(found.answers(features), network.probabilities(features), atol=2e-6)
    targets = features[:, 0].astype(np.int64) * 0 + 1
    np.testing.assert_allclose(found.gradient(features, targets), network.gradient(features, targets), atol=1e-5)
    assert found.digest == sha256_of(content)


def test_what_the_trainer_exports_can_be_looked_into():
    rng = np.random.default_rng(1)
    model = Trained.linear(rng.normal(size=(4, 3)), rng.normal(size=3), np.array([2, 5, 9]), 16.0)
    features = rng.normal(size=(60, 4)) * 8
    classifier = onnx_classifier(as_onnx(model), model.classes)
    labels = model.classes[classifier.answers(features).argmax(axis=1)]

    assert network_of(as_onnx(model)).factor == pytest.approx(1 / 16)
    assert classifier.right(Sample(features, labels)).all()
    how = Attack(2.0, -99, 99, "gradient", 0.01, draws=1, seed=0)
    seen = attack(classifier, Sample(features, labels), how)
    assert 0 < seen.fooled < 60
    by_answers = Attack(2.0, -99, 99, "differences", 0.05, draws=1, seed=0)
    assert attack(classifier, Sample(features, labels), by_answers).fooled == pytest.approx(seen.fooled, abs=2)


def replaced(old, new):
    def spoil(nodes):
        return [helper.make_node(new, one.input, one.output) if one.op_type == old else one for one in nodes]

    return spoil


def turned(nodes):
    """The first product the other way round."""
    return [
        helper.make_node("MatMul", [*one.input][::-1], one.output) if one.op_type == "MatMul" else one for one in nodes
    ]


def without_softmax(nodes):
    return [*nodes[:-1], helper.make_node("Identity", nodes[-1].input, nodes[-1].output)]


def along_rows(nodes):
    return [*nodes[:-1], helper.make_node("Softmax", nodes[-1].input, nodes[-1].output, axis=0)]


def joined(nodes):
    """A residual connection: a sum of two values that are no constants."""
    return [
        *nodes[:-1],
        helper.make_node("Add", [nodes[-1].input[0]] * 2, ["twice"]),
        helper.make_node("Softmax", ["twice"], ["probabilities"], axis=1),
    ]


@pytest.mark.parametrize(
    "spoil",
    [
        replaced("Relu", "Sigmoid"),
        replaced("Add", "Sub"),
        replaced("Mul", "Div"),
        turned,
        without_softmax,
        along_rows,
        joined,
    ],
    ids=["another activation", "a difference", "a division", "turned round", "no softmax", "along rows", "residual"],
)
def test_a_graph_that_is_no_such_chain_is_a_black_box_and_not_misread(spoil):
    assert network_of(exported(perceptron(np.random.default_rng(0), features=7), spoil=spoil)) is None


@pytest.mark.parametrize(
    "content", [b"", b"no graph", onnx.ModelProto().SerializeToString()], ids=["nothing", "text", "empty"]
)
def test_a_file_that_is_no_model_has_no_answer(content):
    with pytest.raises(CheckError, match="the model does not load") as caught:
        onnx_classifier(content, [0, 1])

    assert caught.value.reason == "ModelUnusable"
    assert network_of(content) is None


def test_a_wrong_number_of_classes_or_features_is_an_error():
    content = exported(linear(np.random.default_rng(0)))

    with pytest.raises(CheckError, match="tells 3 classes apart, and 2 were named"):
        onnx_classifier(content, [0, 1])
    with pytest.raises(CheckError, match="the model does not answer"):
        onnx_classifier(content, [0, 1, 2]).answers(np.zeros((2, 9)))
