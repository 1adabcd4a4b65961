"""What can go wrong with a measurement.

WindlassError
└── BenchmarkError
    └── ContenderFailed: a contender ended without an answer
"""

from windlass.statemachine.errors import WindlassError

__all__ = ("BenchmarkError", "ContenderFailed")


class BenchmarkError(WindlassError):
    """No measurement came of it."""


class ContenderFailed(BenchmarkError):
    """A contender ended without an answer."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"the contender {name} gave no answer: {why}")
        self.name = name
