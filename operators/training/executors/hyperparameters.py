"""Hyperparameters are taken exactly as declared: a fault names the field, what was found and what was expected.

This module does not know what the values are used for.
"""

import math
from collections.abc import Mapping, Sequence

import attrs

from windlass.operators.errors import HyperparametersInvalid

__all__ = ("Parameter", "read_hyperparameters")


@attrs.frozen
class Parameter:
    """One hyperparameter: an integer or a number, its default, and bounds, inside the range unless open."""

    name: str
    default: int | float
    minimum: float
    maximum: float
    open_minimum: bool = False
    open_maximum: bool = False

    @property
    def integer(self) -> bool:
        """Whether only whole numbers are allowed."""
        return isinstance(self.default, int)

    def describe(self) -> str:
        """What is expected, in words."""
        kind = "an integer" if self.integer else "a number"
        low, high = ("above" if self.open_minimum else "from"), ("below" if self.open_maximum else "to")
        return f"{kind} {low} {_plain(self.minimum)} {high} {_plain(self.maximum)}"

    def fault(self, found: object) -> str | None:
        """What is wrong with a value; None if nothing is."""
        if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
            return f"hyperparameters.{self.name}: expected {self.describe()}, found {found!r}"
        too_low = found <= self.minimum if self.open_minimum else found < self.minimum
        too_high = found >= self.maximum if self.open_maximum else found > self.maximum
        # 10.0 is how some YAML writers spell an integer, and it loses nothing.
        if too_low or too_high or (self.integer and found != int(found)):
            return f"hyperparameters.{self.name}: expected {self.describe()}, found {found!r}"
        return None


def _plain(bound: float) -> str:
    """As people write it: 1000000 and not 1e+06."""
    return str(int(bound)) if bound == int(bound) else f"{bound:g}"


def read_hyperparameters(
    parameters: Sequence[Parameter], given: Mapping[str, object], *, beside: Sequence[str] = ()
) -> dict[str, int | float]:
    """Every declared parameter with its value or default; those `beside` them are read by somebody else.

    Raises HyperparametersInvalid with all faults at once.
    """
    known = {parameter.name: parameter for parameter in parameters}
    faults = [
        f"hyperparameters.{name}: unknown; this executor knows {', '.join((*beside, *known))}"
        for name in given
        if name not in known and name not in beside
    ]
    values: dict[str, int | float] = {}
    for name, parameter in known.items():
        found = given.get(name, parameter.default)
        fault = parameter.fault(found)
        if fault is not None:
            faults.append(fault)
        elif isinstance(found, int | float):
            values[name] = int(found) if parameter.integer else float(found)
    if faults:
        raise HyperparametersInvalid(tuple(faults))
    return values
