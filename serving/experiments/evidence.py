"""Evidence says what was seen, how much it proves, and how much would be enough; it decides nothing."""

import math
from typing import Protocol

import attrs

from windlass.serving.experiments.drift import log_drift, stability_index
from windlass.serving.experiments.plan import Experiment, Guarded, Guardrail, Metric
from windlass.serving.experiments.sequential import (
    log_mixed,
    log_one_sided,
    log_split,
    p_value,
    samples_needed,
    share_variance,
)
from windlass.serving.experiments.tally import Tally

__all__ = ("Evidence", "Observed", "Test", "measure")

# A split that goes wrong makes everything else worthless, so it is believed later than the rest (H4).
_SPLIT_P = 0.001
# Guardrails are most sensitive to one answer more in a hundred, as T14 was measured with, and to one in ten.
_GUARDRAIL_WIDTHS = (0.01, 0.1)


class Observed(Protocol):
    """The part of an experiment's state that evidence is drawn from."""

    @property
    def control(self) -> Tally:
        """The control's counts."""

    @property
    def treatment(self) -> Tally:
        """The treatment's counts."""

    @property
    def weights(self) -> tuple[int, int]:
        """The weights of control and treatment."""

    @property
    def split(self) -> float:
        """The evidence against the split under earlier weights."""

    @property
    def split_from(self) -> tuple[int, int]:
        """The treatment's units, and those of both, when these weights began."""


@attrs.frozen
class Test:
    """One comparison: `log_e` of `limit` that would decide. `control` and `treatment` are the means.

    Of drift they are each arm's index from the control, which for the control is 0.
    """

    __test__ = False  # its name is not for pytest

    metric: Metric | Guarded
    control: float
    treatment: float
    samples: tuple[int, int]
    log_e: float
    limit: float

    @property
    def sentence(self) -> str:
        """The two means, their samples, and the p-value."""
        n_control, n_treatment = self.samples
        if self.metric == "drift":
            return (
                f"an index of {self.treatment:.4g} between {n_treatment} predictions and {n_control} of the control "
                f"(p = {p_value(self.log_e):.2g}, at any time)"
            )
        return (
            f"{self.treatment:.4g} in {n_treatment} against {self.control:.4g} in {n_control} "
            f"(p = {p_value(self.log_e):.2g}, at any time)"
        )

    def to_dict(self) -> dict[str, object]:
        """For the journal."""
        return {
            "metric": self.metric,
            "control": {"mean": self.control, "samples": self.samples[0]},
            "treatment": {"mean": self.treatment, "samples": self.samples[1]},
            "p": p_value(self.log_e),
            "p_needed": math.exp(-self.limit),
        }


@attrs.frozen
class Evidence:
    """Everything that the decision looks at."""

    won: Test
    lost: Test
    guardrails: tuple[Test, ...]
    split: float
    samples_needed: int | None
    unseen: bool = False  # a guardrail of drift has too few samples to look at
    split_limit: float = -math.log(_SPLIT_P)

    @property
    def split_p(self) -> float:
        """The p-value of the split between the arms."""
        return p_value(self.split)

    def to_dict(self) -> dict[str, object]:
        """For the journal."""
        return {
            "won": self.won.to_dict(),
            "lost": self.lost.to_dict(),
            "guardrails": [one.to_dict() for one in self.guardrails],
            "split": {"p": self.split_p, "p_needed": _SPLIT_P},
            "samples_needed": self.samples_needed,
        }


def measure(plan: Experiment, state: Observed) -> Evidence:
    """The evidence so far. Below the plan's least samples every test has none (H2, T16)."""
    goal = plan.goal
    sign = 1.0 if goal.metric == "reward" else -1.0
    difference, variance = _compared(plan, state, goal.metric)
    win = log_one_sided(sign * difference + goal.margin, variance, goal.effect)
    loss = log_one_sided(-sign * difference - goal.margin, variance, goal.effect)
    limit = -math.log(plan.alpha)
    guardrails = []
    for one in plan.guardrails:
        if one.metric == "drift":
            guardrails.append(_drift(plan, state, one))
            continue
        worse, spread = _compared(plan, state, one.metric)
        log_e = log_mixed(worse - one.tolerance, spread, _GUARDRAIL_WIDTHS)
        guardrails.append(_test(state, one.metric, log_e=log_e, limit=-math.log(plan.guardrail_alpha)))
    return Evidence(
        _test(state, goal.metric, log_e=win, limit=limit),
        _test(state, goal.metric, log_e=loss, limit=limit),
        tuple(guardrails),
        _split(state),
        _needed(plan, state, variance),
        any(one.metric == "drift" and min(one.samples) < plan.samples_min for one in guardrails),
    )


def _drift(plan: Experiment, state: Observed, guardrail: Guardrail) -> Test:
    """There is evidence only while the index is above what is tolerated: a difference alone does no harm."""
    control, treatment = state.control.bins, state.treatment.bins
    samples = sum(control), sum(treatment)
    index = stability_index(control, treatment)
    breached = min(samples) >= plan.samples_min and index > guardrail.tolerance
    log_e = log_drift(control, treatment) if breached else 0.0
    return Test("drift", 0.0, index, samples, log_e, -math.log(plan.guardrail_alpha))


def _mean(tally: Tally, metric: Metric) -> tuple[float, int]:
    if metric == "reward":
        return tally.rewards.mean, tally.rewards.n
    ones = tally.errors if metric == "errors" else tally.slow
    return (ones / tally.samples if tally.samples else 0.0), tally.samples


def _compared(plan: Experiment, state: Observed, metric: Metric) -> tuple[float, float]:
    """The treatment's mean less the control's, and the variance of that; a variance of 0 while there is too little."""
    control, n_control = _mean(state.control, metric)
    treatment, n_treatment = _mean(state.treatment, metric)
    if min(n_control, n_treatment) < plan.samples_min:
        return 0.0, 0.0
    if metric == "reward":
        variance = state.control.rewards.variance / n_control + state.treatment.rewards.variance / n_treatment
    else:
        ones = round(control * n_control + treatment * n_treatment)
        variance = share_variance(ones, n_control, n_treatment)
    return treatment - control, variance


def _test(state: Observed, metric: Metric, *, log_e: float, limit: float) -> Test:
    control, n_control = _mean(state.control, metric)
    treatment, n_treatment = _mean(state.treatment, metric)
    return Test(metric, control, treatment, (n_control, n_treatment), log_e, limit)


def _split(state: Observed) -> float:
    treated, total = state.split_from
    share = state.weights[1] / (sum(state.weights) or 1)
    if not 0 < share < 1:
        return state.split
    units = state.treatment.units + state.control.units
    return state.split + log_split(state.treatment.units - treated, units - total, share)


def _needed(plan: Experiment, state: Observed, variance: float) -> int | None:
    if variance <= 0:
        return None
    _, n_control = _mean(state.control, plan.goal.metric)
    _, n_treatment = _mean(state.treatment, plan.goal.metric)
    one = variance / (1 / n_control + 1 / n_treatment)
    return samples_needed(one, plan.goal.effect, plan.alpha)
