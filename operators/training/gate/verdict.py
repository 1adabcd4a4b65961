"""The gate opens if each required check is there once and has passed; whatever else can be the case keeps it shut (B1).

Pure: the same results give the same verdict. This module does not know what a check does.
"""

import math
from collections.abc import Sequence
from typing import Final

from windlass.operators.training.gate.types import CHECKS_MAX, CheckStatus, GateSpec, GateStatus

__all__ = ("admits", "blocks", "fault_of", "judge")

_NAMES_SHOWN_MAX: Final = 5


def fault_of(gate: GateSpec) -> str | None:
    """Why this gate could never say anything; None if it can."""
    names = [check.name for check in gate.checks]
    if not names:
        return "gate.checks: expected at least one check, found none"
    if len(names) > CHECKS_MAX:
        return f"gate.checks: expected at most {CHECKS_MAX} checks, found {len(names)}"
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        return f"gate.checks: expected each name once, found {twice[0]!r} {names.count(twice[0])} times"
    if not any(check.required for check in gate.checks):
        return "gate.checks: expected at least one required check, found none: nothing would have to pass"
    return None


def judge(gate: GateSpec, results: Sequence[CheckStatus], *, model_sha256: str) -> GateStatus:
    """The verdict on the model, from the results there are. A required check without a result blocks."""
    kept = tuple(results)
    fault = fault_of(gate)
    if fault is not None:
        return GateStatus(model_sha256, passed=False, reason="GateInvalid", message=fault, checks=kept)
    if not model_sha256:
        return GateStatus("", passed=False, reason="GateInvalid", message="the model has no digest", checks=kept)
    bad = []
    for check in gate.checks:
        found = [result for result in kept if result.name == check.name and result.check == check.check]
        if check.required and (len(found) != 1 or blocks(found[0])):
            bad.append((check.name, found[0] if len(found) == 1 else None))
    if not bad:
        required = sum(check.required for check in gate.checks)
        message = f"{required} of {len(gate.checks)} checks were required, and all of them passed"
        return GateStatus(model_sha256, passed=True, reason="Passed", message=message, checks=kept)
    # A measured no is the plainer answer, so it names the verdict even where other checks could not be carried out.
    failed = any(result is not None and result.outcome == "Failed" for _, result in bad)
    message = "; ".join(_because(name, result) for name, result in bad[:_NAMES_SHOWN_MAX])
    if len(bad) > _NAMES_SHOWN_MAX:
        message += f"; and {len(bad) - _NAMES_SHOWN_MAX} more"
    return GateStatus(model_sha256, False, "CheckFailed" if failed else "CheckUnanswered", message, kept)


def admits(status: GateStatus | None, model_sha256: str) -> bool:
    """Whether this verdict lets this model pass: it is there, about this digest, and says so (A14)."""
    return status is not None and bool(model_sha256) and status.model_sha256 == model_sha256 and status.passed is True


def blocks(result: CheckStatus) -> bool:
    """Whether this result, of a required check, keeps the gate shut: no pass, or one whose numbers are none."""
    numbers = (result.statistic, result.threshold)
    return result.outcome != "Passed" or any(one is not None and not math.isfinite(one) for one in numbers)


def _because(name: str, result: CheckStatus | None) -> str:
    if result is None:
        return f"{name}: no result"
    return f"{name}: {result.outcome}, {result.reason}: {result.message}"
