"""The sample job is an ordinary one: all it states a user could have written, and nothing reads it by name."""

from windlass.operators.training.types import API_VERSION

__all__ = ("sample_job",)


def sample_job(uri: str) -> dict[str, object]:
    """The manifest of the job `digits` in the namespace `default`, for the sample table at `uri`."""
    return {
        "apiVersion": API_VERSION,
        "kind": "TrainingJob",
        "metadata": {"name": "digits", "namespace": "default"},
        "spec": {
            "data": {"uri": uri, "version": 0},
            "executor": "softmax",
            "hyperparameters": {"epochs": 300, "batchSize": 8, "learningRate": 0.005},
            "seed": 7,
            "validation": {"holdout": 0.2, "minAccuracy": 0.93},
            "output": {"model": "digits"},
        },
    }
