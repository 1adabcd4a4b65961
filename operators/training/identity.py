"""Names that a crash cannot change: they are computed from the object's uid and generation, never drawn (G2).

This module does not know what the names are used for.
"""

import hashlib

__all__ = ("operation_id", "run_id")

_LENGTH = 20


def run_id(uid: str, generation: int) -> str:
    """One run for each generation of one object: 20 hexadecimal digits, also the name of the run's folder."""
    return _digest(f"{uid}|run|{generation}")


def operation_id(run: str, step: str, attempt: int) -> str:
    """The id under which one attempt at one step of a run is recorded before it is begun (G1, G2)."""
    return _digest(f"{run}|{step}|{attempt}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]
