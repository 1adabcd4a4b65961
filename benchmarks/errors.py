"""What can go wrong with a measurement.

WindlassError
└── BenchmarkError
    ├── ContenderFailed: a contender ended without an answer
    ├── RecordingFailed: what was to be recorded is not what was there
    ├── ReplayFailed: the replaying server could not do its part
    └── UnusableRecording: a file holds no recording, or one that cannot be replayed
"""

from pathlib import Path

from windlass.statemachine.errors import WindlassError

__all__ = ("BenchmarkError", "ContenderFailed", "RecordingFailed", "ReplayFailed", "UnusableRecording")


class BenchmarkError(WindlassError):
    """No measurement came of it."""


class ContenderFailed(BenchmarkError):
    """A contender ended without an answer."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"the contender {name} gave no answer: {why}")
        self.name = name


class RecordingFailed(BenchmarkError):
    """What was to be recorded is not what was there."""

    def __init__(self, why: str) -> None:
        super().__init__(f"nothing was recorded: {why}")


class ReplayFailed(BenchmarkError):
    """The replaying server could not do its part."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the replaying server: {why}")


class UnusableRecording(BenchmarkError):
    """A file holds no recording, or one that cannot be replayed."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
