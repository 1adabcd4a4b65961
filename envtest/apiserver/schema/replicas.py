"""Where a kind has the scale subresource, its numbers of replicas are integers from 0 to 2^31 - 1.

So 3.0, which any schema takes for an integer, is refused there. Pure.
"""

from typing import Any

from windlass.envtest.apiserver.errors import Fault
from windlass.envtest.apiserver.kinds import Scale
from windlass.envtest.apiserver.values import Json

__all__ = ("replicas_faults",)

_MAX = 2**31 - 1


def replicas_faults(obj: Json, scale: Scale | None) -> list[Fault]:
    """What is wrong with the numbers of an object; an absent one is right."""
    if scale is None:
        return []
    faults = []
    for path in (scale.spec_replicas, scale.status_replicas):
        value = _at(obj, path)
        if isinstance(value, float):
            faults.append(Fault.invalid(path, value, f"{path} accessor error: {value} is of the type float64"))
        elif isinstance(value, int) and value < 0:
            faults.append(Fault.invalid(path, value, "should be a non-negative integer"))
        elif isinstance(value, int) and value > _MAX:
            faults.append(Fault.invalid(path, value, f"should be less than or equal to {_MAX}"))
    return faults


def _at(obj: Any, path: str) -> Any:
    for name in path.strip(".").split("."):
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj
