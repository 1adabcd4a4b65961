"""The sample promotion is an ordinary one: all it states a user could have written, and nothing reads it by name."""

from windlass.operators.promotion.types import API_VERSION

__all__ = ("sample_promotion",)


def sample_promotion() -> dict[str, object]:
    """The manifest of the promotion `digits-2` in the namespace `default`, of an InferenceService called `digits`."""
    model = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    return {
        "apiVersion": API_VERSION,
        "kind": "Promotion",
        "metadata": {"name": "digits-2", "namespace": "default"},
        "spec": {
            "target": {"inferenceService": {"name": "digits"}},
            "release": {"storageUri": "s3://models/digits/2", "modelSha256": model},
            "gate": {"verdict": "Passed", "modelSha256": model, "evidenceSha256": model[::-1]},
            "steps": [{"weight": 10, "duration": "5m0s"}, {"weight": 50, "duration": "10m0s"}],
            "guards": {"failureGrace": "1m0s", "progressDeadline": "10m0s"},
        },
    }
