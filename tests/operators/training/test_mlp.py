"""The perceptron: its slopes are those of its loss, its steps are Adam's, and it beats the regression on digits."""

import attrs
import numpy as np
import pytest
from epochs import same, task, train

from windlass.operators.errors import TrainingDiverged
from windlass.operators.training import softmax
from windlass.operators.training.dataset import read_digits
from windlass.operators.training.executors.mlp import PARAMETERS
from windlass.operators.training.learner import Task, accuracy
from windlass.operators.training.mlp import Settings
from windlass.operators.training.network import Network
from windlass.operators.training.split import held_out

SETTINGS = Settings(epochs=5, batch_size=16, learning_rate=0.01, hidden_layers=2, hidden_units=6, weight_decay=0.01)


def rings(rows=400):
    """What no linear model can tell apart: one class lies around the other."""
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, rows)
    angle, radius = rng.uniform(0, 2 * np.pi, rows), 1.0 + 2.0 * labels + rng.normal(scale=0.2, size=rows)
    return Task.of(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), labels)


def test_seeds_give_other_weights():
    given = task()

    assert not same(SETTINGS.initial(given, seed=1), SETTINGS.initial(given, seed=2))


def loss_of(state, given, settings=SETTINGS):
    probabilities = Network(settings.layers(state)).probabilities(given.features)
    return -np.log(probabilities[np.arange(len(given.targets)), given.targets]).mean()


def numeric_slope(state, name, given):
    slope = np.zeros_like(state[name])
    for index in np.ndindex(*slope.shape):
        nudge = np.zeros_like(slope)
        nudge[index] = 1e-6
        above, below = ({**state, name: state[name] + sign * nudge} for sign in (1, -1))
        slope[index] = (loss_of(above, given) - loss_of(below, given)) / 2e-6
    return slope


def test_the_first_step_is_adam_s_along_the_gradient_of_the_cross_entropy():
    """From no means, both of Adam's corrected means are the slope's own, so each weight moves by about the rate."""
    given = task(rows=30)
    settings = attrs.evolve(SETTINGS, batch_size=30, learning_rate=1e-3)
    moved, _ = train(SETTINGS, given, last=1)  # from the very first weights some rows lie exactly on a kink
    start = {name: np.zeros_like(array) if "." in name else array for name, array in moved.items()}

    after, _ = settings.train_epoch(start, given, seed=1, epoch=1)

    for name in ("w0", "b0", "w1", "b1", "w2", "b2"):
        slope = numeric_slope(start, name, given)
        assert np.allclose(after[f"{name}.m"], 0.1 * slope, atol=1e-8)
        assert np.allclose(after[f"{name}.v"], 0.001 * slope**2, atol=1e-8)
        decayed = start[name] * (1 - 1e-3 * settings.weight_decay * name.startswith("w"))
        steep = np.abs(slope) > 1e-3
        assert np.allclose((decayed - after[name])[steep], 1e-3 * np.sign(slope)[steep], rtol=1e-3)


def test_the_second_step_corrects_the_means_by_the_number_of_steps():
    given = task(rows=30)
    settings = attrs.evolve(SETTINGS, batch_size=15, learning_rate=1e-3, weight_decay=0.0)
    start, _ = train(settings, given, last=1)
    whole = attrs.evolve(settings, batch_size=30)

    after, _ = whole.train_epoch(start, given, seed=1, epoch=3)  # two steps before, one an epoch: this is the third

    slope = numeric_slope(start, "w1", given)
    mean, square = 0.9 * start["w1.m"] + 0.1 * slope, 0.999 * start["w1.v"] + 0.001 * slope**2
    expected = 1e-3 * (mean / (1 - 0.9**3)) / (np.sqrt(square / (1 - 0.999**3)) + 1e-8)
    assert np.allclose(start["w1"] - after["w1"], expected, atol=1e-6)


def test_the_slope_by_the_features_is_that_of_finite_differences():
    """What FGSM follows (B3): the gradient of each row's loss by what was put in."""
    given = task(rows=8)
    state, _ = train(SETTINGS, given)
    network = Network(SETTINGS.layers(state), factor=0.5)
    x = given.features * 2
    found = network.gradient(x, given.targets)

    for row, column in np.ndindex(*x.shape):
        nudge = np.zeros_like(x)
        nudge[row, column] = 1e-6
        above, below = (-np.log(network.probabilities(x + sign * nudge)[row, given.targets[row]]) for sign in (1, -1))
        assert found[row, column] == pytest.approx((above - below) / 2e-6, abs=1e-7)


def test_it_learns_what_no_linear_model_can():
    given = rings()
    settings = attrs.evolve(SETTINGS, epochs=40, hidden_layers=1, hidden_units=16, learning_rate=0.02)
    linear = softmax.Settings(epochs=40, batch_size=16, learning_rate=0.1, momentum=0.9, l2=0.0)

    state, losses = train(settings, given, last=40)

    assert losses[-1] < losses[0] / 4
    assert accuracy(settings.layers(state), given) > 0.98
    assert accuracy(linear.layers(train(linear, given, last=40)[0]), given) < 0.7


def test_a_rate_that_is_too_high_is_divergence_and_the_rate_is_named():
    settings = attrs.evolve(SETTINGS, learning_rate=1e3, weight_decay=1e3)

    with pytest.raises(TrainingDiverged, match="a learningRate below 1000 may help"):
        train(settings, task(), last=80)


def test_on_the_real_digits_it_is_righter_than_the_regression():
    """Both with their executors' defaults, on the rows that `windlass up` holds out."""
    pixels, labels = read_digits()
    features, targets = pixels.astype(float), labels.astype(np.int64)
    out = held_out(np.arange(len(targets)), seed=7, share=0.2)
    given = Task.of(features[~out], targets[~out])
    fields = {"batchSize": "batch_size", "learningRate": "learning_rate", "hiddenLayers": "hidden_layers"}
    fields |= {"hiddenUnits": "hidden_units", "weightDecay": "weight_decay", "epochs": "epochs"}
    perceptron = Settings(**{fields[one.name]: one.default for one in PARAMETERS})
    linear = softmax.Settings(epochs=60, batch_size=8, learning_rate=0.005, momentum=0.9, l2=1e-4)

    def right(settings):
        state, _ = train(settings, given, last=settings.epochs, seed=7)
        guesses = Network(settings.layers(state)).values(features[out] / given.scale)[-1].argmax(axis=1)
        return float((given.classes[guesses] == targets[out]).mean())

    assert right(perceptron) > max(0.975, right(linear))
