"""An Experiment follows from the plan, and what Katib says of it is read without guessing (B5)."""

import attrs
import pytest
from katib_standin import condition, trial_status

from windlass.informers.api import Api
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.operators.errors import CheckError
from windlass.operators.training.gate.experiment import katib_is_present
from windlass.operators.training.gate.katib import (
    Ended,
    KatibSettings,
    Running,
    experiment_name,
    is_ours,
    read_experiment,
    render_experiment,
)
from windlass.operators.training.gate.trials import Range, TrialPlan, TrialTemplate

PLAN = TrialPlan(
    "a" * 64, "accuracy", (Range("learningRate", 0.04, 0.06), Range("batchSize", 12, 20, integer=True)), 6, 9
)
OWNER = {"apiVersion": "ai.windlass.dev/v1alpha1", "kind": "TrainingJob", "name": "digits", "uid": "u-1"}
SETTINGS = KatibSettings(
    namespace="ml", owner=OWNER, template=TrialTemplate(trial_spec={"apiVersion": "batch/v1", "kind": "Job"})
)


def test_the_manifest_is_what_katib_expects_with_numbers_as_texts_and_no_goal():
    """B5: a goal would end the Experiment early and bias the variance."""
    made = render_experiment(PLAN, SETTINGS)
    spec = made["spec"]

    assert made == render_experiment(PLAN, SETTINGS)
    assert made["metadata"]["ownerReferences"] == [OWNER]
    assert spec["objective"] == {
        "type": "maximize",
        "objectiveMetricName": "accuracy",
        "metricStrategies": [{"name": "accuracy", "value": "latest"}],
    }
    assert spec["algorithm"]["algorithmName"] == "random"
    assert (spec["maxTrialCount"], spec["maxFailedTrialCount"], spec["parallelTrialCount"]) == (6, 6, 2)
    assert spec["parameters"] == [
        {
            "name": "learningRate",
            "parameterType": "double",
            "feasibleSpace": {"min": "0.04", "max": "0.06", "distribution": "uniform"},
        },
        {"name": "batchSize", "parameterType": "int", "feasibleSpace": {"min": "12", "max": "20"}},
    ]
    assert spec["trialTemplate"]["trialParameters"] == [
        {"name": "learningRate", "reference": "learningRate"},
        {"name": "batchSize", "reference": "batchSize"},
    ]
    assert spec["trialTemplate"]["retain"] is True
    assert spec["trialTemplate"]["trialSpec"] == {"apiVersion": "batch/v1", "kind": "Job"}


def test_the_name_is_that_of_job_and_plan():
    """B5, G2: deterministic, and another plan is another Experiment."""
    others = [
        attrs.evolve(PLAN, subject="b" * 64),
        attrs.evolve(PLAN, seed=10),
        attrs.evolve(PLAN, count=7),
        attrs.evolve(PLAN, ranges=PLAN.ranges[:1]),
    ]
    names = {experiment_name(one, SETTINGS) for one in (PLAN, *others)}
    names.add(experiment_name(PLAN, attrs.evolve(SETTINGS, owner={**OWNER, "uid": "u-2"})))

    assert len(names) == 6
    assert all(len(name) == 25 and name.startswith("gate-") for name in names)


def test_an_experiment_is_ours_by_owner_and_operation():
    """G2: never adopt."""
    made = render_experiment(PLAN, SETTINGS)
    assert is_ours(made, PLAN, SETTINGS)

    for path in ("ownerReferences", "annotations"):
        stripped = {**made, "metadata": {key: value for key, value in made["metadata"].items() if key != path}}
        assert not is_ours(stripped, PLAN, SETTINGS)
    assert not is_ours(made, attrs.evolve(PLAN, seed=1), SETTINGS)
    assert not is_ours({}, PLAN, SETTINGS)


def trial(name, word):
    return {
        "metadata": {"name": name},
        "spec": {"parameterAssignments": [{"name": "learningRate", "value": "0.05"}, {"name": "kind", "value": "sgd"}]},
        "status": trial_status(word, "accuracy"),
    }


def experiment(*conditions, **counts):
    return {"status": {"conditions": list(conditions), **counts}}


DONE = condition("Succeeded")


@pytest.mark.parametrize(
    ("word", "state", "value"),
    [
        ("0.97", "Succeeded", 0.97),
        ("unavailable", "MetricsUnavailable", None),
        ("fails", "Failed", None),
        ("killed", "Killed", None),
        ("stops early", "EarlyStopped", 0.1),
        ("nan", "Succeeded", None),
        ("inf", "Succeeded", None),
        ("a number", "Succeeded", None),
        ("", "Succeeded", None),
    ],
)
def test_a_trial_is_what_its_conditions_say_and_its_value_a_finite_number_or_none(word, state, value):
    """B1: unavailable, NaN. B5: an early-stopped trial is Succeeded, too, and is not taken for one."""
    found = read_experiment(experiment(DONE), [trial("t", word)], objective="accuracy")

    assert isinstance(found, Ended)
    assert (found.trials[0].state, found.trials[0].value) == (state, value)
    assert found.trials[0].assignments == {"learningRate": 0.05}


def test_a_trial_without_the_objective_has_no_value():
    found = read_experiment(experiment(DONE), [trial("t", "0.9")], objective="f1")

    assert found.trials[0].value is None


@pytest.mark.parametrize(
    ("seen", "trials"),
    [
        ({}, []),
        (experiment(), []),
        (experiment(condition("Created"), condition("Running")), [trial("t", "0.9")]),
        (experiment(condition("Succeeded", "False")), [trial("t", "0.9")]),
        (experiment(DONE), [trial("t", "0.9"), trial("u", "hangs")]),
        (experiment(DONE, trials=2), [trial("t", "0.9")]),
    ],
    ids=[
        "no status",
        "no conditions",
        "running",
        "succeeded is false",
        "a trial is still seen at work",
        "the list is behind",
    ],
)
def test_until_all_is_seen_to_have_ended_it_goes_on(seen, trials):
    assert isinstance(read_experiment(seen, trials, objective="accuracy"), Running)


def test_trials_come_in_the_order_of_their_names():
    found = read_experiment(experiment(DONE), [trial("b", "0.9"), trial("a", "0.8")], objective="accuracy")

    assert [one.name for one in found.trials] == ["a", "b"]


def test_an_experiment_that_failed_is_no_answer():
    with pytest.raises(CheckError, match="the Experiment failed: ExperimentFailed it is Failed") as caught:
        read_experiment(experiment(condition("Failed")), [trial("t", "0.9")], objective="accuracy")

    assert caught.value.reason == "ExperimentFailed"


@pytest.mark.realtime
async def test_a_server_that_cannot_be_asked_is_not_taken_for_one_without_katib():
    """B1: doubt."""
    async with Client(Cluster("http://127.0.0.1:9")) as client:
        with pytest.raises(CheckError) as caught:
            await katib_is_present(Api(client), "default")

    assert caught.value.reason == "KatibUnreachable"
