"""A wrong hyperparameter is a fault that names the field, what was found, and what was expected."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.operators.errors import HyperparametersInvalid
from windlass.operators.training.executors.hyperparameters import Parameter, read_hyperparameters

COUNT = Parameter("epochs", 10, 1, 100)
RATE = Parameter("learningRate", 0.5, 0.0, 1.0, open_minimum=True, open_maximum=True)


def faults(given):
    with pytest.raises(HyperparametersInvalid) as caught:
        read_hyperparameters((COUNT, RATE), given)
    return list(caught.value.faults)


def test_what_is_not_given_has_its_default():
    assert read_hyperparameters((COUNT, RATE), {}) == {"epochs": 10, "learningRate": 0.5}


@pytest.mark.parametrize(("value", "read"), [(1, 1), (100, 100), (7.0, 7)])
def test_integers_within_closed_bounds_are_taken(value, read):
    found = read_hyperparameters((COUNT,), {"epochs": value})

    assert {"epochs": read} == found
    assert isinstance(found["epochs"], int)


@pytest.mark.parametrize("value", [0, 101, -3, 2.5, "3", True, None, [1], float("nan"), float("inf")])
def test_anything_else_is_refused_in_one_sentence(value):
    assert [f"hyperparameters.epochs: expected an integer from 1 to 100, found {value!r}"] == faults({"epochs": value})


@pytest.mark.parametrize("value", [0, 0.0, 1, 1.0])
def test_open_bounds_are_outside(value):
    assert [f"hyperparameters.learningRate: expected a number above 0 below 1, found {value!r}"] == faults(
        {"learningRate": value}
    )


def test_an_unknown_name_is_refused_and_the_known_ones_are_listed():
    assert faults({"lr": 1}) == ["hyperparameters.lr: unknown; this executor knows epochs, learningRate"]


def test_all_faults_are_told_at_once():
    assert len(faults({"lr": 1, "epochs": 0, "learningRate": "fast"})) == 3


@given(
    st.dictionaries(
        st.sampled_from(["epochs", "learningRate", "x"]),
        st.one_of(st.integers(), st.floats(), st.text(), st.booleans()),
    )
)
def test_values_are_read_within_bounds_or_refused(given):
    with contextlib.suppress(HyperparametersInvalid):
        found = read_hyperparameters((COUNT, RATE), given)

        assert 1 <= found["epochs"] <= 100
        assert 0 < found["learningRate"] < 1
