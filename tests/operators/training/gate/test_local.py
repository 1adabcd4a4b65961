"""Trials on this machine: the plan's values, one after the other, within a budget (B5, B6)."""

import attrs
import numpy as np
import pytest
from gate_subjects import subject

from windlass.operators.errors import CheckError, TrainingDiverged
from windlass.operators.training.gate.checks.sensitivity import SENSITIVITY
from windlass.operators.training.gate.contract import Deadline
from windlass.operators.training.gate.local import LocalTrials, objective_of
from windlass.operators.training.gate.subject import Sample
from windlass.operators.training.gate.trials import Range, TrialPlan, assignments
from windlass.operators.training.softmax import Settings

PLAN = TrialPlan(
    "a" * 64, "accuracy", (Range("learningRate", 0.04, 0.06), Range("batchSize", 12, 20, integer=True)), 6, 9
)
BASE = Settings(epochs=3, batch_size=16, learning_rate=0.05, momentum=0.9, l2=1e-4)


def blobs(seed, rows=240):
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, 7, rows)
    return Sample(rng.normal(size=(rows, 3)) + 3.0 * np.eye(3)[labels - 4], labels)


def test_values_follow_from_the_seed_and_lie_in_their_ranges():
    made = assignments(PLAN)

    assert made == assignments(PLAN)
    assert made[:3] == assignments(attrs.evolve(PLAN, count=3))
    assert made != assignments(attrs.evolve(PLAN, seed=10))
    assert all(0.04 <= one["learningRate"] <= 0.06 and 12 <= one["batchSize"] <= 20 for one in made)
    assert all(type(one["batchSize"]) is int for one in made)
    assert len({one["learningRate"] for one in made}) == 6


def test_both_ends_of_a_range_of_whole_numbers_are_drawn():
    plan = TrialPlan("a", "accuracy", (Range("n", 1, 3, integer=True),), 60, 0)

    assert {one["n"] for one in assignments(plan)} == {1, 2, 3}


def test_the_real_trainer_is_trained_again_and_hardly_minds():
    """B6: the whole check, without Katib."""
    training, evaluation = blobs(0), blobs(1)
    runner = LocalTrials(objective_of(BASE, training, evaluation, seed=3))
    given = subject(trials=runner, hyperparameters={"learningRate": 0.05, "batchSize": 16})

    found = SENSITIVITY.measure(given, {"vary": ["learningRate", "batchSize"], "trials": 6}, Deadline(120))

    assert (found.outcome, found.samples, found.details["runner"]) == ("Passed", 6, "local")
    assert found.statistic < 0.001
    assert all(0.8 < one["value"] <= 1 for one in found.details["trials"])
    assert found == SENSITIVITY.measure(given, {"vary": ["learningRate", "batchSize"], "trials": 6}, Deadline(120))


def test_a_training_that_diverges_is_a_failed_trial():
    def objective(values, patience):
        if values["batchSize"] > 16:
            raise TrainingDiverged("too far")
        return 0.9

    found = LocalTrials(objective).run(PLAN, Deadline(60))

    assert {one.state for one in found} == {"Succeeded", "Failed"}
    assert all((one.value is None) == (one.state == "Failed") for one in found)


def test_what_is_no_failure_of_training_is_not_hidden_in_a_trial():
    def objective(values, patience):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        LocalTrials(objective).run(PLAN, Deadline(60))


@pytest.mark.parametrize(("budget", "limit", "reason"), [(3.0, 100.0, "BudgetExhausted"), (100.0, 3.0, "TimedOut")])
def test_a_budget_that_is_used_up_ends_all_trials(budget, limit, reason):
    """B1: a part of the trials is no answer. Each takes a second of a clock of ours."""
    now, done = [0.0], []

    def objective(values, patience):
        now[0] += 1.0
        done.append(values)
        patience.check()
        return 0.9

    with pytest.raises(CheckError) as caught:
        LocalTrials(objective, seconds=budget).run(PLAN, Deadline(limit, clock=lambda: now[0]))

    assert (caught.value.reason, len(done)) == (reason, 3)


def test_an_unknown_hyperparameter_is_refused_by_name():
    objective = objective_of(BASE, blobs(0), blobs(1), seed=0)

    with pytest.raises(CheckError, match="has no hyperparameter 'depth'"):
        objective({"depth": 3}, Deadline(60))
