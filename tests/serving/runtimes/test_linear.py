"""The linear model and its file format."""

import json
from pathlib import Path

import numpy as np
import pytest

from windlass.serving.errors import ModelError
from windlass.serving.model import LoadedModel, Model, checked, explaining
from windlass.serving.runtimes import RUNTIMES
from windlass.serving.runtimes.base import Source
from windlass.serving.runtimes.linear import LinearModel


def load(content):
    return RUNTIMES["linear"].load(Source("linear", "3", Path("weights.json"), content))


def test_the_default_model_is_the_example():
    model = LinearModel()
    assert isinstance(model, Model)
    assert model.predict({"x": np.array([2.5, 0.0])})["prediction"].tolist() == [-0.5, 1.5]


def test_a_vector_of_weights_takes_vectors():
    model = LinearModel(1.0, (1.0, 2.0))
    assert model.inputs[0].shape == (-1, 2)
    assert model.predict({"x": np.array([[1.0, 2.0]])})["prediction"].tolist() == [6.0]


def test_a_file_is_loaded():
    model = load(b'{"bias": 1, "weight": [1, 2]}')
    assert (model.name, model.version, model.platform) == ("linear", "3", "numpy_linear")
    assert model.predict({"x": np.array([[1.0, 2.0]])})["prediction"].tolist() == [6.0]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"bias": 1}, "missing required field weight"),
        ({"bias": 1, "weight": "2"}, "weight: expected"),
        ({"bias": 1, "weight": 2, "slope": 3}, "unknown field slope"),
        ([], "expected object"),
    ],
)
def test_a_bad_file_is_refused_by_field(content, why):
    with pytest.raises(ModelError, match=f"weights.json.*{why}"):
        load(json.dumps(content).encode())


@pytest.mark.parametrize("weight", [-0.8, [2.0, -3.0]])
def test_an_explanation_adds_up_to_the_prediction(weight):
    model = LinearModel(weight=weight)
    x = np.array([1.0, 2.5]) if isinstance(weight, float) else np.array([[1.0, 2.0], [3.0, -4.0]])
    explanation = checked(explaining(LoadedModel("linear", "1", model)), model.explain({"x": x}))
    added = explanation["contribution"].reshape(2, -1).sum(axis=1) + explanation["bias"]
    np.testing.assert_allclose(added, model.predict({"x": x})["prediction"], rtol=1e-12)


@pytest.mark.filterwarnings("error")
def test_what_is_too_large_for_a_number_is_infinity_without_a_warning():
    """The protocols tell the client; numpy would tell the server's log."""
    assert LinearModel(weight=10.0).predict({"x": np.array([1e308])})["prediction"].tolist() == [np.inf]
    huge = {"x": np.array([[1e308, 1e308]])}
    assert np.isnan(LinearModel(0.0, (10.0, -10.0)).predict(huge)["prediction"]).all()
