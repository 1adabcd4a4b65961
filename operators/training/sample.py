"""The sample job is an ordinary one: all it states a user could have written, and nothing reads it by name."""

from typing import Any, Final

from windlass.operators.training.types import API_VERSION

__all__ = ("sample_job",)

_SPREAD: Final = {"vary": ["learningRate"], "spread": 0.5, "trials": 3, "minTrials": 3}
_CHECKS: Final = (
    {"name": "robust", "check": "fgsm", "parameters": {"epsilon": 1, "maxSuccessRate": 0.4, "low": 0, "high": 16}},
    {"name": "steady", "check": "sensitivity", "parameters": _SPREAD},
    {"name": "accurate", "check": "non-inferiority", "parameters": {"firstModel": "Accept", "tolerance": 0.02}},
)


def sample_job(uri: str, *, endpoint: str = "") -> dict[str, Any]:
    """The manifest of the job `digits` in the namespace `default`, for the sample table at `uri`.

    With an `endpoint`, the URL of one, a gate judges the model, and what passes is promoted on that endpoint's route
    `digits` in steps of seconds.
    """
    spec: dict[str, Any] = {
        "data": {"uri": uri, "version": 0},
        "executor": "softmax",
        "hyperparameters": {"epochs": 150, "batchSize": 8, "learningRate": 0.005},
        "seed": 7,
        "validation": {"holdout": 0.2, "minAccuracy": 0.93},
        "output": {"model": "digits"},
    }
    if endpoint:
        spec["gate"] = {"checks": [dict(check) for check in _CHECKS]}
        spec["promotion"] = {
            "target": {"endpoint": {"url": endpoint, "route": "digits"}},
            "steps": [{"weight": 10, "duration": "1s"}, {"weight": 50, "duration": "1s"}],
            "guards": {"failureGrace": "10s", "progressDeadline": "1m0s"},
        }
    return {
        "apiVersion": API_VERSION,
        "kind": "TrainingJob",
        "metadata": {"name": "digits", "namespace": "default"},
        "spec": spec,
    }
