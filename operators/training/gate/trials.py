"""Trials are trainings of the same thing with hyperparameters near the chosen ones; a plan says which, before any runs.

The values of a plan follow from its ranges, count and seed. This module does not know how a trial is carried out.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Protocol

import attrs
import numpy as np

from windlass.manifests.markers import Maximum, MaxLength, Minimum, MinLength

__all__ = (
    "ClusterTrials",
    "Patience",
    "Range",
    "Trial",
    "TrialPlan",
    "TrialRunner",
    "TrialState",
    "TrialTemplate",
    "assignments",
)

TrialState = Literal["Succeeded", "Failed", "Killed", "EarlyStopped", "MetricsUnavailable", "Running"]

_JOB_DONE: Final = 'status.conditions.#(type=="Complete")#|#(status=="True")#'
_JOB_FAILED: Final = 'status.conditions.#(type=="Failed")#|#(status=="True")#'
_TRIALS: Final = 3  # keeps the stream of the trials apart from any other use of the same seed


@attrs.frozen
class Range:
    """One hyperparameter from `low` to `high`, both possible; `integer` says that only whole numbers are."""

    name: str
    low: float
    high: float
    integer: bool = False


@attrs.frozen
class TrialPlan:
    """What to try: `count` points of the ranges. `subject` is the digest of the model, for names."""

    subject: str
    objective: str
    ranges: tuple[Range, ...]
    count: int
    seed: int


@attrs.frozen
class Trial:
    """How one trial ended; `value` is the objective, None if there is none."""

    name: str
    state: TrialState
    value: float | None
    assignments: Mapping[str, float] = attrs.field(factory=dict)


@attrs.frozen
class TrialTemplate:
    """How a trial runs in a cluster.

    `trialSpec` is the manifest of one, in which `${trialParameters.<hyperparameter>}` stands for a value; it prints
    `<objective>=<number>`. The conditions are GJSON paths into that object, those of a batch/v1 Job unless given.
    """

    trial_spec: Mapping[str, Any]
    primary_container: Annotated[str, MinLength(1), MaxLength(63)] = "training"
    success_condition: Annotated[str, MaxLength(1024)] = _JOB_DONE
    failure_condition: Annotated[str, MaxLength(1024)] = _JOB_FAILED
    parallel: Annotated[int, Minimum(1), Maximum(100)] = 2


class Patience(Protocol):
    """How long a runner may take; see `contract.Deadline`."""

    @property
    def seconds(self) -> float:
        """Seconds that there were at the beginning."""

    def remaining(self) -> float:
        """Seconds left."""

    def check(self) -> None:
        """Raise CheckError when time is over."""


class TrialRunner(Protocol):
    """Who carries trials out."""

    @property
    def name(self) -> str:
        """What the evidence calls it: `local`, `katib`."""

    def run(self, plan: TrialPlan, deadline: Patience) -> tuple[Trial, ...]:
        """Every trial of the plan, ended. Blocks. Raises CheckError when it cannot be known how they ended."""


class ClusterTrials(Protocol):
    """Whether and how trials run in the job's cluster."""

    def runner(self, template: TrialTemplate, deadline: Patience) -> TrialRunner | None:
        """Who carries them out there; None if certainly nobody. Blocks. Raises CheckError when it cannot be told."""


def assignments(plan: TrialPlan) -> tuple[dict[str, float], ...]:
    """The values of each trial, uniform in the ranges: trial k has the same values however many there are."""
    made = []
    for index in range(plan.count):
        rng = np.random.default_rng([_TRIALS, plan.seed % 2**64, index])
        made.append({one.name: _draw(one, rng) for one in plan.ranges})
    return tuple(made)


def _draw(one: Range, rng: np.random.Generator) -> float:
    if one.integer:
        return int(rng.integers(int(one.low), int(one.high), endpoint=True))
    return float(rng.uniform(one.low, one.high))
