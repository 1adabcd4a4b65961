"""The facts of one training, for tests of what is recorded of it and of its card."""

from datetime import UTC, datetime

from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.gate.types import CheckStatus, GateStatus
from windlass.operators.training.metadata.recording import (
    Confusion,
    Descriptions,
    ModelFacts,
    RunFacts,
    TrainingFacts,
)

MODEL = "5" * 64
CHECKS = (
    CheckStatus("robust", "fgsm", True, "Passed", "Robust", "22 of 318 rows were lost", 318, 1.5, "e" * 64, 0.069, 0.2),
    CheckStatus("drift", "drift", False, "Failed", "Drifted", "the index is 0.3", 200, 0.1, "d" * 64, 0.3, 0.25),
)


def run(**changes):
    given = {
        "id": "run0",
        "executor": "softmax",
        "attempt": 2,
        "seed": 7,
        "hyperparameters": {"epochs": 60, "learningRate": 0.005},
        "started_at": datetime(2026, 11, 27, 12, 0, 5, tzinfo=UTC),
        "finished_at": datetime(2026, 11, 27, 12, 1, 0, tzinfo=UTC),
        "resumed_from_step": 120,
        "seconds": 54.25,
        "hardware": "2 cores of x86_64",
        "commit": "2e8c218",
    }
    return RunFacts(**(given | changes))


def training(**changes):
    given = {
        "namespace": "ml",
        "job": "digits",
        "uid": "u-1",
        "data": DataRecord("file:///data/digits", "t-1", 3, "f" * 64, 2, 1797),
        "run": run(),
        "model": ModelFacts(
            name="digits", version=4, sha256=MODEL, uri="file:///models/digits/4", classes=("0", "1", "2")
        ),
        "accuracy": 0.9845,
        "holdout": 0.2,
        "rows": 323,
        "curve": [(1, 0.9, 0.7), (2, 0.4, 0.9), (3, 0.2, 0.95)],
        "confusion": Confusion(("0", "1", "2"), ((100, 0, 1), (2, 98, 0), (0, 3, 119))),
        "gate": GateStatus(MODEL, True, "Passed", "1 of 2 checks were required, and all of them passed", CHECKS),
        "told": Descriptions(license="apache-2.0", contact="ml@example.com"),
    }
    return TrainingFacts(**(given | changes))
