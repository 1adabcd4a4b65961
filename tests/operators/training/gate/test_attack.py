"""The attack: one signed step, counted over the rows that were right before (B3), from inside or outside (B4)."""

import attrs
import numpy as np
import pytest
from gate_subjects import classifier, linear, perceptron, rows
from hypothesis import given
from hypothesis import strategies as st

from windlass.operators.training.gate.attack import Attack, Attacked, attack, by_perturbation, cross_entropy, fgsm
from windlass.operators.training.gate.subject import Sample
from windlass.operators.training.network import Layer, Network

FREE = Attack(0.1, -np.inf, np.inf, "gradient", 1e-4, draws=64, seed=3)


def test_each_feature_moves_by_epsilon_along_the_sign_and_stays_within_the_bounds():
    moved = fgsm(np.array([[0.0, 0.5, 0.95, 0.02]]), np.array([[3.0, -1e-9, 2.0, -5.0]]), 0.1, bounds=(0.0, 1.0))

    assert moved.tolist() == [[0.1, 0.4, 1.0, 0.0]]


def test_where_the_loss_has_no_slope_nothing_moves():
    assert fgsm(np.array([[0.3]]), np.array([[0.0]]), 0.1, bounds=(0.0, 1.0)).tolist() == [[0.3]]


def test_only_rows_that_were_right_before_count():
    """Two classes at x < 0 and x > 0: of the rows 0.05, -0.3 and a wrong one, a step of 0.1 turns the first."""
    network = Network((Layer(np.array([[-1.0, 1.0]]), np.zeros(2), rectified=False),))
    sample = Sample(np.array([[0.05], [-0.3], [0.5]]), np.array([1, 0, 0]))

    assert attack(classifier(network), sample, FREE) == Attacked(rows=3, correct=2, fooled=1, flat=0)


def test_a_label_that_the_model_does_not_know_is_never_right():
    network = Network((Layer(np.array([[-1.0, 1.0]]), np.zeros(2), rectified=False),))

    found = attack(classifier(network), Sample(np.array([[0.5], [0.5]]), np.array([1, 9])), FREE)

    assert (found.rows, found.correct) == (2, 1)


@pytest.mark.parametrize("make", [linear, perceptron])
def test_a_step_of_nothing_fools_nobody(make):
    rng = np.random.default_rng(1)
    network = make(rng)

    assert attack(classifier(network), rows(rng, network), attrs.evolve(FREE, epsilon=0.0)).fooled == 0


@pytest.mark.parametrize("make", [linear, perceptron])
def test_the_gradient_is_the_slope_of_the_loss(make):
    rng = np.random.default_rng(2)
    network = make(rng)
    sample = rows(rng, network, 40)
    found = network.gradient(sample.features, sample.labels)

    step = 1e-6
    for index in range(sample.features.shape[1]):
        offset = np.zeros_like(sample.features)
        offset[:, index] = step
        sides = [network.probabilities(sample.features + sign * offset) for sign in (1, -1)]
        up, down = (cross_entropy(side, sample.labels) for side in sides)
        np.testing.assert_allclose((up - down) / (2 * step), found[:, index], atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 8))
def test_a_longer_step_fools_no_fewer_rows_of_a_linear_model(seed, classes, features):
    """B3. The margin by which a wrong class wins is convex along the step, and below 0 at its beginning."""
    rng = np.random.default_rng(seed)
    network = linear(rng, features, classes)
    sample = rows(rng, network, 50, noise=0.1)
    fooled = [
        attack(classifier(network), sample, attrs.evolve(FREE, epsilon=epsilon)).fooled
        for epsilon in (0.0, 0.01, 0.1, 0.3, 1.0, 3.0)
    ]

    assert fooled[0] == 0
    assert fooled == sorted(fooled)


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_so_it_is_within_bounds_when_there_are_two_classes(seed, features):
    """B3. With two classes each feature by itself moves the margin one way, wherever the bounds stop it."""
    rng = np.random.default_rng(seed)
    network = linear(rng, features, 2)
    sample = rows(rng, network, 50, noise=0.1)
    low, high = float(sample.features.min()), float(sample.features.max())
    bounded = attrs.evolve(FREE, low=low, high=high)
    fooled = [
        attack(classifier(network), sample, attrs.evolve(bounded, epsilon=epsilon)).fooled
        for epsilon in (0.0, 0.01, 0.1, 0.3, 1.0, 3.0)
    ]

    assert fooled == sorted(fooled)


@pytest.mark.parametrize("make", [linear, perceptron])
def test_differences_find_in_a_black_box_what_the_gradient_finds(make):
    """B4."""
    rng = np.random.default_rng(4)
    network = make(rng)
    sample = rows(rng, network, noise=0.1)
    seen = attack(classifier(network), sample, FREE)

    found = attack(classifier(network, black_box=True), sample, attrs.evolve(FREE, mode="differences"))

    assert found == seen
    assert 0 < seen.fooled < seen.correct


def test_random_directions_come_close_and_follow_from_the_seed():
    """B4."""
    rng = np.random.default_rng(5)
    network = linear(rng)
    sample = rows(rng, network)
    box, how = classifier(network, black_box=True), attrs.evolve(FREE, mode="spsa", draws=512)
    true = np.sign(network.gradient(sample.features, sample.labels))

    found = np.sign(by_perturbation(box, how)(sample.features, sample.labels))

    assert (found == true).mean() > 0.95
    assert attack(box, sample, how) == attack(box, sample, how)
    other = by_perturbation(box, attrs.evolve(how, seed=4))(sample.features, sample.labels)
    assert not np.array_equal(by_perturbation(box, how)(sample.features, sample.labels), other)


def test_the_loss_keeps_its_slope_where_the_probability_rounds_to_one():
    """A model that is sure in single precision would otherwise hide from differences."""
    sure = np.array([[np.float64(np.float32(1.0 - 1e-12)), 1e-12], [1.0, 0.0], [0.25, 0.75], [0.0, 1.0]])

    found = cross_entropy(sure, np.array([0, 0, 0, 0]))

    assert found[0] == pytest.approx(1e-12, rel=1e-6, abs=0)
    assert found[1] == 0.0
    assert found[2] == pytest.approx(-np.log(0.25))
    assert np.isfinite(found[3])


def test_rows_around_which_the_loss_is_flat_are_counted():
    dead = Network(
        (
            Layer(np.array([[1.0, 0.0]]), np.array([-9.0, 0.0]), rectified=True),
            linear(np.random.default_rng(0), 2).layers[0],
        )
    )
    sample = Sample(np.zeros((3, 1)), np.full(3, dead.probabilities(np.zeros((1, 1))).argmax()))

    assert attack(classifier(dead), sample, FREE) == Attacked(3, 3, 0, flat=3)


def test_a_long_attack_looks_up_now_and_then():
    class Stop(Exception):
        pass

    def pause():
        raise Stop

    rng = np.random.default_rng(6)
    network = linear(rng)
    for mode in ("differences", "spsa"):
        with pytest.raises(Stop):
            attack(classifier(network), rows(rng, network), attrs.evolve(FREE, mode=mode), pause=pause)
