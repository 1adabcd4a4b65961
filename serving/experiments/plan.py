"""What an experiment will decide, and by which evidence, is fixed before its first request.

Rates are shares from 0 to 1, times are in seconds. A wrong value is refused when it is made, by a RouteError that
names every field at fault.
"""

from collections.abc import Iterator
from typing import Literal

import attrs

from windlass.serving.errors import RouteError

__all__ = ("LARGE", "Experiment", "Fuse", "Goal", "Guarded", "Guardrail", "Metric")

LARGE = 1e9
"""The largest reward there may be, so that no square of one is infinite."""

Metric = Literal["reward", "errors", "slow"]
Guarded = Literal["errors", "slow", "drift"]

_INDEX_MAX = 10.0


@attrs.frozen
class Goal:
    """What the treatment has to show.

    `metric` is the mean of reported rewards (more is better), or the share of errors or of slow answers (less is
    better). `effect` is the least difference that would matter, in units of the metric; the test is most sensitive to
    it. With `margin` above 0 the treatment only has to be no worse than the control by more than that.
    """

    metric: Metric = "reward"
    effect: float = 0.01
    margin: float = 0.0


@attrs.frozen
class Guardrail:
    """The treatment's share of `metric` must not be worse than the control's by more than `tolerance`.

    For "drift" `tolerance` is the population stability index of the treatment's predictions from the control's, which
    is more than 0: by convention 0.1 is a small change and 0.25 a large one.
    """

    metric: Guarded = "errors"
    tolerance: float = 0.0


@attrs.frozen
class Fuse:
    """What ends an experiment without statistics (T15).

    `consecutive` failed requests of the treatment in a row, or a share of more than `rate` of them after `requests`.
    """

    consecutive: int = 5
    rate: float = 0.2
    requests: int = 50


def _tuple(values: object) -> tuple[object, ...]:
    return tuple(values)  # type: ignore[arg-type]


@attrs.frozen
class Experiment:
    """Two arms, a goal, and guardrails.

    `name` is new for each experiment of a route: one that has ended never runs again. `alpha` is the chance of
    finding a difference where there is none; the guardrails share the same chance among them (T18).

    A sample is the first outcome of a unit: with `units` "keys" of a key (the route's header or cookie), with
    "requests" of a request that has no key. A unit that asks often does not count more often.

    No test decides below `samples_min` units in each arm (T16); the goal also waits for `duration_min_seconds`. After
    `duration_max_seconds` or `samples_max` units in both arms the result is inconclusive. An answer that took more than
    `slow_seconds` is slow.

    `steps` are the treatment's weights in percent, taken one after another each `step_seconds` unless a guardrail looks
    bad (H1); without steps the weights stay. `promote` gives a treatment that has won all of the two arms' weight;
    without it the weights stay as they are.

    Raises RouteError with every fault at once.
    """

    name: str
    control: str
    treatment: str
    goal: Goal = Goal()
    guardrails: tuple[Guardrail, ...] = attrs.field(converter=_tuple, default=(Guardrail(),))
    fuse: Fuse = Fuse()
    units: Literal["keys", "requests"] = "keys"
    alpha: float = 0.05
    samples_min: int = 100
    samples_max: int = 200_000
    duration_min_seconds: float = 0.0
    duration_max_seconds: float = 14 * 86400.0
    slow_seconds: float = 0.8
    steps: tuple[int, ...] = attrs.field(converter=_tuple, default=())
    step_seconds: float = 600.0
    promote: bool = False

    def __attrs_post_init__(self) -> None:
        faults = [f"experiment.{fault}" for fault in self._faults()]
        if faults:
            raise RouteError(faults)

    @property
    def watches_predictions(self) -> bool:
        """Whether a guardrail looks at what the arms predict."""
        return any(one.metric == "drift" for one in self.guardrails)

    @property
    def guardrail_alpha(self) -> float:
        """The chance of a false alarm that each guardrail has."""
        return self.alpha / max(1, len(self.guardrails))

    def _faults(self) -> Iterator[str]:
        if not self.name:
            yield "name: expected a name, found nothing"
        if self.control == self.treatment:
            yield f"treatment: expected another arm than the control, found {self.treatment!r} twice"
        if not 0 < self.alpha < 1:
            yield f"alpha: expected more than 0 and less than 1, found {self.alpha}"
        # Below 50 the normal approximation that the tests stand on does not hold (T14).
        if self.samples_min < 50:
            yield f"samples_min: expected at least 50, found {self.samples_min}"
        if self.samples_max < 2 * self.samples_min:
            yield f"samples_max: expected at least twice samples_min, found {self.samples_max}"
        if list(self.steps) != sorted(set(self.steps)) or any(not 0 < step <= 100 for step in self.steps):
            yield f"steps: expected rising percents from 1 to 100, found {list(self.steps)}"
        yield from self._faults_of_times()
        yield from self._faults_of_parts()

    def _faults_of_times(self) -> Iterator[str]:
        for field in ("slow_seconds", "step_seconds", "duration_max_seconds"):
            if not 0 < getattr(self, field) < float("inf"):
                yield f"{field}: expected a finite number above 0, found {getattr(self, field)}"
        if not 0 <= self.duration_min_seconds <= self.duration_max_seconds:
            yield f"duration_min_seconds: expected 0 to duration_max_seconds, found {self.duration_min_seconds}"

    def _faults_of_parts(self) -> Iterator[str]:
        if not 1 / LARGE <= self.goal.effect <= LARGE:
            yield f"goal.effect: expected a number from {1 / LARGE:g} to {LARGE:g}, found {self.goal.effect}"
        if not 0 <= self.goal.margin <= LARGE:
            yield f"goal.margin: expected a number from 0 to {LARGE:g}, found {self.goal.margin}"
        for index, one in enumerate(self.guardrails):
            if one.metric == "drift":
                if not 0 < one.tolerance <= _INDEX_MAX:
                    yield (
                        f"guardrails[{index}].tolerance: expected for drift an index above 0 and at most "
                        f"{_INDEX_MAX:g}, such as 0.25, found {one.tolerance}"
                    )
            elif not 0 <= one.tolerance < 1:
                yield f"guardrails[{index}].tolerance: expected 0 to below 1, found {one.tolerance}"
        if self.fuse.consecutive < 1 or self.fuse.requests < 1:
            yield f"fuse: expected counts of at least 1, found {self.fuse.consecutive} and {self.fuse.requests}"
        if not 0 < self.fuse.rate <= 1:
            yield f"fuse.rate: expected more than 0 and at most 1, found {self.fuse.rate}"
