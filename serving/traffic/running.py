"""A running experiment hears of each request of its route, and what it decides is on record before it takes effect.

It performs what `experiments/decision.py` decides for one route; weights are set through a function. Everything here
happens on the event loop, without an `await`.
"""

from collections.abc import Callable, Mapping

import attrs

from windlass.serving.experiments.counts import Kept
from windlass.serving.experiments.decision import (
    Answered,
    Assigned,
    Event,
    Report,
    Rewarded,
    Reweighted,
    SetWeights,
    State,
    Ticked,
    Verdict,
    begin,
    step,
)
from windlass.serving.experiments.drift import stability_index
from windlass.serving.experiments.evidence import measure
from windlass.serving.experiments.journal import Journal
from windlass.serving.experiments.plan import Experiment
from windlass.serving.experiments.units import Units
from windlass.serving.traffic.document import digest, route_to_dict
from windlass.serving.traffic.route import Route
from windlass.serving.traffic.router import Choice, How

__all__ = ("Outcome", "Running", "ended_weights")

_EITHER = {"keys": (How.KEY,), "requests": (How.REQUEST, How.CHANCE)}


def ended_weights(route: Route, verdict: Verdict, plan: Experiment) -> Mapping[str, int]:
    """The weights of the two arms after an experiment ended so, of what they have together in the route."""
    control, treatment = route.arm(plan.control).weight, route.arm(plan.treatment).weight
    if verdict is Verdict.WON and not plan.promote:
        return {plan.control: control, plan.treatment: treatment}
    won = verdict is Verdict.WON
    return {plan.control: 0 if won else control + treatment, plan.treatment: control + treatment if won else 0}


@attrs.frozen
class Outcome:
    """How a request ended: with an error of the server's or not, after so many seconds, with what predicted."""

    failed: bool
    seconds: float
    prediction: float | None = None


class Running:
    """The experiment of a route, to be made by `begun` or `resumed`.

    `set_weights`, of both, gives arms other weights, for requests from now on.
    """

    def __init__(self, route: Route, journal: Journal, *, state: State, units: Units) -> None:
        assert route.experiment is not None
        self.plan: Experiment = route.experiment
        self.route_name = route.name
        self.state = state
        self.units = units
        self._journal = journal
        self._counted = _EITHER[self.plan.units]
        self._set_weights: Callable[[Mapping[str, int]], None] = lambda _: None

    @classmethod
    def begun(
        cls, route: Route, journal: Journal, *, set_weights: Callable[[Mapping[str, int]], None], now: float
    ) -> "Running":
        """A new one."""
        assert route.experiment is not None
        state, effects = begin(route.experiment, weights=_weights(route, route.experiment), now=now)
        running = cls(route, journal, state=state, units=Units())
        running._set_weights = set_weights
        running._perform(effects)
        return running

    @classmethod
    def resumed(cls, route: Route, journal: Journal, *, kept: Kept, now: float) -> "Running | None":
        """The one that was kept, to be told its route by `replaced`; None when its plan was another."""
        if kept.plan != _digest(route):
            return None
        return cls(route, journal, state=kept.state_at(now), units=Units(dict(kept.units)))

    def kept(self, route: Route, now: float) -> Kept | None:
        """What to keep, so that it can be resumed; None once it has ended."""
        return None if self.state.verdict else Kept.of(_digest(route), self.state, self.units.copy(), now=now)

    def replaced(self, route: Route, now: float, *, set_weights: Callable[[Mapping[str, int]], None]) -> None:
        """The route has been replaced by one with the same plan."""
        self._set_weights = set_weights
        control, treatment = _weights(route, self.plan)
        if self.state.verdict is not None:
            self._set_weights(ended_weights(route, self.state.verdict, self.plan))
            return
        self._step(Reweighted(control, treatment), now)

    def assigned(self, choice: Choice, now: float) -> bool:
        """Whether the request counts; a unit that is new is counted as assigned."""
        if self.state.verdict is not None or not choice.counts or choice.how not in self._counted:
            return False
        treatment = choice.arm.name == self.plan.treatment
        if not treatment and choice.arm.name != self.plan.control:
            return False
        if self.units.assigned(choice.unit, treatment=treatment):
            self._step(Assigned(treatment), now)
        return True

    def answered(self, choice: Choice, outcome: Outcome, *, now: float) -> None:
        """A request that counts has ended."""
        treatment = choice.arm.name == self.plan.treatment
        first = self.units.answered(choice.unit, treatment=treatment)
        slow = outcome.seconds > self.plan.slow_seconds
        self._step(Answered(treatment, outcome.failed, slow, first, outcome.prediction), now)

    def rewarded(self, unit: str, reward: float, now: float) -> bool:
        """Whether the reward counts: the unit was assigned here, and has none yet."""
        treatment = self.units.rewarded(unit) if self.state.verdict is None else None
        if treatment is None:
            return False
        self._step(Rewarded(treatment, reward), now)
        return True

    @property
    def drift(self) -> float | None:
        """The index of the treatment's predictions from the control's; None while unwatched or too few (T16)."""
        bins = self.state.control.bins, self.state.treatment.bins
        return stability_index(*bins) if min(map(sum, bins)) >= self.plan.samples_min else None

    def ticked(self, now: float) -> None:
        """Time has passed."""
        self._step(Ticked(), now)

    def to_dict(self, now: float) -> dict[str, object]:
        """What is known of it, for people and tools."""
        state = self.state
        return {
            "name": self.plan.name,
            "state": state.verdict or ("holding" if state.holding else "collecting"),
            "why": state.why,
            "seconds": round(now - state.began, 3),
            "units": {self.plan.control: state.control.units, self.plan.treatment: state.treatment.units},
            "evidence": measure(self.plan, state).to_dict(),
        }

    def _step(self, event: Event, now: float) -> None:
        self.state, effects = step(self.plan, self.state, event, now)
        if effects:
            self._perform(effects)

    def _perform(self, effects: list[SetWeights | Report]) -> None:
        for effect in effects:
            match effect:
                case SetWeights(control, treatment):
                    self._set_weights({self.plan.control: control, self.plan.treatment: treatment})
                case Report():
                    weights = {self.plan.control: self.state.weights[0], self.plan.treatment: self.state.weights[1]}
                    self._journal.append(self.route_name, self.plan.name, report=effect, weights=weights)
        if self.state.verdict is not None:
            self.units.clear()


def _weights(route: Route, plan: Experiment) -> tuple[int, int]:
    return route.arm(plan.control).weight, route.arm(plan.treatment).weight


def _digest(route: Route) -> str:
    return digest(route_to_dict(route)["experiment"])
