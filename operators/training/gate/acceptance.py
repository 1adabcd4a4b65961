"""A gate that could never open is refused before anything is trained, not after.

This module does not know what a check measures; its parameters are the check's own to judge.
"""

from collections.abc import Mapping

from windlass.controller.errors import ExecutorError, ExecutorNotFound
from windlass.operators.errors import CheckError
from windlass.operators.training.executors.contract import Fault
from windlass.operators.training.gate.registry import CheckRegistry
from windlass.operators.training.gate.types import CheckSpec, GateSpec
from windlass.operators.training.gate.verdict import fault_of

__all__ = ("unusable",)


def unusable(gate: GateSpec | None, registry: CheckRegistry, hyperparameters: Mapping[str, float]) -> Fault | None:
    """Why a job with this gate can never be published; None if it may be.

    What a check says to the parameters counts whether it is required or not: a slip of the pen blocks nobody's model,
    and what it was to find would be missed just when it is wanted.
    """
    if gate is None:
        return None
    fault = fault_of(gate)
    if fault is not None:
        return Fault("GateInvalid", f"spec.{fault}")
    for number, spec in enumerate(gate.checks):
        refused = _refused(spec, registry, hyperparameters, place=f"spec.gate.checks[{number}]")
        if refused is not None:
            return refused
    return None


def _refused(
    spec: CheckSpec, registry: CheckRegistry, hyperparameters: Mapping[str, float], *, place: str
) -> Fault | None:
    try:
        check = registry.get(spec.check)
        refuse = getattr(check, "refuse", None)
        if refuse is not None:
            refuse(spec.parameters, hyperparameters)
    except ExecutorError as error:
        reason = "CheckNotFound" if isinstance(error, ExecutorNotFound) else "CheckBroken"
        return Fault(reason, f"{place}.check: {error}") if spec.required else None
    except CheckError as error:
        said = str(error) if str(error).startswith("parameters") else f"parameters: {error}"
        return Fault(error.reason, f"{place}.{said.replace('; parameters.', f'; {place}.parameters.')}")
    except Exception as error:  # of a foreign plugin
        why = f"{place}.check: {spec.check} raised {type(error).__name__}: {error}"
        return Fault("CheckBroken", why) if spec.required else None
    return None
