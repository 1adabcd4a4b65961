"""What an operator tells of an object, as a value: one Event, under a name that a second telling would have again."""

from datetime import timedelta
from typing import Final, Literal

import attrs

__all__ = ("KEPT", "Telling", "counted")

KEPT: Final = timedelta(minutes=50)
"""Servers keep Events for an hour: what is older was told, and telling it again would make a second one."""


@attrs.frozen
class Telling:
    """One Event. `dedupe` names the transition: the same name for the same object is one Event."""

    reason: str
    message: str
    dedupe: str
    type: Literal["Normal", "Warning"] = "Normal"


def counted(number: int, noun: str) -> str:
    """A number of things, in words: `1 file`, `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
