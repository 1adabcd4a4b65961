"""The regression: reproducible to the bit, resumable after any epoch, honest about divergence."""

import attrs
import numpy as np
import pytest

from windlass.operators.errors import TrainingDiverged
from windlass.operators.training.learner import Task, accuracy
from windlass.operators.training.softmax import Settings

SETTINGS = Settings(epochs=5, batch_size=16, learning_rate=0.1, momentum=0.9, l2=1e-3)


def task(rows=120):
    rng = np.random.default_rng(0)
    labels = rng.integers(3, 6, rows)
    return Task.of(rng.normal(size=(rows, 4)) * 8 + 20 * np.eye(4)[labels - 3], labels)


def train(given, *, first=1, last=5, start=None, seed=1, settings=SETTINGS):
    weights, losses = start or settings.initial(given, seed=seed), []
    for epoch in range(first, last + 1):
        weights, loss = settings.train_epoch(weights, given, seed=seed, epoch=epoch)
        losses.append(loss)
    return weights, losses


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_inputs_are_scaled_into_minus_one_to_one_and_labels_become_indexes():
    made = task()

    assert np.abs(made.features).max() == 1.0
    assert made.classes.tolist() == [3, 4, 5]
    assert {0, 1, 2} == set(made.targets.tolist())


def test_features_that_are_all_zero_are_left_so():
    made = Task.of(np.zeros((4, 2)), np.array([0, 1, 0, 1]))

    assert made.scale == 1.0
    assert not made.features.any()


@pytest.mark.parametrize("stop", range(1, 5))
def test_stopping_after_any_epoch_and_going_on_changes_no_bit(stop):
    given = task()
    undisturbed, _ = train(given)

    half, _ = train(given, last=stop)
    resumed, _ = train(given, first=stop + 1, start=half)

    assert same(undisturbed, resumed)


def test_an_epoch_does_not_change_the_weights_it_starts_from():
    given = task()
    start, _ = train(given, last=1)
    before = {name: array.copy() for name, array in start.items()}

    SETTINGS.train_epoch(start, given, seed=1, epoch=2)

    assert same(before, start)


def test_seeds_differ_and_agree_about_the_loss_in_the_end():
    given = task()

    one, one_losses = train(given, last=60, seed=1)
    other, other_losses = train(given, last=60, seed=2)

    assert not same(one, other)
    assert one_losses[-1] == pytest.approx(other_losses[-1], rel=0.1)


def test_the_loss_falls_and_the_rows_are_learnt():
    given = task()

    weights, losses = train(given, last=60)

    assert losses[-1] < losses[0] / 3
    assert accuracy(SETTINGS.layers(weights), given) > 0.9


def test_the_step_follows_the_gradient_of_the_cross_entropy():
    """One full batch without momentum changes the weights by minus the rate times the slope."""
    given = task(rows=30)
    settings = Settings(epochs=1, batch_size=30, learning_rate=1e-3, momentum=0.0, l2=0.05)
    start, _ = train(given, last=2)

    def objective(weights):
        logits = given.features @ weights + start["bias"]
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return -logs[np.arange(30), given.targets].mean() + settings.l2 / 2 * (weights**2).sum()

    slope = np.zeros_like(start["weights"])
    for index in np.ndindex(*slope.shape):
        nudge = np.zeros_like(slope)
        nudge[index] = 1e-6
        slope[index] = (objective(start["weights"] + nudge) - objective(start["weights"] - nudge)) / 2e-6
    after, _ = settings.train_epoch(start, given, seed=1, epoch=1)

    assert np.allclose((start["weights"] - after["weights"]) / settings.learning_rate, slope, atol=1e-6)


def test_a_rate_that_is_too_high_is_divergence_and_the_rate_is_named():
    settings = attrs.evolve(SETTINGS, learning_rate=1e6, momentum=0.999, l2=10.0)

    with pytest.raises(TrainingDiverged, match="a learningRate below 1e\\+06 may help"):
        train(task(), last=200, settings=settings)
