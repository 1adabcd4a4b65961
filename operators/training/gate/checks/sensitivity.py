"""The check `sensitivity`: trained with hyperparameters a little off, the model comes out much the same (B5).

The verdict is the sample variance of the objective, normalised to [0, 1], over the trials that succeeded; it has to be
below `maxVariance`. Too few trials, or too many that did not succeed, are no answer. An objective outside of its
stated range is no answer either: a variance means nothing without its unit.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import attrs

from windlass.manifests.markers import ExclusiveMaximum, ExclusiveMinimum, Maximum, MaxItems, Minimum, MinItems
from windlass.operators.errors import CheckError
from windlass.operators.training.gate.contract import Check, Deadline, Measurement
from windlass.operators.training.gate.parameters import read_parameters
from windlass.operators.training.gate.statistics import spread_of
from windlass.operators.training.gate.subject import Subject
from windlass.operators.training.gate.trials import Range, Trial, TrialPlan, TrialRunner, TrialTemplate

__all__ = ("SENSITIVITY", "SensitivityCheck", "SensitivityParameters", "judge_trials", "plan_of")

_RATIO_SLACK: Final = 1e-9  # 4 of 5 is 0.8, whatever the division makes of it


@attrs.frozen
class SensitivityParameters:
    """`vary` names hyperparameters; each is drawn from its value minus to plus the share `spread` of it.

    `metricLow` to `metricHigh` is the range of the objective, in which it is normalised. With `katib` the trials are a
    Katib Experiment where there is Katib, and run on this machine where there certainly is none (B6).
    """

    vary: Annotated[tuple[str, ...], MinItems(1), MaxItems(16)]
    spread: Annotated[float, ExclusiveMinimum(0), ExclusiveMaximum(1)] = 0.1
    trials: Annotated[int, Minimum(2), Maximum(100)] = 8
    min_trials: Annotated[int, Minimum(2)] = 5
    min_success_ratio: Annotated[float, ExclusiveMinimum(0), Maximum(1)] = 0.8
    max_variance: Annotated[float, ExclusiveMinimum(0)] = 0.05
    objective: str = "accuracy"
    metric_low: float = 0.0
    metric_high: float = 1.0
    katib: TrialTemplate | None = None


class SensitivityCheck:
    """See Check."""

    name = "sensitivity"

    def refuse(self, parameters: Mapping[str, object], hyperparameters: Mapping[str, float]) -> None:
        """See Check."""
        _ranges(read_parameters(parameters, SensitivityParameters), hyperparameters)

    def measure(self, subject: Subject, parameters: Mapping[str, object], deadline: Deadline) -> Measurement:
        """See Check.measure."""
        asked = read_parameters(parameters, SensitivityParameters)
        plan = plan_of(subject, asked)
        runner = _runner(subject, asked, deadline)
        measured = judge_trials(runner.run(plan, deadline), asked)
        return attrs.evolve(measured, details={"runner": runner.name, **measured.details})


def plan_of(subject: Subject, asked: SensitivityParameters) -> TrialPlan:
    """The trials that these parameters ask for. Raises CheckError for a hyperparameter that cannot be varied."""
    ranges = _ranges(asked, subject.hyperparameters)
    return TrialPlan(subject.model.digest, asked.objective, ranges, asked.trials, subject.seed)


def _ranges(asked: SensitivityParameters, hyperparameters: Mapping[str, float]) -> tuple[Range, ...]:
    if not asked.metric_low < asked.metric_high:
        raise CheckError(
            f"parameters.metricHigh: expected more than metricLow ({asked.metric_low:g}), found {asked.metric_high:g}",
            reason="InvalidParameters",
        )
    ranges = []
    for name in asked.vary:
        value = hyperparameters.get(name)
        if value is None or not math.isfinite(value) or not value:
            known = ", ".join(sorted(hyperparameters)) or "none"
            raise CheckError(
                f"parameters.vary: expected names of hyperparameters that are numbers other than 0, found {name!r} "
                f"({value!r}); there are {known}",
                reason="InvalidParameters",
            )
        ranges.append(_range(name, value, asked.spread))
    return tuple(ranges)


def judge_trials(trials: Sequence[Trial], asked: SensitivityParameters) -> Measurement:
    """What the trials say. One whose objective is no number did not succeed, whatever it says of itself."""
    by_name = sorted(trials, key=lambda one: one.name)
    good = [one for one in by_name if _succeeded(one)]
    width = asked.metric_high - asked.metric_low
    values = [(one.value - asked.metric_low) / width for one in good if one.value is not None]
    planned = max(asked.trials, len(trials))  # one that never was has not succeeded, either
    seen = [{**attrs.asdict(one), "assignments": dict(one.assignments)} for one in by_name]
    outside = [one for one, value in zip(good, values, strict=True) if not 0 <= value <= 1]
    if outside:
        raise CheckError(
            f"{asked.objective} of {outside[0].name} is {outside[0].value:g}, outside of {asked.metric_low:g} to "
            f"{asked.metric_high:g}; parameters.metricLow and metricHigh give its range",
            reason="ObjectiveOutOfRange",
        )
    if len(good) < asked.min_trials:
        raise CheckError(
            f"{len(good)} of {planned} trials succeeded, at least {asked.min_trials} are needed{_why_not(by_name)}",
            reason="TooFewTrials",
        )
    if len(good) / planned < asked.min_success_ratio - _RATIO_SLACK:
        raise CheckError(
            f"{len(good)} of {planned} trials succeeded, a share of at least {asked.min_success_ratio:g} is "
            f"needed{_why_not(by_name)}",
            reason="TooManyTrialsLost",
        )
    spread = spread_of(values)
    passed = spread.variance < asked.max_variance
    message = (
        f"the variance of {asked.objective} over {len(good)} trials is {spread.variance:.3g} (deviation "
        f"{spread.deviation:.3g}), below {asked.max_variance:g} was asked for"
    )
    return Measurement(
        "Passed" if passed else "Failed",
        "Steady" if passed else "Sensitive",
        message,
        statistic=spread.variance,
        threshold=asked.max_variance,
        samples=len(good),
        details={"spread": attrs.asdict(spread), "trials": seen},
    )


def _runner(subject: Subject, asked: SensitivityParameters, deadline: Deadline) -> TrialRunner:
    if asked.katib is not None and subject.cluster is None:
        raise CheckError("parameters.katib: trials in the cluster are not allowed here", reason="KatibNotAllowed")
    there = None
    if asked.katib is not None and subject.cluster is not None:
        there = subject.cluster.runner(asked.katib, deadline)
    found = there or subject.trials
    if found is None:
        raise CheckError("nothing here can train the model again", reason="NoTrialRunner")
    return found


def _range(name: str, value: float, spread: float) -> Range:
    low, high = sorted((value * (1 - spread), value * (1 + spread)))
    if isinstance(value, int):
        # To the whole numbers within, and by at least one to each side, or nothing would vary.
        # Never to 0 or beyond: a count of none is another training, not a near one.
        least, most = min(math.ceil(low), value - 1), max(math.floor(high), value + 1)
        return Range(name, max(least, 1) if value > 0 else least, min(most, -1) if value < 0 else most, integer=True)
    return Range(name, low, high)


def _succeeded(trial: Trial) -> bool:
    return trial.state == "Succeeded" and trial.value is not None and math.isfinite(trial.value)


def _why_not(trials: Sequence[Trial]) -> str:
    lost = [one for one in trials if not _succeeded(one)]
    return f"; {lost[0].name} is {lost[0].state} with {lost[0].value}" if lost else ""


SENSITIVITY: Final[Check] = SensitivityCheck()
