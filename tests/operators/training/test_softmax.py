"""The regression: its step is its loss's slope, it learns what it is given, and it is honest about divergence."""

import attrs
import numpy as np
import pytest
from epochs import same, task, train

from windlass.operators.errors import TrainingDiverged
from windlass.operators.training.learner import accuracy
from windlass.operators.training.softmax import Settings

SETTINGS = Settings(epochs=5, batch_size=16, learning_rate=0.1, momentum=0.9, l2=1e-3)


def test_seeds_differ_and_agree_about_the_loss_in_the_end():
    given = task()

    one, one_losses = train(SETTINGS, given, last=60, seed=1)
    other, other_losses = train(SETTINGS, given, last=60, seed=2)

    assert not same(one, other)
    assert one_losses[-1] == pytest.approx(other_losses[-1], rel=0.1)


def test_the_loss_falls_and_the_rows_are_learnt():
    given = task()

    weights, losses = train(SETTINGS, given, last=60)

    assert losses[-1] < losses[0] / 3
    assert accuracy(SETTINGS.layers(weights), given) > 0.9


def test_the_step_follows_the_gradient_of_the_cross_entropy():
    """One full batch without momentum changes the weights by minus the rate times the slope."""
    given = task(rows=30)
    settings = Settings(epochs=1, batch_size=30, learning_rate=1e-3, momentum=0.0, l2=0.05)
    start, _ = train(SETTINGS, given, last=2)

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
        train(settings, task(), last=200)
