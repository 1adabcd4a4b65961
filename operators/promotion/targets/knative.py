"""In Knative mode a split is `canaryTrafficPercent` between the latest revision and the one last rolled out.

What was asked for is never taken for what is: revisions and their shares are read from the status, where traffic has
been seen to leak to a third revision when canaries follow each other (https://github.com/kserve/kserve/issues/2130).
Taking a release back makes a revision of its own, so it takes two operations: `withdraw` asks for the previous release
and sends everything to what was rolled out, and only when the new revision is ready may `restore` lift the split. This
module is pure.
"""

from typing import Final

from windlass.operators.promotion.targets.contract import Fault, Json, Plan, Trouble
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

__all__ = ("KNATIVE", "Knative")

_PERCENT: Final = "canaryTrafficPercent"


class Knative:
    """The mode `Knative`, formerly `Serverless`."""

    name = "Knative"

    def refusal(self, found: Json, plan: Plan) -> Fault | None:
        """Why the release cannot be promoted here at all."""
        return refusal(found["spec"]["predictor"], plan.field)

    def previous(self, found: Json, plan: Plan) -> PreviousStatus:
        """What to go back to, from what is there now."""
        component = _component(found)
        predictor = found["spec"]["predictor"]
        return PreviousStatus(
            release=released(predictor, plan.field),
            revision=str(component.get("latestRolledoutRevision") or ""),
            newest=str(component.get("latestCreatedRevision") or ""),
            weight=predictor.get(_PERCENT),
            first=not component.get("latestRolledoutRevision"),
        )

    def changed(self, spec: Json, plan: Plan, operation: OperationStatus) -> Json:
        """The spec after the operation."""
        predictor, previous = spec["predictor"], plan.previous
        before = None if previous is None else previous.weight
        match operation.name:
            case "introduce":
                predictor = _split(placed(predictor, plan.field, plan.value), operation.weight)
            case "shift":
                predictor = _split(predictor, operation.weight)
            case "deploy":
                predictor = placed(predictor, plan.field, plan.value)
            case "withdraw":
                release = "" if previous is None else previous.release
                nothing_served = previous is None or previous.first
                predictor = _split(placed(predictor, plan.field, release), before if nothing_served else 0)
            case "complete" | "restore":
                predictor = _split(predictor, before)
        return {**spec, "predictor": predictor}

    def others(self, spec: Json, plan: Plan) -> Json:
        """The spec without what a promotion owns."""
        return {**spec, "predictor": _split(placed(spec["predictor"], plan.field, ""), None)}

    def seen(self, found: Json, plan: Plan) -> Seen:
        """What the status says."""
        component, previous = _component(found), plan.previous
        created, ready = (str(component.get(f"latest{word}Revision") or "") for word in ("Created", "Ready"))
        rolled_out = str(component.get("latestRolledoutRevision") or "")
        split = _observed(component)
        candidate = "" if plan.candidate is None else plan.candidate.revision
        going_back = plan.operation is not None and plan.operation.name in ("withdraw", "restore")
        if previous is not None and not candidate and not going_back and created != previous.newest:
            candidate = created
        unsettled = _unsettled(found, split, (created, ready, rolled_out))
        return Seen(
            unsettled=unsettled,
            candidate=candidate,
            split=split,
            reached=_reached(found, plan, split, candidate),
            trouble=_trouble(found),
            steady=bool(created) and created == ready and is_ready(found),
        )


KNATIVE: Final = Knative()


def _component(found: Json) -> Json:
    return at(found, "status", "components", "predictor") or {}


def _split(predictor: Json, percent: int | None) -> Json:
    without = {name: value for name, value in predictor.items() if name != _PERCENT}
    return without if percent is None else {**without, _PERCENT: percent}


def _observed(component: Json) -> dict[str, int]:
    split: dict[str, int] = {}
    for one in component.get("traffic") or ():
        revision = str(one.get("revisionName") or "")
        split[revision] = split.get(revision, 0) + int(one.get("percent") or 0)
    return {revision: percent for revision, percent in split.items() if percent}


def _trouble(found: Json) -> Trouble | None:
    return model_trouble(at(found, "status", "modelStatus")) or unready(found, "Ready")


def _unsettled(found: Json, split: dict[str, int], revisions: tuple[str, str, str]) -> str:
    created, ready, rolled_out = revisions
    asked = at(found, "spec", "predictor", _PERCENT)
    if not rolled_out:
        return ""  # nothing was ever rolled out, so nothing can be under way that would be lost
    if asked not in (None, 100):
        return f"a split is asked for already: {_PERCENT} is {asked}"
    if not created == ready == rolled_out:
        return f"revision {created} was made, {ready} is ready and {rolled_out} is rolled out"
    if split != {rolled_out: 100}:
        return f"traffic is split: {split}"
    trouble = _trouble(found)
    if trouble is not None:
        return f"{trouble.reason}: {trouble.message}"
    return "" if is_ready(found) else "Ready is not True"


def _reached(found: Json, plan: Plan, split: dict[str, int], candidate: str) -> bool:
    operation, previous = plan.operation, plan.previous
    if operation is None or previous is None:
        return False
    component = _component(found)
    ready = str(component.get("latestReadyRevision") or "")
    match operation.name:
        case "introduce" | "shift":
            wanted = {previous.revision: 100 - operation.weight, candidate: operation.weight}
            wanted = {revision: percent for revision, percent in wanted.items() if percent}
            return bool(candidate) and candidate == ready and split == wanted
        case "complete" | "deploy":
            rolled_out = component.get("latestRolledoutRevision")
            return (
                bool(candidate) and candidate == ready == rolled_out and split == {candidate: 100} and is_ready(found)
            )
        case "withdraw":
            # Not before the revision of the previous release is ready: `restore` sends everything to the latest ready
            # one, and until then that may be the candidate.
            return previous.first or _is_back(component, candidate, previous)
        case "restore":
            back = _is_back(component, candidate, previous) or not candidate
            return back and split == {ready: 100} and is_ready(found)


def _is_back(component: Json, candidate: str, previous: PreviousStatus) -> bool:
    created, ready = component.get("latestCreatedRevision"), component.get("latestReadyRevision")
    # Of a candidate that was never seen nobody can say whether the latest revision is it.
    return bool(candidate and created == ready and created not in (candidate, previous.newest))
