"""An experiment ends once, with its evidence; after that no event changes it.

Pure: `step(plan, state, event, now) -> (state, effects)`. `now` is monotonic, in seconds. Each answer is held against
the fuse (T15). When time has passed, a second or so, there is decided in order: whether the split between the arms is
the one asked for (T5, H4); the guardrails, one-sided and sharing alpha (T13-T15, T18); the goal; the end of its time.
Too few samples are neither pass nor fail (H2, T16), so that while a guardrail of drift has too few nothing is won.

An experiment that ends without a winner gives the control all of the two arms' weight: nobody watches the treatment
any more (H1).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

import attrs

from windlass.serving.experiments.drift import Cuts
from windlass.serving.experiments.evidence import Evidence, measure
from windlass.serving.experiments.plan import Experiment
from windlass.serving.experiments.tally import Tally

__all__ = (
    "Answered",
    "Assigned",
    "Effect",
    "Event",
    "Report",
    "Rewarded",
    "Reweighted",
    "SetWeights",
    "State",
    "Ticked",
    "Verdict",
    "begin",
    "step",
)

# Between these shares of the evidence that would end it, a guardrail that held the steps goes on holding them.
_HOLD_FROM, _HOLD_UNTIL = 0.5, 0.25


class Verdict(StrEnum):
    """How an experiment ended."""

    WON = "won"
    LOST = "lost"
    ROLLED_BACK = "rolled back"
    INVALID = "invalid"
    INCONCLUSIVE = "inconclusive"


@attrs.frozen
class Assigned:
    """A unit that was not seen before got the treatment, or the control."""

    treatment: bool


@attrs.frozen
class Answered:
    """A request ended; `first` for the first one of its unit. `prediction` is what it was answered, where watched."""

    treatment: bool
    failed: bool
    slow: bool
    first: bool
    prediction: float | None = None


@attrs.frozen
class Rewarded:
    """The reward of a unit, its first, was reported."""

    treatment: bool
    reward: float


@attrs.frozen
class Ticked:
    """Time has passed: look at the evidence."""


@attrs.frozen
class Reweighted:
    """Somebody has given the two arms other weights."""

    control: int
    treatment: int


Event: TypeAlias = Assigned | Answered | Rewarded | Ticked | Reweighted


@attrs.frozen
class SetWeights:
    """Give the two arms these weights, in percent of the whole route."""

    control: int
    treatment: int


@attrs.frozen
class Report:
    """Put this on record. `kind` is `began`, `reweighted`, `step`, `holding`, `resumed` or a verdict."""

    kind: str
    why: str
    evidence: Mapping[str, object]


Effect: TypeAlias = SetWeights | Report


@attrs.frozen
class State:
    """What is known so far.

    `weights` are those of control and treatment. `split` is the log evidence against the split under earlier weights;
    `split_from` are the units of the treatment, and of both, when the present ones began. `cuts` are the bins in which
    predictions are counted.
    """

    began: float
    weights: tuple[int, int]
    control: Tally = attrs.field(factory=Tally)
    treatment: Tally = attrs.field(factory=Tally)
    stepped: float = 0.0
    steps_taken: int = 0
    holding: bool = False
    split: float = 0.0
    split_from: tuple[int, int] = (0, 0)
    verdict: Verdict | None = None
    why: str = ""
    cuts: Cuts = attrs.field(factory=Cuts)


def begin(plan: Experiment, *, weights: tuple[int, int], now: float) -> tuple[State, list[Effect]]:
    """A new experiment on two arms of these weights, of which the plan's steps make others."""
    effects: list[Effect] = []
    if plan.steps:
        weights = _shared(weights, plan.steps[0])
        effects.append(SetWeights(*weights))
    state = State(now, weights, stepped=now, steps_taken=1)
    return state, [Report("began", _weights_sentence(plan, weights), {}), *effects]


def step(plan: Experiment, state: State, event: Event, now: float) -> tuple[State, list[Effect]]:
    """The experiment after the event."""
    if state.verdict is not None:
        return state, []
    if isinstance(event, Reweighted):
        return _reweighted(plan, state, event)
    state = _counted(state, event)
    fused = _fused(plan, state.treatment)
    if fused:
        return _ended(plan, state, Verdict.ROLLED_BACK, why=fused)
    if not isinstance(event, Ticked):
        return state, []  # the tests cost more than the rest of a request
    evidence = measure(plan, state)
    verdict, why = _verdict(plan, state, evidence, now=now)
    if verdict is not None:
        return _ended(plan, state, verdict, why=why)
    return _stepped(plan, state, evidence, now=now) if plan.steps else (state, [])


def _shared(weights: tuple[int, int], percent: int) -> tuple[int, int]:
    both = sum(weights)
    treatment = round(both * percent / 100)
    return both - treatment, treatment


def _weights_sentence(plan: Experiment, weights: tuple[int, int]) -> str:
    return f"{plan.control!r} at {weights[0]} %, {plan.treatment!r} at {weights[1]} %"


def _reweighted(plan: Experiment, state: State, event: Reweighted) -> tuple[State, list[Effect]]:
    wanted = (event.control, event.treatment)
    weights = _shared(wanted, plan.steps[state.steps_taken - 1]) if plan.steps else wanted
    effects: list[Effect] = [SetWeights(*weights)] if weights != wanted else []
    if weights == state.weights:
        return state, effects
    state = _under(state, weights, measure(plan, state).split)
    return state, [Report("reweighted", _weights_sentence(plan, weights), {}), *effects]


def _under(state: State, weights: tuple[int, int], split: float) -> State:
    """Evidence of parts that have nothing to do with each other multiplies: what comes now is a part of its own."""
    units = (state.treatment.units, state.treatment.units + state.control.units)
    return attrs.evolve(state, weights=weights, split=split, split_from=units)


def _counted(state: State, event: Assigned | Answered | Rewarded | Ticked) -> State:
    match event:
        case Ticked():
            return state
        case Assigned(treatment):
            tally = state.treatment if treatment else state.control
            tally = attrs.evolve(tally, units=tally.units + 1)
        case Rewarded(treatment, reward):
            tally = state.treatment if treatment else state.control
            tally = attrs.evolve(tally, rewards=tally.rewards.and_one(reward))
        case Answered(treatment, failed, slow, first):
            tally = _answered(state.treatment if treatment else state.control, failed=failed, slow=slow, first=first)
            if first and event.prediction is not None:
                state, tally = _predicted(state, tally, event.prediction, treatment=treatment)
    return attrs.evolve(state, treatment=tally) if treatment else attrs.evolve(state, control=tally)


def _answered(tally: Tally, *, failed: bool, slow: bool, first: bool) -> Tally:
    return Tally(
        tally.units,
        tally.samples + first,
        tally.errors + (first and failed),
        tally.slow + (first and slow),
        tally.rewards,
        tally.requests + 1,
        tally.failed + failed,
        tally.failed_in_a_row + 1 if failed else 0,
        tally.bins,
    )


def _predicted(state: State, tally: Tally, prediction: float, *, treatment: bool) -> tuple[State, Tally]:
    """The prediction in its bin; before there are bins the control's help to cut them."""
    if state.cuts.edges is not None:
        return state, attrs.evolve(tally, bins=state.cuts.counted(tally.bins, prediction))
    return (state, tally) if treatment else (attrs.evolve(state, cuts=state.cuts.and_one(prediction)), tally)


def _fused(plan: Experiment, treatment: Tally) -> str:
    fuse = plan.fuse
    if treatment.failed_in_a_row >= fuse.consecutive:
        return f"{treatment.failed_in_a_row} requests of {plan.treatment!r} failed in a row"
    if treatment.requests >= fuse.requests and treatment.failed > fuse.rate * treatment.requests:
        return f"{treatment.failed} of {treatment.requests} requests of {plan.treatment!r} failed"
    return ""


def _verdict(plan: Experiment, state: State, evidence: Evidence, *, now: float) -> tuple[Verdict | None, str]:
    if evidence.split >= evidence.split_limit:
        return Verdict.INVALID, (
            f"{state.treatment.units} of {state.treatment.units + state.control.units} units got the treatment, "
            f"which its weight does not explain (p = {evidence.split_p:.2g})"
        )
    tests = [(Verdict.ROLLED_BACK, "guardrail", one) for one in evidence.guardrails]
    if now - state.began >= plan.duration_min_seconds:
        tests += [] if evidence.unseen else [(Verdict.WON, "goal", evidence.won)]
        tests += [(Verdict.LOST, "goal", evidence.lost)]
    for verdict, what, test in tests:
        if test.log_e >= test.limit:
            return verdict, f"{what} {test.metric}: {test.sentence}"
    if now - state.began >= plan.duration_max_seconds:
        return Verdict.INCONCLUSIVE, f"no decision within {plan.duration_max_seconds:g} s"
    if state.control.units + state.treatment.units >= plan.samples_max:
        return Verdict.INCONCLUSIVE, f"no decision within {plan.samples_max} units"
    return None, ""


def _ended(plan: Experiment, state: State, verdict: Verdict, *, why: str) -> tuple[State, list[Effect]]:
    weights = state.weights
    if verdict is not Verdict.WON:
        weights = _shared(weights, 0)
    elif plan.promote:
        weights = _shared(weights, 100)
    effects: list[Effect] = [Report(verdict, why, measure(plan, state).to_dict())]
    if weights != state.weights:
        effects.append(SetWeights(*weights))
    return attrs.evolve(state, verdict=verdict, why=why, weights=weights), effects


def _stepped(plan: Experiment, state: State, evidence: Evidence, *, now: float) -> tuple[State, list[Effect]]:
    worst = max((one.log_e / one.limit for one in evidence.guardrails), default=0.0)
    if worst >= _HOLD_FROM and not state.holding:
        return attrs.evolve(state, holding=True), [Report("holding", "a guardrail looks bad", evidence.to_dict())]
    if state.holding:
        if worst > _HOLD_UNTIL:
            return state, []
        state = attrs.evolve(state, holding=False, stepped=now)
        return state, [Report("resumed", "the guardrails look well again", evidence.to_dict())]
    enough = state.treatment.samples >= plan.samples_min and not evidence.unseen
    due = now - state.stepped >= plan.step_seconds and enough
    if not due or state.steps_taken >= len(plan.steps):
        return state, []
    weights = _shared(state.weights, plan.steps[state.steps_taken])
    state = _under(state, weights, evidence.split)
    state = attrs.evolve(state, stepped=now, steps_taken=state.steps_taken + 1)
    return state, [Report("step", _weights_sentence(plan, weights), evidence.to_dict()), SetWeights(*weights)]
