"""Every error of an operator says, beside its message, which reason the condition shows."""

import re

import pytest

from windlass.operators import errors
from windlass.statemachine.conditions import REASON_PATTERN
from windlass.statemachine.errors import WindlassError

MADE = [
    errors.TrainingError("what happened"),
    errors.TrainingError("what happened", reason="StateCorrupt"),
    errors.DataError("what happened", reason="TableNotFound"),
    errors.HyperparametersInvalid(("epochs: wrong", "l2: wrong")),
    errors.ExtraMissing("onnx", needed_for="this", extra="train"),
    errors.TrainingDiverged("what happened"),
    errors.RunFolderBusy("what happened"),
    errors.StillEnding("what happened"),
    errors.ExecutorNotAllowed("what happened"),
    errors.ExecutorUnavailable("what happened"),
    errors.NameConflict("what happened"),
    errors.ManifestRefused("what happened"),
    errors.EvaluationError("what happened"),
    errors.PublishError("what happened"),
]


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_a_reason_is_fit_for_a_condition_and_the_message_for_a_user(error):
    assert isinstance(error, WindlassError)
    assert re.fullmatch(REASON_PATTERN, error.reason)
    assert "\n" not in str(error)


def test_every_class_is_drawn_in_the_tree():
    assert all(name in errors.__doc__ for name in errors.__all__)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (errors.DataError("x", reason="TableUnreachable"), True),
        (errors.DataError("x", reason="TableNotFound"), False),
        (errors.RunFolderBusy("x"), True),
        (errors.StillEnding("x"), True),
        (errors.ExecutorUnavailable("x"), True),
        (errors.ExecutorNotAllowed("x"), False),
        (errors.NameConflict("x"), False),
        (errors.ManifestRefused("x"), False),
        (errors.PublishError("x"), False),
        (errors.PublishError("x", retryable=True), True),
        (errors.TrainingDiverged("x"), False),
    ],
)
def test_only_what_may_pass_by_itself_is_worth_another_try(error, retryable):
    assert retryable == error.retryable


def test_all_faults_of_hyperparameters_stand_in_the_message():
    assert str(errors.HyperparametersInvalid(("epochs: wrong", "l2: wrong"))) == "epochs: wrong; l2: wrong"
