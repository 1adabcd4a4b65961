"""An Experiment follows from plan and settings alone, under a name that no crash can change; what it says is read back.

Pure. Shapes are those of `kubeflow.org/v1beta1`, whose numbers are texts and whose missing metric is the word
`unavailable`. An Experiment for a sensitivity has no goal: a goal ends it as soon as one trial is good, and the trials
that are left say nothing about the spread. This module does not know the API server.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import attrs

from windlass.informers.resources import Resource
from windlass.operators.errors import CheckError
from windlass.operators.training.files import canonical_json
from windlass.operators.training.gate.trials import Range, Trial, TrialPlan, TrialState, TrialTemplate

__all__ = (
    "EXPERIMENT",
    "EXPERIMENT_LABEL",
    "OPERATION_ANNOTATION",
    "TRIAL",
    "Ended",
    "KatibSettings",
    "Running",
    "experiment_name",
    "is_ours",
    "read_experiment",
    "render_experiment",
)

EXPERIMENT: Final = Resource("kubeflow.org", "v1beta1", "Experiment", "experiments")
TRIAL: Final = Resource("kubeflow.org", "v1beta1", "Trial", "trials")
EXPERIMENT_LABEL: Final = "katib.kubeflow.org/experiment"
OPERATION_ANNOTATION: Final = "ai.windlass.dev/operation-id"

# The first that is true counts: early stopping leaves Succeeded beside it, and a value that came too soon (B5).
_ENDED: Final = ("EarlyStopped", "MetricsUnavailable", "Killed", "Failed", "Succeeded")


@attrs.frozen(kw_only=True)
class KatibSettings:
    """Where and how trials run.

    `owner` is the owner reference of the job, whose uid makes the Experiment's name.
    """

    namespace: str
    owner: Mapping[str, Any]
    template: TrialTemplate


@attrs.frozen
class Running:
    """The Experiment goes on; so many of its trials have ended."""

    ended: int


@attrs.frozen
class Ended:
    """It has ended with these trials."""

    trials: tuple[Trial, ...]


def experiment_name(plan: TrialPlan, settings: KatibSettings) -> str:
    """`gate-` and 20 hexadecimal digits, of the job's uid and the whole of the plan: another plan has another name."""
    return f"gate-{_operation_id(plan, settings)[:20]}"


def render_experiment(plan: TrialPlan, settings: KatibSettings) -> dict[str, Any]:
    """The manifest. Equal arguments give equal manifests (A6)."""
    template = settings.template
    return {
        "apiVersion": EXPERIMENT.api_version,
        "kind": EXPERIMENT.kind,
        "metadata": {
            "name": experiment_name(plan, settings),
            "namespace": settings.namespace,
            "annotations": {OPERATION_ANNOTATION: _operation_id(plan, settings)},
            "ownerReferences": [dict(settings.owner)],
        },
        "spec": {
            "objective": {
                "type": "maximize",
                "objectiveMetricName": plan.objective,
                "metricStrategies": [{"name": plan.objective, "value": "latest"}],
            },
            "algorithm": {
                "algorithmName": "random",
                "algorithmSettings": [{"name": "random_state", "value": str(plan.seed % 2**31)}],
            },
            "parallelTrialCount": min(template.parallel, plan.count),
            "maxTrialCount": plan.count,
            # Too many failures are for the check to judge, which wants to see all trials.
            "maxFailedTrialCount": plan.count,
            "parameters": [_parameter(one) for one in plan.ranges],
            "metricsCollectorSpec": {"collector": {"kind": "StdOut"}},
            "trialTemplate": {
                "primaryContainerName": template.primary_container,
                "successCondition": template.success_condition,
                "failureCondition": template.failure_condition,
                "retain": True,
                "trialParameters": [{"name": one.name, "reference": one.name} for one in plan.ranges],
                "trialSpec": dict(template.trial_spec),
            },
            "resumePolicy": "Never",
        },
    }


def is_ours(found: Mapping[str, Any], plan: TrialPlan, settings: KatibSettings) -> bool:
    """Whether an Experiment of our name is ours: it carries our operation id and belongs to our job (G2)."""
    metadata = found.get("metadata") or {}
    owners = [one.get("uid") for one in metadata.get("ownerReferences") or []]
    operation = (metadata.get("annotations") or {}).get(OPERATION_ANNOTATION)
    return settings.owner.get("uid") in owners and operation == _operation_id(plan, settings)


def read_experiment(
    experiment: Mapping[str, Any], trials: Sequence[Mapping[str, Any]], *, objective: str
) -> Running | Ended:
    """How far the Experiment is. Raises CheckError with the reason ExperimentFailed when it failed as a whole.

    An Experiment that has succeeded while a trial of it is still seen at work goes on: the list is behind.
    """
    conditions = (experiment.get("status") or {}).get("conditions") or []
    failed = next((one for one in conditions if one.get("type") == "Failed" and one.get("status") == "True"), None)
    if failed is not None:
        raise CheckError(
            f"the Experiment failed: {failed.get('reason', '')} {failed.get('message', '')}".strip(),
            reason="ExperimentFailed",
        )
    read = tuple(_trial(one, objective) for one in trials)
    ended = sum(one.state != "Running" for one in read)
    done = any(one.get("type") == "Succeeded" and one.get("status") == "True" for one in conditions)
    if not done or ended < len(read) or ended < _counted(experiment):
        return Running(ended)
    return Ended(tuple(sorted(read, key=lambda one: one.name)))


def _operation_id(plan: TrialPlan, settings: KatibSettings) -> str:
    told = canonical_json({"owner": settings.owner.get("uid"), "step": "sensitivity", "plan": attrs.asdict(plan)})
    return hashlib.sha256(told).hexdigest()


def _parameter(one: Range) -> dict[str, Any]:
    if one.integer:
        space = {"min": str(int(one.low)), "max": str(int(one.high))}
        return {"name": one.name, "parameterType": "int", "feasibleSpace": space}
    return {
        "name": one.name,
        "parameterType": "double",
        "feasibleSpace": {"min": repr(one.low), "max": repr(one.high), "distribution": "uniform"},
    }


def _counted(experiment: Mapping[str, Any]) -> int:
    found = (experiment.get("status") or {}).get("trials")
    return found if isinstance(found, int) else 0


def _trial(found: Mapping[str, Any], objective: str) -> Trial:
    status, spec = found.get("status") or {}, found.get("spec") or {}
    true = {one.get("type") for one in status.get("conditions") or [] if one.get("status") == "True"}
    state = next((one for one in _ENDED if one in true), "Running")
    metrics = (status.get("observation") or {}).get("metrics") or []
    latest = next((one.get("latest") for one in metrics if one.get("name") == objective), None)
    assigned = {
        str(one.get("name")): number
        for one in spec.get("parameterAssignments") or []
        if (number := _number(one.get("value"))) is not None
    }
    name = str((found.get("metadata") or {}).get("name", ""))
    return Trial(name, cast("TrialState", state), _number(latest), assigned)


def _number(text: object) -> float | None:
    """The number in a text; None for `unavailable`, for what is not finite and for anything else."""
    try:
        number = float(str(text))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
