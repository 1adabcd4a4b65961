"""A route is a public name and the arms that answer for it; one that breaks a rule of its own cannot be made.

This module does not know which models are loaded, nor what a request is.
"""

from collections.abc import Iterator, Mapping

import attrs

from windlass.serving.errors import RouteError
from windlass.serving.experiments.plan import Experiment

__all__ = ("HEADER", "Arm", "Match", "Route", "Routes", "Shadow", "valid_label")

HEADER = "X-Model-Variant"
"""The header that names an arm: in a response the one that answered, in a request the one asked for."""

_ARMS_MAX = 16
_LABEL_MAX = 63


def valid_label(name: str) -> bool:
    """Whether an arm, a shadow or an experiment may be called so: it stands in headers, metrics and paths."""
    return 0 < len(name) <= _LABEL_MAX and name.isascii() and name[0].isalnum() and not set(name) - _LABEL_CHARACTERS


_LABEL_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@attrs.frozen
class Arm:
    """A model that answers for the route, at one `version` or at the one that serves, with a share of `weight` %."""

    name: str
    model: str
    version: str | None = None
    weight: int = 0


@attrs.frozen
class Match:
    """Requests whose `header` is `value` go to `arm`, whatever its weight. The first match counts."""

    header: str
    value: str
    arm: str


@attrs.frozen
class Shadow:
    """A model that gets copies of `percent` of the requests, sampled by the hash that also picks arms."""

    name: str
    model: str
    version: str | None = None
    percent: float = 100.0


def _tuple(values: object) -> tuple[object, ...]:
    return tuple(values)  # type: ignore[arg-type]


@attrs.frozen
class Route:
    """What answers for a public name.

    Weights are whole percents and sum to 100 (T1, H1). `stable` is the arm that takes the share of one that is not
    ready; the first arm unless named. A request's unit is in the header `unit_header`, else in the cookie
    `unit_cookie` (T6). `salt` keeps the assignments of routes independent of each other; the route's name unless given.
    `forced` lets a request name its arm by the header `X-Model-Variant` (T7); off by default.

    Raises RouteError with every fault at once.
    """

    name: str
    arms: tuple[Arm, ...] = attrs.field(converter=_tuple)
    stable: str = ""
    matches: tuple[Match, ...] = attrs.field(converter=_tuple, default=())
    shadows: tuple[Shadow, ...] = attrs.field(converter=_tuple, default=())
    salt: str = ""
    unit_header: str = "X-Experiment-Key"
    unit_cookie: str = ""
    forced: bool = False
    experiment: Experiment | None = None

    def __attrs_post_init__(self) -> None:
        faults = list(self._faults())
        if faults:
            raise RouteError(faults)

    @property
    def stable_arm(self) -> Arm:
        """The arm that others fall back to."""
        return self.arm(self.stable) if self.stable else self.arms[0]

    def arm(self, name: str) -> Arm:
        """The arm of this name. Raises KeyError when there is none."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise KeyError(name)

    def with_weights(self, weights: Mapping[str, int]) -> "Route":
        """The route with other weights for the arms that are named. Raises RouteError for an unknown arm or sum."""
        unknown = sorted(weights.keys() - {arm.name for arm in self.arms})
        if unknown:
            raise RouteError([f"weights: no arm is called {unknown[0]!r}; there are {self._names()}"])
        arms = tuple(attrs.evolve(arm, weight=weights.get(arm.name, arm.weight)) for arm in self.arms)
        return attrs.evolve(self, arms=arms)

    def _names(self) -> str:
        return ", ".join(arm.name for arm in self.arms)

    def _faults(self) -> Iterator[str]:
        yield from self._arm_faults()
        arms = {arm.name for arm in self.arms}
        if self.stable and self.stable not in arms:
            yield f"stable: expected one of the arms {self._names()}, found {self.stable!r}"
        for index, match in enumerate(self.matches):
            if not match.header:
                yield f"matches[{index}].header: expected the name of a header, found nothing"
            if match.arm not in arms:
                yield f"matches[{index}].arm: expected one of the arms {self._names()}, found {match.arm!r}"
        yield from self._shadow_faults()
        if self.experiment is not None:
            for role, arm in (("control", self.experiment.control), ("treatment", self.experiment.treatment)):
                if arm not in arms:
                    yield f"experiment.{role}: expected one of the arms {self._names()}, found {arm!r}"

    def _arm_faults(self) -> Iterator[str]:
        if not 1 <= len(self.arms) <= _ARMS_MAX:
            yield f"arms: expected 1 to {_ARMS_MAX}, found {len(self.arms)}"
        seen: set[str] = set()
        for index, arm in enumerate(self.arms):
            yield from _label_faults(f"arms[{index}].name", arm.name, seen)
            if not arm.model:
                yield f"arms[{index}].model: expected the name of a model, found nothing"
            if not 0 <= arm.weight <= 100:
                yield f"arms[{index}].weight: expected a whole number from 0 to 100, found {arm.weight}"
        total = sum(arm.weight for arm in self.arms)
        if total != 100:
            yield f"arms: expected weights that sum to 100, found {total}"

    def _shadow_faults(self) -> Iterator[str]:
        seen: set[str] = set()
        for index, shadow in enumerate(self.shadows):
            yield from _label_faults(f"shadows[{index}].name", shadow.name, seen)
            if not shadow.model:
                yield f"shadows[{index}].model: expected the name of a model, found nothing"
            if not 0 < shadow.percent <= 100:
                yield f"shadows[{index}].percent: expected more than 0 and at most 100, found {shadow.percent}"


@attrs.frozen
class Routes:
    """The routes by name, as one value: what changes, changes together (T9)."""

    by_name: Mapping[str, Route] = attrs.field(factory=dict)

    @classmethod
    def of(cls, *routes: Route) -> "Routes":
        """These routes. The last of two with one name counts."""
        return cls({route.name: route for route in routes})

    def having(self, route: Route) -> "Routes":
        """These routes with the one of this name put in or replaced."""
        return Routes({**self.by_name, route.name: route})

    def without(self, name: str) -> "Routes":
        """These routes without the one of this name."""
        return Routes({key: route for key, route in self.by_name.items() if key != name})


def _label_faults(where: str, name: str, seen: set[str]) -> Iterator[str]:
    if not valid_label(name):
        yield f"{where}: expected letters, digits, '-', '_' and '.', at most {_LABEL_MAX}, found {name[:80]!r}"
    elif name in seen:
        yield f"{where}: {name!r} is given twice"
    seen.add(name)
