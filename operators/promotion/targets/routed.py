"""At our own endpoint a split is the weights of a route's arms: the stable one, and beside it the candidate.

The route keeps the name of its stable arm for good, so that requests which are assigned by a unit's hash stay where
they were. A release is a model at a version, written `model@version`. This module is pure; the document of a route is
that of the endpoint's API.
"""

from typing import Any, Final

from windlass.operators.promotion.targets.contract import Fault, Json, Plan, Trouble
from windlass.operators.promotion.targets.mode import Seen
from windlass.operators.promotion.targets.predictor import at
from windlass.operators.promotion.types import OperationStatus, PreviousStatus

__all__ = ("ROUTED", "Routed", "parts")

_STABLE: Final = "stable"


class Routed:
    """A route of an endpoint."""

    name = "Endpoint"

    def refusal(self, found: Json, plan: Plan) -> Fault | None:  # noqa: ARG002  # as in Mode
        """Why the release cannot be promoted here at all."""
        if plan.field != "model":
            return Fault("UnsupportedRelease", f"release: expected model for an endpoint, found {plan.field}")
        return None

    def previous(self, found: Json, plan: Plan) -> PreviousStatus:  # noqa: ARG002  # as in Mode
        """What to go back to, from what is there now."""
        arm = _stable(found["spec"])
        if arm is None:
            return PreviousStatus("", "", name=_STABLE, first=True)
        release = _release(arm)
        return PreviousStatus(release, release, name=str(arm["name"]))

    def changed(self, spec: Json, plan: Plan, operation: OperationStatus) -> Json:
        """The document after the operation; empty for no route."""
        previous = plan.previous
        stable = _STABLE if previous is None else previous.name
        before = "" if previous is None else previous.release
        match operation.name:
            case "introduce" | "shift":
                old, new = 100 - operation.weight, operation.weight
                arms = [_arm(stable, before, old), _arm(plan.name, plan.value, new)]
            case "complete" | "deploy":
                arms = [_arm(stable, plan.value, 100)]
            case "withdraw" if before:
                arms = [_arm(stable, before, 100)]
            case "withdraw":
                return {}
            case "restore":
                return spec
        return {**spec, "arms": arms}

    def others(self, spec: Json, plan: Plan) -> Json:  # noqa: ARG002  # as in Mode
        """The document without what a promotion owns."""
        return {name: value for name, value in spec.items() if name != "arms"}

    def seen(self, found: Json, plan: Plan) -> Seen:
        """What the endpoint says."""
        arms = {str(arm["name"]): arm for arm in found["spec"].get("arms") or ()}
        weights: Json = at(found, "status", "weights") or {}
        split: dict[str, int] = {}
        for name, arm in arms.items():
            split[_release(arm)] = split.get(_release(arm), 0) + int(weights.get(name, 0))
        there = plan.value in split
        ready = at(found, "status", "ready") is True
        trouble = None if ready or not there else Trouble("NotReady", f"the endpoint does not serve {plan.value}")
        return Seen(
            unsettled=_unsettled(found["spec"], arms),
            candidate=plan.value if there else "",
            split={release: percent for release, percent in split.items() if percent},
            reached=_reached(found, plan, weights, ready=ready),
            trouble=trouble,
        )


ROUTED: Final = Routed()


def parts(release: str) -> tuple[str, str]:
    """The model and the version of a release; "" for the version that serves."""
    model, _, version = release.rpartition("@")
    return model, version


def _release(arm: Json) -> str:
    return f"{arm['model']}@{arm.get('version') or ''}"


def _arm(name: str, release: str, weight: int) -> Json:
    model, version = parts(release)
    made: dict[str, Any] = {"name": name, "model": model}
    # As the endpoint writes it: what is as by default is left out.
    made |= {"version": version} if version else {}
    return made | ({"weight": weight} if weight else {})


def _stable(spec: Json) -> Json | None:
    arms: list[Json] = spec.get("arms") or []
    named = next((arm for arm in arms if arm["name"] == spec.get("stable")), None)
    return named or next(iter(arms), None)


def _unsettled(spec: Json, arms: dict[str, Json]) -> str:
    if spec.get("experiment"):
        return "an experiment runs on the route"
    return f"traffic is split between the arms {', '.join(sorted(arms))}" if len(arms) > 1 else ""


def _reached(found: Json, plan: Plan, weights: Json, *, ready: bool) -> bool:
    operation = plan.operation
    if operation is None:
        return False
    asked = {str(arm["name"]): int(arm.get("weight", 0)) for arm in found["spec"].get("arms") or ()}
    return weights == asked and (ready or operation.name in ("withdraw", "restore"))
