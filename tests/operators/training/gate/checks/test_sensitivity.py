"""The variance of the normalised objective over trials that succeeded decides; too few of them decide nothing (B5)."""

import attrs
import numpy as np
import pytest
from gate_subjects import subject

from windlass.operators.errors import CheckError
from windlass.operators.training.gate.checks.sensitivity import (
    SENSITIVITY,
    SensitivityParameters,
    judge_trials,
    plan_of,
)
from windlass.operators.training.gate.contract import Deadline
from windlass.operators.training.gate.trials import Range, Trial

ASKED = SensitivityParameters(vary=("learningRate",))


def trials(*values, **states):
    """Trials with these objectives; `Failed=2` adds two of that state."""
    made = [Trial(f"t{index:02d}", "Succeeded", value) for index, value in enumerate(values)]
    for state, count in states.items():
        made += [Trial(f"u-{state}-{index}", state, 0.9 if state == "EarlyStopped" else None) for index in range(count)]
    return made


def of(count, **changes):
    """Parameters for a plan of so many trials."""
    return attrs.evolve(ASKED, trials=count, **changes)


def refused(made, asked):
    with pytest.raises(CheckError) as caught:
        judge_trials(made, asked)
    return caught.value.reason


def test_the_variance_of_the_trials_is_compared_strictly():
    """B5: ddof=1; a value of exactly the limit fails. 0, 0.5, 1 and so on have the variance 1/6 or 0.2."""
    values = [0.0, 0.5, 1.0, 0.5, 0.5]
    exact = float(np.var(values, ddof=1))

    found = judge_trials(trials(*values), of(5, max_variance=exact))

    assert (found.outcome, found.statistic, found.threshold) == ("Failed", exact, exact)
    assert judge_trials(trials(*values), of(5, max_variance=float(np.nextafter(exact, 1)))).outcome == "Passed"


def test_exactly_the_default_limit_fails():
    """B5: exactly 0.05 fails. The deviations ±a of 4 and 0 of 1 have the variance a²."""
    deviation = 0.05**0.5
    values = [0.5 - deviation, 0.5 - deviation, 0.5 + deviation, 0.5 + deviation, 0.5]
    found = judge_trials(trials(*values), of(5))

    assert found.statistic == pytest.approx(0.05, abs=1e-15)
    assert judge_trials(trials(*values), of(5, max_variance=found.statistic)).outcome == "Failed"


def test_the_objective_is_normalised_to_its_range():
    """Percent or share: the same trials, the same verdict."""
    share = judge_trials(trials(0.90, 0.91, 0.92, 0.93, 0.94), of(5))
    percent = judge_trials(trials(90, 91, 92, 93, 94), of(5, metric_high=100.0))

    assert percent.statistic == pytest.approx(share.statistic)
    assert share.details["spread"]["variance"] == share.statistic
    assert {"mean", "deviation", "variation"} <= set(share.details["spread"])


def test_an_objective_outside_of_its_range_is_no_answer():
    assert refused(trials(90, 91, 92, 93, 94), of(5)) == "ObjectiveOutOfRange"
    assert refused(trials(0.9, 0.9, 0.9, 0.9, -0.1), of(5)) == "ObjectiveOutOfRange"


@pytest.mark.parametrize(
    ("made", "count", "reason"),
    [
        ([], 8, "TooFewTrials"),
        (trials(0.9, 0.9, 0.9, 0.9), 8, "TooFewTrials"),
        (trials(0.9, 0.9, 0.9, 0.9, Failed=1), 5, "TooFewTrials"),
        (trials(*[0.9] * 7, Failed=2), 9, "TooManyTrialsLost"),
        (trials(*[0.9] * 7, EarlyStopped=2), 9, "TooManyTrialsLost"),
        (trials(*[0.9] * 7, Killed=1, MetricsUnavailable=1), 9, "TooManyTrialsLost"),
        (trials(*[0.9] * 7, Running=2), 9, "TooManyTrialsLost"),
        (trials(*[0.9] * 7), 9, "TooManyTrialsLost"),
        (trials(*[0.9] * 7, float("nan"), float("nan")), 9, "TooManyTrialsLost"),
        (trials(*[0.9] * 7, None, None), 9, "TooManyTrialsLost"),
    ],
    ids=[
        "none",
        "four",
        "four of five",
        "failed",
        "early-stopped",
        "killed and unavailable",
        "running",
        "never made",
        "NaN",
        "no value",
    ],
)
def test_too_few_or_too_many_lost_is_no_answer(made, count, reason):
    """B5: minTrials and a success ratio of 0.8, or Error; early-stopped ones do not count. B1: unavailable, NaN."""
    assert refused(made, of(count)) == reason


def test_four_of_five_is_enough():
    """B5: a ratio of exactly 0.8."""
    found = judge_trials(trials(*[0.9] * 8, Failed=2), of(10))

    assert (found.outcome, found.samples) == ("Passed", 8)


def test_the_value_of_a_trial_that_was_stopped_early_is_left_out():
    """B5."""
    made = trials(*[0.9] * 8, EarlyStopped=2)
    worse = [attrs.evolve(one, value=0.0) if one.state == "EarlyStopped" else one for one in made]

    assert judge_trials(worse, of(10)).statistic == 0.0


def test_the_order_in_which_trials_are_told_changes_nothing():
    made = trials(0.90, 0.93, 0.91, 0.92, 0.94)

    assert judge_trials(made, of(5)) == judge_trials(made[::-1], of(5))


def test_each_hyperparameter_is_drawn_around_its_value():
    given = subject(hyperparameters={"learningRate": 0.1, "batchSize": 20, "depth": 1, "shift": -3, "momentum": 0.9})
    asked = attrs.evolve(ASKED, vary=("learningRate", "batchSize", "depth", "shift"), spread=0.2)

    plan = plan_of(given, asked)

    assert plan.ranges == (
        Range("learningRate", pytest.approx(0.08), pytest.approx(0.12)),
        Range("batchSize", 16, 24, integer=True),
        Range("depth", 1, 2, integer=True),
        Range("shift", -4, -2, integer=True),
    )
    assert (plan.count, plan.seed, plan.subject) == (8, 7, given.model.digest)


@pytest.mark.parametrize("value", [None, 0, 0.0, float("nan"), float("inf")])
def test_a_hyperparameter_that_cannot_be_varied_is_refused(value):
    hyperparameters = {"momentum": 0.9} if value is None else {"momentum": 0.9, "learningRate": value}

    with pytest.raises(CheckError, match="expected names of hyperparameters that are numbers other than 0"):
        plan_of(subject(hyperparameters=hyperparameters), ASKED)


def test_a_range_without_width_is_refused():
    with pytest.raises(CheckError, match=r"parameters\.metricHigh: expected more than metricLow"):
        plan_of(subject(hyperparameters={"learningRate": 0.1}), attrs.evolve(ASKED, metric_low=1.0))


def test_without_anybody_to_train_again_there_is_no_answer():
    """B1: unavailable."""
    with pytest.raises(CheckError) as caught:
        SENSITIVITY.measure(subject(hyperparameters={"learningRate": 0.1}), {"vary": ["learningRate"]}, Deadline(60))

    assert caught.value.reason == "NoTrialRunner"


class Cluster:
    """Somebody in the cluster, or nobody, or no answer."""

    def __init__(self, runner=None, error=None):
        self._runner, self._error, self.asked = runner, error, []

    def runner(self, template, deadline):
        self.asked.append(template)
        if self._error is not None:
            raise self._error
        return self._runner


@attrs.frozen
class Runner:
    """A runner whose trials all succeed."""

    name: str

    def run(self, plan, deadline):
        return trials(*[0.9] * plan.count)


TEMPLATE = {"trialSpec": {"apiVersion": "batch/v1", "kind": "Job"}}


def carried_out(*, cluster, local=None, **parameters):
    given = subject(hyperparameters={"learningRate": 0.1}, trials=local, cluster=cluster)
    return SENSITIVITY.measure(given, {"vary": ["learningRate"], **parameters}, Deadline(60))


def test_trials_run_in_the_cluster_where_that_is_asked_for_and_possible():
    """B6: Katib when it is there, the local runner when it is not; the same shape."""
    there, nobody = Cluster(Runner("katib")), Cluster(None)
    found = [
        carried_out(cluster=there, local=Runner("local"), katib=TEMPLATE),
        carried_out(cluster=nobody, local=Runner("local"), katib=TEMPLATE),
        carried_out(cluster=there, local=Runner("local")),
    ]

    assert [one.details["runner"] for one in found] == ["katib", "local", "local"]
    assert [attrs.evolve(one, details={}) for one in found] == [attrs.evolve(found[0], details={})] * 3
    assert (len(there.asked), len(nobody.asked)) == (1, 1)
    assert there.asked[0].trial_spec == TEMPLATE["trialSpec"]


@pytest.mark.parametrize(
    ("cluster", "reason"),
    [
        (None, "KatibNotAllowed"),
        (Cluster(error=CheckError("no answer", reason="KatibUnreachable")), "KatibUnreachable"),
        (Cluster(None), "NoTrialRunner"),
    ],
    ids=["not allowed", "no answer", "nobody anywhere"],
)
def test_where_it_cannot_be_told_who_runs_them_there_is_no_answer(cluster, reason):
    """B1."""
    local = None if reason == "NoTrialRunner" else Runner("local")
    with pytest.raises(CheckError) as caught:
        carried_out(cluster=cluster, local=local, katib=TEMPLATE)

    assert caught.value.reason == reason


def test_a_wrong_template_is_named():
    with pytest.raises(CheckError, match=r"parameters\.katib\.parallel: expected"):
        carried_out(cluster=Cluster(None), katib={**TEMPLATE, "parallel": 0})
    with pytest.raises(CheckError, match=r"parameters\.katib"):
        carried_out(cluster=Cluster(None), katib={})
