"""A quantity is the amount that its text says: ``0.5`` and ``500m`` are equal, and both stay as they were written.

The grammar is that of Kubernetes' ``resource.Quantity``: a decimal number with a binary suffix (Ki to Ei), a decimal
one (n, u, m, k, M, G, T, P, E) or an exponent.

This module does not know schemas or fields.
"""

import re
from decimal import Decimal
from typing import Any, Final

import attrs

from windlass.informers.converter import register_scalar
from windlass.manifests.patterns import as_in_go

__all__ = ("QUANTITY_PATTERN", "Quantity")

QUANTITY_PATTERN: Final = r"^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?$"
_PARTS: Final = re.compile(r"([-+]?[0-9.]+)(.*)")
_SUFFIXES: Final = {
    "": Decimal(1),
    **{letter: Decimal(10) ** (3 * power) for power, letter in enumerate("num", -3)},
    **{letter: Decimal(10) ** (3 * power) for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}


def _checked(text: object) -> str:
    if not isinstance(text, str) or not as_in_go(QUANTITY_PATTERN).search(text):
        raise ValueError(f"expected a quantity such as 500m, 1.5 or 2Gi, found {text!r}")
    return text


@attrs.frozen(eq=False)
class Quantity:
    """An amount of something, as in resource requests: ``Quantity("500m")``. Raises ValueError for anything else.

    Quantities are compared, ordered and hashed by what they amount to.
    """

    text: str = attrs.field(converter=_checked)

    @property
    def value(self) -> Decimal:
        """The amount, in units: Decimal("0.5") for ``500m``."""
        found = _PARTS.fullmatch(self.text)
        if found is None:
            raise ValueError(self.text)  # not reached: the text was checked when this was made
        number, suffix = found.groups()
        factor = _SUFFIXES.get(suffix)
        return Decimal(number) * factor if factor is not None else Decimal(f"{number}{suffix}")

    def __eq__(self, other: object) -> bool:
        return self.value == other.value if isinstance(other, Quantity) else NotImplemented

    def __lt__(self, other: "Quantity") -> bool:
        return self.value < other.value

    def __le__(self, other: "Quantity") -> bool:
        return self.value <= other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __str__(self) -> str:
        return self.text


def _read(value: Any) -> Quantity:
    if isinstance(value, int) and not isinstance(value, bool):
        return Quantity(str(value))
    if isinstance(value, float) and value.is_integer():
        return Quantity(str(int(value)))
    return Quantity(value)


register_scalar(Quantity, read=_read, write=str, noun="a quantity such as 500m, 1.5 or 2Gi")
