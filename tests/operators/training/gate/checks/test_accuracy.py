"""A model passes if it can be said with confidence that it is not worse than the one in production (B7)."""

import attrs
import numpy as np
import pytest
from gate_subjects import subject

from windlass.operators.errors import CheckError
from windlass.operators.training.gate.checks.accuracy import NON_INFERIORITY
from windlass.operators.training.gate.contract import Deadline
from windlass.operators.training.gate.subject import NO_INCUMBENT, Classifier, Sample


def told(name, answers):
    """A model that answers 0 or 1 as it is told, whatever the features are; row k has the feature k."""
    onehot = np.eye(2)[np.asarray(answers)]
    return Classifier(name * 64, np.arange(2), lambda x: onehot[x[:, 0].astype(int)])


def against(new_right, old_right, rows=1000, *, both_wrong=0):
    """A subject whose models are right on all rows but `both_wrong`, and each alone on so many of the others."""
    new, old = np.ones(rows, int), np.ones(rows, int)
    new[:old_right] = 0
    old[old_right : old_right + new_right] = 0
    new[rows - both_wrong :] = old[rows - both_wrong :] = 0
    sample = Sample(np.arange(rows, dtype=float)[:, None], np.ones(rows, np.int64))
    return subject(model=told("a", new), incumbent=told("b", old), evaluation=sample)


def measure(given, **parameters):
    return NON_INFERIORITY.measure(given, parameters, Deadline(60))


@pytest.mark.parametrize(
    ("new_right", "old_right", "outcome"),
    [
        (40, 10, "Passed"),
        (0, 0, "Passed"),
        (10, 10, "Passed"),
        (10, 60, "Failed"),
        (0, 30, "Failed"),
        (60, 60, "Failed"),
    ],
    ids=["better", "equal answers", "as good", "worse", "worse nowhere better", "too unlike to tell"],
)
def test_the_lower_bound_of_the_difference_decides(new_right, old_right, outcome):
    """B7: pass if and only if the lower 95 % bound lies above minus the tolerance."""
    found = measure(against(new_right, old_right))

    assert found.outcome == outcome
    assert (found.statistic > -0.01) == (outcome == "Passed")
    assert found.details["difference"] == pytest.approx((new_right - old_right) / 1000)
    assert (found.details["onlyNewRight"], found.details["onlyOldRight"]) == (new_right, old_right)


def test_on_the_tolerance_itself_it_fails():
    found = measure(against(10, 10))

    assert measure(against(10, 10), tolerance=-found.statistic).outcome == "Failed"


def test_the_same_models_rows_and_seed_give_the_same_bound():
    """B2."""
    assert measure(against(30, 33)) == measure(against(30, 33))


def test_few_rows_do_not_pass_for_want_of_proof():
    assert measure(against(2, 2, rows=100)).outcome == "Failed"
    assert measure(against(20, 20, rows=10_000)).outcome == "Passed"


def test_rows_that_both_get_wrong_prove_nothing_but_take_part():
    assert measure(against(0, 0, both_wrong=900)).details["accuracy"] == pytest.approx(0.1)


def test_the_first_model_passes_only_if_that_was_said():
    given = attrs.evolve(against(0, 0), incumbent=NO_INCUMBENT)

    with pytest.raises(CheckError, match="firstModel: Accept lets the first one pass") as caught:
        measure(given)
    assert caught.value.reason == "NoIncumbent"
    accepted = measure(given, firstModel="Accept")
    assert (accepted.outcome, accepted.reason, accepted.samples) == ("Passed", "FirstModel", 1000)


@pytest.mark.parametrize("first", ["Block", "Accept"])
def test_not_to_know_the_one_in_production_is_never_a_first_model(first):
    """B1: doubt blocks."""
    with pytest.raises(CheckError) as caught:
        measure(attrs.evolve(against(0, 0), incumbent=None), firstModel=first)

    assert caught.value.reason == "IncumbentUnknown"


def test_an_incumbent_with_other_classes_is_judged_on_the_labels():
    given = against(0, 0)
    other = Classifier("c" * 64, np.array([1, 7]), lambda x: np.tile([0.9, 0.1], (len(x), 1)))

    assert measure(attrs.evolve(given, incumbent=other)).details["incumbentAccuracy"] == 1.0


def test_an_incumbent_that_does_not_answer_is_an_error():
    broken = Classifier("c" * 64, np.arange(2), lambda x: np.full((len(x), 2), np.nan))

    with pytest.raises(CheckError) as caught:
        measure(attrs.evolve(against(0, 0), incumbent=broken))
    assert caught.value.reason == "AnswerNotFinite"


def test_too_few_rows_are_an_error():
    with pytest.raises(CheckError, match="expected at least 100 evaluation rows, found 99"):
        measure(against(0, 0, rows=99))
