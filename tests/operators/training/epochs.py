"""A task that is learnt in a moment, and a learner's epochs one after another; test modules import this."""

import numpy as np

from windlass.operators.training.learner import Task

__all__ = ("same", "task", "train")


def task(rows=120):
    rng = np.random.default_rng(0)
    labels = rng.integers(3, 6, rows)
    return Task.of(rng.normal(size=(rows, 4)) * 8 + 20 * np.eye(4)[labels - 3], labels)


def train(settings, given, *, first=1, last=5, start=None, seed=1):
    """The state after the epochs from `first` to `last`, and the loss of each."""
    state, losses = start or settings.initial(given, seed=seed), []
    for epoch in range(first, last + 1):
        state, loss = settings.train_epoch(state, given, seed=seed, epoch=epoch)
        losses.append(loss)
    return state, losses


def same(one, other):
    """Whether two states are, to the bit."""
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)
