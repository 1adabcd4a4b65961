"""The check of robustness answers with a share of enough rows, or says why it cannot (B3, B4)."""

import attrs
import numpy as np
import pytest
from gate_subjects import classifier, linear, perceptron, rows, subject

from windlass.operators.errors import CheckError
from windlass.operators.training.gate.checks.fgsm import FGSM
from windlass.operators.training.gate.contract import Deadline
from windlass.operators.training.gate.subject import Classifier, Sample
from windlass.operators.training.network import Layer, Network


def measure(given, **parameters):
    return FGSM.measure(given, {"epsilon": 0.1, "maxSuccessRate": 0.5, **parameters}, Deadline(60))


def refused(given, **parameters):
    with pytest.raises(CheckError) as caught:
        measure(given, **parameters)
    return caught.value.reason, str(caught.value)


def test_the_share_is_of_the_rows_that_were_right_and_equality_passes():
    """B3."""
    given = subject()
    found = measure(given)
    fooled, correct = found.details["fooled"], found.details["correct"]

    assert 0 < fooled < correct < 200
    assert found.statistic == fooled / correct
    assert (found.outcome, found.samples, found.threshold) == ("Passed", correct, 0.5)
    assert measure(given, maxSuccessRate=found.statistic).outcome == "Passed"
    assert measure(given, maxSuccessRate=np.nextafter(found.statistic, 0)).outcome == "Failed"


def test_a_step_of_nothing_has_no_success():
    """B3."""
    assert measure(subject(), epsilon=0).statistic == 0.0


def test_units_bounds_and_mode_are_stated():
    """B3: epsilon in the units of the model's input, and stated."""
    given = subject()
    details = measure(given, low=-9, high=9).details

    assert (details["epsilon"], details["low"], details["high"], details["mode"]) == (0.1, -9, 9, "gradient")
    own = measure(given).details
    assert (own["low"], own["high"]) == (given.evaluation.features.min(), given.evaluation.features.max())


@pytest.mark.parametrize("features", [4, 300])
def test_a_black_box_is_attacked_by_its_answers(features):
    """B4: differences, and random directions where those would be too many questions."""
    rng = np.random.default_rng(0)
    network = linear(rng, features)
    given = subject(model=classifier(network, black_box=True), evaluation=rows(rng, network))

    found = measure(given)

    assert found.details["mode"] == ("differences" if features == 4 else "spsa")
    assert found.outcome in ("Passed", "Failed")
    assert found.statistic > 0


def test_a_gradient_that_is_demanded_of_a_black_box_is_an_error():
    given = subject()

    assert (
        refused(attrs.evolve(given, model=attrs.evolve(given.model, gradient=None)), mode="gradient")[0] == "NoGradient"
    )


@pytest.mark.parametrize("count", [0, 1, 99])
def test_too_few_right_rows_are_no_share(count):
    """B3: no 0/0 pass."""
    given = subject(noise=0.0)
    less = attrs.evolve(given, evaluation=Sample(given.evaluation.features[:count], given.evaluation.labels[:count]))

    reason, message = refused(less)

    assert reason in ("TooFewSamples", "DataMissing")
    assert f"found {count}" in message or f"{count} of {count}" in message


def test_a_model_that_is_bad_to_begin_with_is_not_called_robust():
    """B3: minCleanAccuracy."""
    assert refused(subject(noise=0.6), minSamples=1)[0] == "CleanAccuracyTooLow"


def test_a_model_that_hides_its_slope_is_not_called_robust():
    """A rectifier that is shut gives no gradient at all; the attack would find nothing, and that proves nothing."""
    dead = Layer(np.zeros((4, 2)), np.array([-1.0, -1.0]), rectified=True)
    network = Network((dead, Layer(np.zeros((2, 3)), np.array([1.0, 0.0, 0.0]), rectified=False)))
    given = subject(
        model=classifier(network),
        evaluation=Sample(np.random.default_rng(0).normal(size=(200, 4)), np.zeros(200, np.int64)),
    )

    assert refused(given)[0] == "GradientVanished"
    assert measure(given, maxFlat=1).statistic == 0.0


def answering(given, answer):
    return attrs.evolve(given, model=Classifier("0" * 64, np.arange(3), answer))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda x: np.full((len(x), 3), np.nan), "AnswerNotFinite"),
        (lambda x: np.zeros((len(x), 2)), "AnswerMalformed"),
        (lambda x: np.zeros((len(x) - 1, 3)), "AnswerMalformed"),
    ],
    ids=["NaN", "another number of classes", "a row too few"],
)
def test_an_odd_answer_of_the_model_is_an_error(answer, reason):
    """B1."""
    assert refused(answering(subject(), answer))[0] == reason


@pytest.mark.parametrize(
    ("evaluation", "reason"),
    [
        (None, "DataMissing"),
        (Sample(np.zeros((0, 4)), np.zeros(0, np.int64)), "DataMissing"),
        (Sample(np.full((200, 4), np.inf), np.zeros(200, np.int64)), "DataNotFinite"),
        (Sample(np.zeros((3, 4)), np.zeros(200, np.int64)), "DataMalformed"),
    ],
    ids=["none", "no rows", "infinite", "torn"],
)
def test_rows_that_are_not_there_are_an_error(evaluation, reason):
    """B1: missing data, NaN."""
    assert refused(subject(evaluation=evaluation))[0] == reason


def test_rows_outside_of_the_bounds_are_refused_because_clipping_would_move_them():
    reason, message = refused(subject(), low=0.0, high=1.0)

    assert reason == "InvalidParameters"
    assert "expected the rows within them" in message


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"epsilon": -0.1}, "parameters.epsilon: expected"),
        ({"epsilon": "much"}, "parameters.epsilon: expected"),
        ({"maxSuccessRate": 1.5}, "parameters.maxSuccessRate: expected"),
        ({"mode": "magic"}, "parameters.mode: expected one of"),
        ({"epsilom": 1}, "parameters.epsilom"),
    ],
)
def test_a_wrong_parameter_is_named(parameters, said):
    reason, message = refused(subject(), **parameters)

    assert reason == "InvalidParameters"
    assert said in message


def test_a_missing_parameter_is_named():
    with pytest.raises(CheckError, match="epsilon"):
        FGSM.measure(subject(), {"maxSuccessRate": 1}, Deadline(60))


def test_of_many_rows_some_are_chosen_and_the_same_ones_each_time():
    given = subject()

    found = measure(given, maxSamples=120)

    assert found.details["rows"] == 120
    assert found == measure(given, maxSamples=120)


def test_the_deadline_ends_an_attack_by_questions():
    """B1: time-out."""
    rng = np.random.default_rng(0)
    network = perceptron(rng)
    given = subject(model=classifier(network, black_box=True), evaluation=rows(rng, network))
    late = Deadline(60)
    late.give_up()

    with pytest.raises(CheckError) as caught:
        FGSM.measure(given, {"epsilon": 0.1, "maxSuccessRate": 1}, late)
    assert caught.value.reason == "TimedOut"
