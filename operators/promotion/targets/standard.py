"""In Standard mode a split is an entry of `spec.canary` with a predictor of its own beside the stable one.

KServe 0.20 and later have it; `canaryTrafficPercent`, which means nothing in this mode, is never written. The canary is
the stable predictor with another release and a name, without the fields that its admission forbids. Promoting makes
the stable predictor what the canary was, name included, so nothing is started anew; taking back drops the entry. This
module is pure.
"""

import copy
from collections.abc import Mapping
from typing import Any, Final

from windlass.operators.promotion.targets.contract import Fault, Json, Plan
from windlass.operators.promotion.targets.mode import Seen
from windlass.operators.promotion.targets.predictor import (
    at,
    is_ready,
    model_trouble,
    placed,
    refusal,
    released,
    unready,
)
from windlass.operators.promotion.types import OperationStatus, PreviousStatus

__all__ = ("STANDARD", "Standard")

_ANNOTATION: Final = "serving.kserve.io/deploymentMode"
_MODES: Final = ("Standard", "RawDeployment")
_FORBIDDEN: Final = ("maxReplicas", "scaleTarget", "scaleMetric", "autoScaling", "workerSpec")


class Standard:
    """The mode `Standard`, formerly `RawDeployment`."""

    name = "Standard"

    def refusal(self, found: Json, plan: Plan) -> Fault | None:
        """Why the release cannot be promoted here at all."""
        predictor = found["spec"]["predictor"]
        if not isinstance(predictor.get("model"), Mapping):
            return Fault(
                "UnsupportedPredictor", "spec.predictor: a canary in Standard mode needs model, which is missing"
            )
        if at(found, "metadata", "annotations", _ANNOTATION) not in _MODES:
            return Fault(
                "AnnotationMissing",
                f"KServe admits canaries in Standard mode only if the annotation {_ANNOTATION} says Standard",
            )
        return refusal(predictor, plan.field)

    def previous(self, found: Json, plan: Plan) -> PreviousStatus:
        """What to go back to, from what is there now."""
        predictor = found["spec"]["predictor"]
        return PreviousStatus(
            release=released(predictor, plan.field),
            revision=_revision(found, str(predictor.get("name") or "")),
            name=str(predictor.get("name") or ""),
            first=not at(found, "status", "modelStatus", "states", "activeModelState") and not is_ready(found),
        )

    def changed(self, spec: Json, plan: Plan, operation: OperationStatus) -> Json:
        """The spec after the operation."""
        predictor, previous = spec["predictor"], plan.previous
        match operation.name:
            case "introduce" | "shift":
                return _with_canaries(spec, [*_foreign(spec, plan), _canary(spec, plan, operation.weight)])
            case "complete":
                stable = {**placed(predictor, plan.field, plan.value), "name": plan.name}
                return {**_with_canaries(spec, _foreign(spec, plan)), "predictor": stable}
            case "deploy":
                return {**spec, "predictor": placed(predictor, plan.field, plan.value)}
            case "withdraw" if previous is not None:
                stable = _named(placed(predictor, plan.field, previous.release), previous.name)
                return {**_with_canaries(spec, _foreign(spec, plan)), "predictor": stable}
        return spec  # there is nothing left to restore

    def others(self, spec: Json, plan: Plan) -> Json:
        """The spec without what a promotion owns."""
        stable = _named(placed(spec["predictor"], plan.field, ""), "")
        return {**_with_canaries(spec, _foreign(spec, plan)), "predictor": stable}

    def seen(self, found: Json, plan: Plan) -> Seen:
        """What the status says."""
        canaries = {str(one.get("name")): one for one in at(found, "status", "canaryStatuses") or ()}
        stable = _revision(found, str(at(found, "spec", "predictor", "name") or ""))
        shares = {_revision(found, name): int(one.get("trafficPercent") or 0) for name, one in canaries.items()}
        split = {stable: 100 - sum(shares.values()), **shares}
        mine = canaries.get(plan.name)
        promoted = at(found, "spec", "predictor", "name") == plan.name
        operation = plan.operation
        deployed = operation is not None and operation.name == "deploy" and _is_loaded(found)
        there = mine is not None or promoted
        trouble = model_trouble(at(mine, "modelStatus")) or model_trouble(at(found, "status", "modelStatus"))
        return Seen(
            unsettled=_unsettled(found, canaries),
            candidate=_revision(found, plan.name) if there else stable if deployed else "",
            split={revision: percent for revision, percent in split.items() if percent},
            reached=_reached(found, plan, canaries),
            trouble=trouble or unready(found, "CanaryPredictorReady", "Ready"),
        )


STANDARD: Final = Standard()


def _revision(found: Json, name: str) -> str:
    """The Deployment of a predictor of that name."""
    service = found["metadata"]["name"]
    return f"{service}-{name}-predictor" if name else f"{service}-predictor"


def _named(predictor: Json, name: str) -> Json:
    without = {key: value for key, value in predictor.items() if key != "name"}
    return {**without, "name": name} if name else without


def _foreign(spec: Json, plan: Plan) -> list[Json]:
    return [one for one in spec.get("canary") or () if at(one, "predictor", "name") != plan.name]


def _with_canaries(spec: Json, canaries: list[Json]) -> Json:
    without = {key: value for key, value in spec.items() if key != "canary"}
    return {**without, "canary": canaries} if canaries else without


def _canary(spec: Json, plan: Plan, weight: int) -> Json:
    there = next((one for one in spec.get("canary") or () if at(one, "predictor", "name") == plan.name), None)
    if there is not None:
        return {**there, "trafficPercent": weight}
    stable = copy.deepcopy(spec["predictor"])
    predictor = {key: value for key, value in stable.items() if key not in _FORBIDDEN}
    return {"trafficPercent": weight, "predictor": _named(placed(predictor, plan.field, plan.value), plan.name)}


def _is_loaded(found: Json) -> bool:
    status = at(found, "status", "modelStatus")
    return (
        is_ready(found)
        and at(status, "transitionStatus") == "UpToDate"
        and at(status, "states", "activeModelState") == "Loaded"
    )


def _unsettled(found: Json, canaries: Mapping[str, Json]) -> str:
    names = sorted({*canaries, *(str(at(one, "predictor", "name")) for one in found["spec"].get("canary") or ())})
    if names:
        return f"there are canaries already: {', '.join(names)}"
    status = at(found, "status", "modelStatus")
    if not at(status, "states", "activeModelState") and not is_ready(found):
        return ""  # nothing serves, so nothing can be under way that would be lost
    trouble = model_trouble(status) or unready(found, "Ready")
    if trouble is not None:
        return f"{trouble.reason}: {trouble.message}"
    if at(status, "transitionStatus") not in (None, "UpToDate"):
        return f"transitionStatus is {at(status, 'transitionStatus')}"
    return "" if is_ready(found) else "Ready is not True"


def _reached(found: Json, plan: Plan, canaries: Mapping[str, Any]) -> bool:
    operation, previous = plan.operation, plan.previous
    if operation is None or previous is None:
        return False
    mine = canaries.get(plan.name)
    match operation.name:
        case "introduce" | "shift":
            alone = len(canaries) == 1 and mine is not None
            return alone and at(mine, "ready") is True and at(mine, "trafficPercent") == operation.weight
        case "deploy":
            return _is_loaded(found)
        case "complete":
            return not canaries and is_ready(found)
        case "withdraw":
            return previous.first or (not canaries and is_ready(found))
        case "restore":
            return True
