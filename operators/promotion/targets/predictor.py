"""A predictor names what it serves in one of two places, and a release is read and written there and nowhere else.

A custom predictor has containers, of which `kserve-container` is the model's; any other has `model`. What an
InferenceService says of its health is read here, too, because it says it alike in every deployment mode. This module is
pure, and does not know how traffic is split.
"""

import copy
from collections.abc import Mapping
from typing import Any, Final

from windlass.operators.promotion.targets.contract import Fault, Json, Trouble

__all__ = ("at", "is_ready", "model_trouble", "placed", "refusal", "released", "unready")

_CONTAINER: Final = "kserve-container"
_FIELDS: Final = ("image", "runtimeVersion", "storageUri")
_BLOCKED: Final = ("BlockedByFailedLoad", "InvalidSpec")


def at(value: Any, *path: str) -> Any:
    """The value at a path of fields, None where something on the way is missing or null."""
    for field in path:
        value = value.get(field) if isinstance(value, Mapping) else None
    return value


def refusal(predictor: Json, field: str) -> Fault | None:
    """Why a release by this field cannot be promoted to this predictor."""
    if field not in _FIELDS:
        wanted = ", ".join(_FIELDS)
        return Fault("UnsupportedRelease", f"release: expected one of {wanted} for an InferenceService, found {field}")
    if predictor.get("containers"):
        if field != "image":
            return Fault(
                "UnsupportedRelease", f"the predictor has containers of its own: expected image, found {field}"
            )
        return None
    if isinstance(predictor.get("model"), Mapping):
        return None
    found = ", ".join(sorted(predictor)) or "nothing"
    return Fault("UnsupportedPredictor", f"spec.predictor: expected model or containers, found {found}")


def released(predictor: Json, field: str) -> str:
    """What the predictor has in the field of a release; empty if nothing."""
    return str(_place(predictor).get(field) or "")


def placed(predictor: Json, field: str, value: str) -> Json:
    """A copy of the predictor with the field of a release set to the value, or without it if that is empty."""
    made = copy.deepcopy(predictor)
    place = _place(made)
    if value:
        place[field] = value
    else:
        place.pop(field, None)
    return made


def is_ready(found: Json) -> bool:
    """Whether the condition Ready is True."""
    return bool(at(_condition(found, "Ready"), "status") == "True")


def unready(found: Json, *kinds: str) -> Trouble | None:
    """The first of the conditions that is False: a trouble that may pass."""
    for kind in kinds:
        one = _condition(found, kind)
        if one is not None and one.get("status") == "False":
            why = " ".join(str(one.get(field)) for field in ("reason", "message") if one.get(field))
            return Trouble("NotReady", f"{kind} is False: {why or 'no reason was given'}")
    return None


def model_trouble(status: Any) -> Trouble | None:
    """What a `modelStatus` says of a model that cannot be loaded, or of a spec that cannot be followed."""
    transition = at(status, "transitionStatus")
    info = at(status, "lastFailureInfo")
    why = " ".join(str(at(info, field)) for field in ("reason", "message") if at(info, field))
    if transition in _BLOCKED:
        return Trouble(str(transition), why or "no reason was given", final=True)
    if at(status, "states", "targetModelState") == "FailedToLoad":
        return Trouble("FailedToLoad", why or "no reason was given", final=True)
    return None


def _condition(found: Json, kind: str) -> Json | None:
    conditions = at(found, "status", "conditions") or ()
    return next((one for one in conditions if one.get("type") == kind), None)


def _place(predictor: Json) -> Json:
    containers: list[Json] = predictor.get("containers") or []
    if containers:
        return next((one for one in containers if one.get("name") == _CONTAINER), containers[0])
    model: Json = predictor.get("model") or {}
    return model
