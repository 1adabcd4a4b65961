"""What every learner keeps: it resumes to the bit after any epoch, changes nothing in place, and heeds its seed."""

import numpy as np
import pytest
from epochs import same, task, train

from windlass.operators.training import mlp, softmax
from windlass.operators.training.learner import Task

LEARNERS = {
    "softmax": softmax.Settings(epochs=5, batch_size=16, learning_rate=0.1, momentum=0.9, l2=1e-3),
    "mlp": mlp.Settings(
        epochs=5, batch_size=16, learning_rate=0.01, hidden_layers=2, hidden_units=6, weight_decay=0.01
    ),
}
EACH = pytest.mark.parametrize("settings", LEARNERS.values(), ids=LEARNERS)


def test_inputs_are_scaled_into_minus_one_to_one_and_labels_become_indexes():
    made = task()

    assert np.abs(made.features).max() == 1.0
    assert made.classes.tolist() == [3, 4, 5]
    assert {0, 1, 2} == set(made.targets.tolist())


def test_features_that_are_all_zero_are_left_so():
    made = Task.of(np.zeros((4, 2)), np.array([0, 1, 0, 1]))

    assert made.scale == 1.0
    assert not made.features.any()


@EACH
@pytest.mark.parametrize("stop", range(1, 5))
def test_stopping_after_any_epoch_and_going_on_changes_no_bit(settings, stop):
    given = task()
    undisturbed, _ = train(settings, given)

    half, _ = train(settings, given, last=stop)
    resumed, _ = train(settings, given, first=stop + 1, start=half)

    assert same(undisturbed, resumed)


@EACH
def test_an_epoch_changes_nothing_in_place(settings):
    given = task()
    start, _ = train(settings, given, last=1)
    before = {name: array.copy() for name, array in start.items()}

    settings.train_epoch(start, given, seed=1, epoch=2)

    assert same(before, start)


@EACH
def test_another_seed_is_another_training(settings):
    given = task()

    assert not same(train(settings, given, seed=1)[0], train(settings, given, seed=2)[0])
