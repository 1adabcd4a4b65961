"""A gate that could never open is refused before anything is trained, not after.

This module does not know what a check measures; its parameters are the check's own to judge.
"""

from windlass.controller.errors import ExecutorError, ExecutorNotFound
from windlass.operators.training.executors.contract import Fault
from windlass.operators.training.gate.registry import CheckRegistry
from windlass.operators.training.gate.types import GateSpec
from windlass.operators.training.gate.verdict import fault_of

__all__ = ("unusable",)


def unusable(gate: GateSpec | None, registry: CheckRegistry) -> Fault | None:
    """Why a job with this gate can never be published; None if it may be."""
    if gate is None:
        return None
    fault = fault_of(gate)
    if fault is not None:
        return Fault("GateInvalid", fault)
    for number, spec in enumerate(gate.checks):
        if not spec.required:
            continue
        try:
            registry.get(spec.check)
        except ExecutorError as error:
            reason = "CheckNotFound" if isinstance(error, ExecutorNotFound) else "CheckBroken"
            return Fault(reason, f"gate.checks[{number}].check: {error}")
    return None
