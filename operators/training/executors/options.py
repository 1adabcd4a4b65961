"""What stands in `executorConfig` and `workload` is judged field by field before anything is begun, all faults at once.

Pure. This module does not know what the options are for.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from windlass.operators.training.types import Workload

__all__ = ("Option", "option_faults", "option_values", "workload_faults")

_NAME: Final = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"


@attrs.frozen
class Option:
    """One option: a text, of a pattern or among `choices` if there are any; or with `minimum` an integer from it up."""

    name: str
    default: str | int | None = None
    pattern: str = _NAME
    choices: tuple[str, ...] = ()
    minimum: int | None = None

    def describe(self) -> str:
        """What is expected, in words."""
        if self.minimum is not None:
            return f"an integer from {self.minimum} up"
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return "a name of Kubernetes" if self.pattern == _NAME else f"a text that matches {self.pattern}"

    def accepts(self, found: object) -> bool:
        """Whether a value is as it should be."""
        if self.minimum is not None:
            return isinstance(found, int) and not isinstance(found, bool) and found >= self.minimum
        if not isinstance(found, str):
            return False
        return found in self.choices if self.choices else re.fullmatch(self.pattern, found) is not None


def option_faults(options: Sequence[Option], given: Mapping[str, object]) -> list[str]:
    """What is wrong with `executorConfig`, a sentence for each field."""
    known = {option.name: option for option in options}
    names = ", ".join(known)
    faults = [f"executorConfig.{name}: unknown; this executor knows {names}" for name in given if name not in known]
    for name, option in known.items():
        if name in given and not option.accepts(given[name]):
            faults.append(f"executorConfig.{name}: expected {option.describe()}, found {given[name]!r}")
    return faults


def option_values(options: Sequence[Option], given: Mapping[str, object]) -> dict[str, Any]:
    """Every option with its value or default; those without either are left out."""
    values = {option.name: given.get(option.name, option.default) for option in options}
    return {name: value for name, value in values.items() if value is not None}


def workload_faults(
    workload: Workload | None, *, needed: Sequence[str] = (), reserved: Sequence[str] = ()
) -> list[str]:
    """What is wrong with `workload`: fields `needed` and not there, variables without a name or of a reserved one."""
    found = workload or Workload()
    wanted = {"image": "the image of a container", "command": "the command of the trainer"}
    faults = [f"workload.{name}: expected {wanted[name]}, found none" for name in needed if not getattr(found, name)]
    for number, one in enumerate(found.env):
        name = one.get("name")
        if not isinstance(name, str) or not name:
            faults.append(f"workload.env[{number}].name: expected the name of a variable, found {name!r}")
        elif name in reserved:
            faults.append(f"workload.env[{number}].name: {name} is set by the controller of the job")
    return faults
