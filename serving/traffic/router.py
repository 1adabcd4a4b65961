"""A request gets exactly one arm, and the reason: asked for, matched, by its unit, or by chance (T6, T7).

Pure: which arms are ready is asked of a function, chance is an argument. The rules, in order:

1. the arm that the header `X-Model-Variant` names, where the route permits that;
2. the arm of the first match;
3. the arm of the unit in the route's header, else in its cookie; the same one each time;
4. the arm of the request's own id (`X-Request-Id`), which nobody expects to see again;
5. an arm by chance.

An arm that is not ready gives way to the stable one, then to the others in their order (T1).
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from http.cookies import CookieError, SimpleCookie

import attrs

from windlass.serving.errors import BadRequest
from windlass.serving.traffic.assignment import arm_for, point
from windlass.serving.traffic.route import HEADER, Arm, Route, Shadow

__all__ = ("REQUEST_ID", "Choice", "How", "choose", "shadows_of")

REQUEST_ID = "X-Request-Id"


class How(StrEnum):
    """Why a request got its arm."""

    FORCED = "forced"
    MATCHED = "matched"
    KEY = "key"
    REQUEST = "request"
    CHANCE = "chance"


@attrs.frozen
class Choice:
    """The arm that answers; `wanted` is the one that was due, another only when that was not ready.

    `unit` decides about shadows and outcomes; a made-up one when there is none.
    """

    arm: Arm
    wanted: Arm
    how: How
    unit: str

    @property
    def counts(self) -> bool:
        """Whether the request was assigned as an experiment demands: by the weights, to an arm that answered."""
        return self.arm is self.wanted and self.how not in (How.FORCED, How.MATCHED)


def choose(
    route: Route, headers: Mapping[str, str], *, ready: Callable[[Arm], bool], chance: Callable[[], str]
) -> Choice:
    """The request's arm. `headers` find names in any case; `chance` makes a unit for a request that has none.

    When no arm is ready it is the one that was due. Raises BadRequest for a forced arm that there is not.
    """
    unit, how = _unit(route, headers, chance)
    wanted, because = _wanted(route, headers, unit)
    how = because or how
    for arm in (wanted, route.stable_arm, *route.arms):
        if ready(arm):
            return Choice(arm, wanted, how, unit)
    return Choice(wanted, wanted, how, unit)


def shadows_of(route: Route, unit: str) -> list[Shadow]:
    """The shadows that get a copy of the unit's request (T11)."""
    salt = route.salt or route.name
    return [one for one in route.shadows if point(salt, unit, f"shadow/{one.name}") * 100 <= one.percent]


def _wanted(route: Route, headers: Mapping[str, str], unit: str) -> tuple[Arm, How | None]:
    forced = headers.get(HEADER) if route.forced else None
    if forced is not None:
        try:
            return route.arm(forced), How.FORCED
        except KeyError:
            names = ", ".join(arm.name for arm in route.arms)
            raise BadRequest(f"{HEADER}: expected one of {names}, found {forced[:80]!r}") from None
    for match in route.matches:
        if headers.get(match.header) == match.value:
            return route.arm(match.arm), How.MATCHED
    weights = [(arm.name, arm.weight) for arm in route.arms]
    return route.arm(arm_for(route.salt or route.name, unit, weights)), None


def _unit(route: Route, headers: Mapping[str, str], chance: Callable[[], str]) -> tuple[str, How]:
    key = headers.get(route.unit_header) or _cookie(route, headers)
    if key:
        return key, How.KEY
    request = headers.get(REQUEST_ID)
    if request:
        return request, How.REQUEST
    return chance(), How.CHANCE


def _cookie(route: Route, headers: Mapping[str, str]) -> str | None:
    header = headers.get("Cookie") if route.unit_cookie else None
    if header is None:
        return None
    try:
        morsel = SimpleCookie(header).get(route.unit_cookie)
    except CookieError:
        return None  # what a browser sends is not the request's fault
    return None if morsel is None else morsel.value
