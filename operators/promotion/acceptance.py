"""A promotion begins only with a gate passed for this very model, and a target where nothing else is under way.

Until it has begun nothing was written to the target, so whatever fails here fails without a trace.
"""

from itertools import pairwise

from windlass.operators.promotion.facts import Decision, Facts, Look
from windlass.operators.promotion.moves import intend, move, next_second, note, plan_digest
from windlass.operators.promotion.targets.contract import Fault, Sight, release_of
from windlass.operators.promotion.types import Promotion, PromotionSpec, TargetStatus

__all__ = ("accept", "fault_in")


def accept(promotion: Promotion, facts: Facts) -> Decision:
    """What to do with a promotion that has not begun."""
    spec = promotion.spec
    if promotion.metadata.deletion_timestamp is not None or spec.mode == "Aborted":
        return move(promotion, facts, "fail", ("Aborted", "aborted before anything was written to the target"))
    fault = fault_in(promotion.spec, gate_required=facts.gate_required)
    if fault is not None:
        return move(promotion, facts, "fail", (fault.reason, fault.message))
    if spec.mode == "Paused":
        return note(promotion, facts, ("Paused", "paused before it began"))
    sight = facts.sight
    if sight is None:
        return Look()
    hindrance = sight if isinstance(sight, Fault) else _hindrance(sight)
    if hindrance is not None:
        return _later(promotion, facts, hindrance)
    assert isinstance(sight, Sight)  # a fault is a hindrance
    return _settle(promotion, facts, sight) if sight.serves else _begin(promotion, facts, sight)


def _hindrance(sight: Sight) -> Fault | None:
    if sight.refusal is not None:
        return sight.refusal
    return Fault("TargetBusy", sight.unsettled, retryable=True) if sight.unsettled else None


def _settle(promotion: Promotion, facts: Facts, sight: Sight) -> Decision:
    target = TargetStatus(sight.uid, sight.mode)
    why = ("ServedAlready", f"{sight.previous.revision} serves the release already")
    return move(promotion, facts, "settle", why, target=target, previous=sight.previous, weight=100)


def _begin(promotion: Promotion, facts: Facts, sight: Sight) -> Decision:
    known = {
        "plan_digest": plan_digest(promotion),
        "target": TargetStatus(sight.uid, sight.mode),
        "previous": sight.previous,
    }
    if sight.previous.first:
        why = ("FirstDeployment", "no revision was ever rolled out: the release goes to 100 % without a canary")
        operations = intend(promotion, facts, name="deploy", weight=100)
        return move(promotion, facts, "deploy", why, weight=100, operations=operations, **known)
    weight = promotion.spec.steps[0].weight
    why = ("Begun", f"from {sight.previous.revision}, in {sight.mode} mode")
    operations = intend(promotion, facts, name="introduce", weight=weight)
    return move(promotion, facts, "begin", why, weight=weight, operations=operations, **known)


def _later(promotion: Promotion, facts: Facts, fault: Fault) -> Decision:
    """Fail at once if waiting cannot help, and else when the deadline is over; it is counted from the first look."""
    if not fault.retryable:
        return move(promotion, facts, "fail", (fault.reason, fault.message))
    since = promotion.status.since or next_second(facts.now)
    if facts.now - since > promotion.spec.guards.progress_deadline:
        return move(promotion, facts, "fail", (fault.reason, f"the deadline has passed: {fault.message}"))
    return note(promotion, facts, (fault.reason, fault.message), since=since)


def fault_in(spec: PromotionSpec, *, gate_required: bool) -> Fault | None:
    """What the spec alone says against it. The schema says some of it, too, but not every server evaluates rules."""
    weights = [step.weight for step in spec.steps]
    names = [check.name for check in spec.guards.metrics]
    found = ""
    if (spec.target.inference_service is None) == (spec.target.endpoint is None):
        found = "target: expected one of inferenceService and endpoint"
    elif not release_of(spec.release)[0]:
        found = "release: expected one of image, runtimeVersion, storageUri and model"
    elif not weights or any(after <= before for before, after in pairwise(weights)):
        found = f"steps: expected weights that rise, found {weights}"
    elif len(set(names)) != len(names):
        found = f"guards.metrics: expected names that differ, found {names}"
    return Fault("InvalidSpec", found) if found else _gate_fault(spec, gate_required=gate_required)


def _gate_fault(spec: PromotionSpec, *, gate_required: bool) -> Fault | None:
    gate, release = spec.gate, spec.release
    if gate is None:
        message = "gate: expected the verdict of a validation gate, found none"
        return Fault("GateMissing", message) if gate_required else None
    if gate.verdict != "Passed":
        return Fault("GateNotPassed", f"gate.verdict: expected Passed, found {gate.verdict}")
    if gate.model_sha256 != release.model_sha256:
        message = f"the gate judged {gate.model_sha256}, the release is {release.model_sha256}"
        return Fault("GateOfAnotherModel", message)
    return None
