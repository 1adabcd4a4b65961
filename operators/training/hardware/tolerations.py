"""A taint keeps a Pod away unless one of its tolerations is for it, as the scheduler reads them.

This module does not know nodes or Pods.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

__all__ = ("Taint", "Toleration", "tolerates", "toleration_of")


@attrs.frozen
class Taint:
    """Keeps off whoever does not tolerate it."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"


@attrs.frozen
class Toleration:
    """A taint that a Pod puts up with. Without `key` it is for every taint, without `effect` for every effect."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""

    def body(self) -> dict[str, str]:
        """As a Pod has it."""
        return {name: value for name, value in attrs.asdict(self).items() if value}


def toleration_of(body: Mapping[str, Any]) -> Toleration:
    """What a Pod says."""
    said = {name: str(body[name]) for name in ("key", "operator", "value", "effect") if body.get(name)}
    return Toleration(**said)


def tolerates(tolerations: Iterable[Toleration], taint: Taint) -> bool:
    """Whether one of the tolerations is for the taint."""
    return any(
        one.effect in ("", taint.effect)
        and (
            (one.operator == "Exists" and one.key in ("", taint.key))
            or (one.operator == "Equal" and (one.key, one.value) == (taint.key, taint.value))
        )
        for one in tolerations
    )
