"""A request sees one table of routes, whole, from its headers to its answer; a change is seen by later ones alone (T9).

What is performed here was decided elsewhere: which arm by `router.py`, what an experiment concludes by
`experiments/decision.py`. A name that is no route, and a path that names a version, go to the model itself.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import attrs

from windlass.serving.errors import BadRequest, NotFound, NotInJson, NotReady, RouteError, ServingError
from windlass.serving.experiments.counts import SAVE_SECONDS, Kept
from windlass.serving.experiments.decision import Verdict
from windlass.serving.experiments.journal import Entry, Journal
from windlass.serving.experiments.plan import LARGE
from windlass.serving.model import LoadedModel
from windlass.serving.repository.catalogue import Evicted
from windlass.serving.tensors import Array
from windlass.serving.traffic.document import digest, route_to_dict
from windlass.serving.traffic.metrics import TrafficMetrics
from windlass.serving.traffic.picked import Assignment, OfRoute, Picked
from windlass.serving.traffic.route import Arm, Route, Routes
from windlass.serving.traffic.router import choose, shadows_of
from windlass.serving.traffic.running import Outcome, Running, ended_weights
from windlass.serving.traffic.shadowing import Copy, Shadows

__all__ = ("Live", "Models", "Traffic")

_TICK_SECONDS = 1.0

_log = logging.getLogger(__name__)

_CLIENT_GONE = 499


class Models(Protocol):
    """Where loaded models come from: a repository."""

    def get(self, name: str, version: str | None = None) -> LoadedModel:
        """The model that serves. Raises NotFound or NotReady, Evicted for what can be recalled."""

    def recall(self, name: str, version: str | None = None) -> None:
        """Load what was evicted again, without being waited for."""


@attrs.define(eq=False)
class Live:
    """A route as it was declared, the same with the weights in force, and its experiment, if one runs."""

    declared: Route
    route: Route
    running: Running | None = None

    @property
    def etag(self) -> str:
        """Another one whenever the declaration or the weights in force are others."""
        return digest({"route": route_to_dict(self.declared), "weights": self.weights})

    @property
    def weights(self) -> dict[str, int]:
        """The weights in force, by arm."""
        return {arm.name: arm.weight for arm in self.route.arms}

    def set_weights(self, weights: Mapping[str, int]) -> None:
        """Other weights, for requests from now on."""
        self.route = self.route.with_weights(weights)


class Traffic:
    """The routes of an endpoint.

    `clock` is monotonic, in seconds; `rng` makes units for requests that have none.
    """

    def __init__(
        self,
        models: Models,
        metrics: TrafficMetrics,
        *,
        shadows: Shadows,
        journal: Journal | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self.models = models
        self.metrics = metrics
        self.shadows = shadows
        self.journal = journal if journal is not None else Journal()
        self._clock = clock
        self._rng = rng if rng is not None else random.Random()  # noqa: S311  (it spreads requests; it guards nothing)
        # By route, until the route is there again.
        self._kept = self.journal.counts.read()
        # Replaced whole, on the event loop only.
        self._live: Mapping[str, Live] = {}
        metrics.watch(lambda: {name: live.weights for name, live in self._live.items()}, lambda: shadows.in_flight)
        metrics.watch_drift(self._drifts)

    def __repr__(self) -> str:
        return f"<Traffic routes={sorted(self._live)}>"

    @property
    def routes(self) -> Routes:
        """The routes as they were declared."""
        return Routes({name: live.declared for name, live in self._live.items()})

    def live(self, name: str) -> Live:
        """What is in force under the name. Raises NotFound."""
        live = self._live.get(name)
        if live is None:
            raise NotFound(f"there is no route {name!r}")
        return live

    def knows(self, name: str) -> bool:
        """Whether the name is that of a route."""
        return name in self._live

    def replace(self, routes: Routes) -> None:
        """These routes, and no others, from now on. Experiments of the same name go on.

        Raises RouteError, and changes nothing, when the plan of one that runs would be another.
        """
        faults = []
        for name, route in routes.by_name.items():
            running = self._same_experiment(route)
            if running is not None and route.experiment != running.plan:
                faults.append(
                    f"routes.{name}.experiment: {running.plan.name!r} has begun, and its plan does not change; "
                    "give another one a new name"
                )
        if faults:
            raise RouteError(faults)
        before = _names(self.routes)
        self._live = {name: self._replaced(route) for name, route in routes.by_name.items()}
        for route_name, name in sorted(before - _names(routes)):
            self.metrics.forget(route_name, name)

    def model(self, name: str, version: str | None = None) -> LoadedModel:
        """The model that describes the name: of a route, that of its stable arm, or of the first that is ready.

        Raises NotFound and NotReady.
        """
        live = self._live.get(name) if version is None else None
        if live is None:
            return self.models.get(name, version)
        for arm in (live.route.stable_arm, *live.route.arms):
            loaded = self._ready(arm)
            if loaded is not None:
                return loaded
        raise self._none_ready(live.route)

    def pick(self, name: str, version: str | None, headers: Mapping[str, str]) -> Picked:
        """The model that answers this request: a context that lasts until it is answered.

        Raises NotFound, NotReady, and BadRequest for an arm that there is not.
        """
        live = self._live.get(name) if version is None else None
        if live is None:
            return Picked(self.models.get(name, version))
        route = live.route
        loaded: dict[str, LoadedModel] = {}

        def ready(arm: Arm) -> bool:
            found = self._ready(arm)
            if found is not None:
                loaded[arm.name] = found
            return found is not None

        choice = choose(route, headers, ready=ready, chance=lambda: f"{self._rng.getrandbits(64):016x}")
        if choice.arm.name not in loaded:
            raise self._none_ready(route)
        self.metrics.assigned(route.name, choice.arm.name, choice.how)
        if choice.arm is not choice.wanted:
            self.metrics.fell_back(route.name, choice.wanted.name)
        now = self._clock()
        running = live.running if live.running is not None and live.running.assigned(choice, now) else None
        return OfRoute(loaded[choice.arm.name], self, Assignment(route, choice, running, now))

    def reward(self, name: str, unit: str, reward: float) -> bool:
        """Whether the reward of a unit was counted by the experiment of the route.

        Raises NotFound, and BadRequest for a reward that is no number, or larger than any may be.
        """
        running = self.live(name).running
        if not abs(reward) <= LARGE:
            raise BadRequest(f"reward: expected a number from {-LARGE:g} to {LARGE:g}, found {reward}")
        return running is not None and running.rewarded(unit, reward, self._clock())

    async def run(self) -> None:
        """Look at the experiments each second, and save their counts now and then, until cancelled."""
        saved = self._clock()
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self.tick()
            if self._clock() - saved >= SAVE_SECONDS:
                await self.save()
                saved = self._clock()

    async def save(self) -> None:
        """Write what the experiments have counted, where there is a journal."""
        if self.journal.counts.path is not None:
            await asyncio.to_thread(self.journal.counts.write, self._keep())

    def tick(self) -> None:
        """Look at the experiments."""
        now = self._clock()
        for live in self._live.values():
            if live.running is not None:
                try:
                    live.running.ticked(now)
                except Exception:
                    # One that cannot be judged must not keep the others from being judged.
                    _log.exception("the experiment %s of %s", live.running.plan.name, live.declared.name)

    def experiment(self, name: str) -> dict[str, Any] | None:
        """What is known of the route's experiment, with its latest entries; None without one. Raises NotFound."""
        live = self.live(name)
        plan = live.declared.experiment
        if plan is None:
            return None
        entries = [entry.to_dict() for entry in self.journal.entries(name) if entry.experiment == plan.name]
        if live.running is not None:
            return {**live.running.to_dict(self._clock()), "entries": entries}
        ended = self.journal.verdict(name, plan.name)
        assert ended is not None
        return {"name": plan.name, "state": ended.kind, "why": ended.why, "entries": entries}

    def close(self) -> None:
        """Give up the shadows."""
        self.shadows.close()

    def ended(self, assignment: Assignment, error: BaseException | None, *, prediction: float | None = None) -> None:
        """See Answers."""
        now = self._clock()
        seconds = now - assignment.began
        code = _code(error)
        invalid = error is not None and isinstance(error.__cause__, NotInJson)
        route, choice = assignment.route, assignment.choice
        self.metrics.ended(route.name, choice.arm.name, code=code, seconds=seconds)
        running = assignment.running
        # What the client did wrong says nothing of the arm. One that hung up does, if it had waited too long by then.
        if running is None or (400 <= code < 499 and not invalid):
            return
        if code == _CLIENT_GONE and seconds <= running.plan.slow_seconds:
            return
        # NaN is a client's mistake in v2, who could have asked for raw bytes, and all the same no good answer.
        running.answered(choice, Outcome(code >= 500 or invalid, seconds, prediction), now=now)

    def shadow(self, assignment: Assignment, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        """See Answers: copies of the request go to the shadows that are due."""
        route = assignment.route
        for shadow in shadows_of(route, assignment.choice.unit):
            loaded = self._ready(Arm(shadow.name, shadow.model, shadow.version))
            if loaded is None:
                self.metrics.shadowed(route.name, shadow.name, "failed")
            else:
                self.shadows.offer(Copy(route.name, shadow.name, loaded, inputs, outputs))

    def _ready(self, arm: Arm) -> LoadedModel | None:
        try:
            loaded = self.models.get(arm.model, arm.version)
        except Evicted:
            # Nobody asks for it by its own name, so that nothing else would ever bring it back.
            self.models.recall(arm.model, arm.version)
            return None
        except (NotFound, NotReady):
            return None
        return loaded if loaded.not_ready_because() is None else None

    def _none_ready(self, route: Route) -> NotReady:
        reasons = "; ".join(f"{arm.name}: {why}" for arm, why in self._reasons(route))
        return NotReady(f"no arm of route {route.name!r} is ready: {reasons}")

    def _reasons(self, route: Route) -> Iterator[tuple[Arm, str]]:
        for arm in route.arms:
            try:
                yield arm, self.models.get(arm.model, arm.version).not_ready_because() or "it is ready by now"
            except ServingError as error:
                yield arm, str(error)

    def _same_experiment(self, route: Route) -> Running | None:
        live = self._live.get(route.name)
        if live is None or live.running is None or route.experiment is None:
            return None
        return live.running if live.running.plan.name == route.experiment.name else None

    def _replaced(self, route: Route) -> Live:
        live = Live(route, route)
        plan = route.experiment
        if plan is None:
            return live
        live.running = self._same_experiment(route)
        if live.running is not None:
            live.running.replaced(route, self._clock(), set_weights=live.set_weights)
            return live
        ended: Entry | None = self.journal.verdict(route.name, plan.name)
        if ended is not None:
            live.set_weights(ended_weights(route, Verdict(ended.kind), plan))
            return live
        now = self._clock()
        kept = self._kept.pop(route.name, None)
        live.running = None if kept is None else Running.resumed(route, self.journal, kept=kept, now=now)
        if live.running is not None:
            live.running.replaced(route, now, set_weights=live.set_weights)
        else:
            live.running = Running.begun(route, self.journal, set_weights=live.set_weights, now=now)
        return live

    def _drifts(self) -> Iterator[tuple[str, str, float]]:
        for name, live in self._live.items():
            drift = None if live.running is None else live.running.drift
            if live.running is not None and drift is not None:
                yield name, live.running.plan.treatment, drift

    def _keep(self) -> dict[str, Kept]:
        now, found = self._clock(), dict(self._kept)
        for name, live in self._live.items():
            kept = None if live.running is None else live.running.kept(live.declared, now)
            if kept is not None:
                found[name] = kept
        return found


def _names(routes: Routes) -> set[tuple[str, str]]:
    """Each route with each of its arms and shadows."""
    found: set[tuple[str, str]] = set()
    for name, route in routes.by_name.items():
        found.update((name, arm.name) for arm in route.arms)
        found.update((name, shadow.name) for shadow in route.shadows)
    return found


def _code(error: BaseException | None) -> int:
    match error:
        case None:
            return 200
        case ServingError():
            return error.status
        case asyncio.CancelledError():
            return _CLIENT_GONE
        case _:
            return 500
