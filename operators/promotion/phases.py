"""A promotion's phase is a function of its conditions, and every change of phase is a row of this table.

One object has one life: a final phase is never left (G3). This module does not know what is done in a phase.
"""

from collections.abc import Mapping
from typing import Final

from windlass.statemachine.conditions import Condition, Conditions, Status
from windlass.statemachine.derivation import Derivation, has_reason, is_false, is_true
from windlass.statemachine.machine import Machine, Transition

__all__ = (
    "ACCEPTED",
    "MACHINE",
    "PAUSED",
    "PROMOTED",
    "RECONCILING",
    "ROLLED_BACK",
    "ROLLOUT_INTERRUPTED",
    "STALLED",
    "WEIGHT_REACHED",
    "conditions_in",
    "phase_of",
)

# Promoted is the summary; Reconciling and Stalled are what kstatus reads.
ACCEPTED: Final = "Accepted"
WEIGHT_REACHED: Final = "WeightReached"
PAUSED: Final = "Paused"
ROLLED_BACK: Final = "RolledBack"
ROLLOUT_INTERRUPTED: Final = "RolloutInterrupted"
PROMOTED: Final = "Promoted"
RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"

MACHINE: Final = Machine(
    "Promotion",
    initial="Pending",
    transitions=(
        Transition("Pending", "begin", "Shifting"),
        Transition("Pending", "deploy", "Promoting"),
        Transition("Pending", "settle", "Succeeded"),
        Transition("Pending", "fail", "Failed"),
        Transition("Shifting", "reach", "Holding"),
        Transition("Holding", "waver", "Shifting"),
        Transition("Holding", "pause", "Paused"),
        Transition("Paused", "resume", "Holding"),
        Transition("Holding", "step", "Shifting"),
        Transition("Holding", "promote", "Promoting"),
        Transition("Promoting", "finish", "Succeeded"),
        Transition("rolling out", "roll back", "RollingBack"),
        Transition("RollingBack", "restore", "RolledBack"),
        Transition("begun", "interrupt", "Interrupted"),
    ),
    final=("Succeeded", "RolledBack", "Interrupted", "Failed"),
    groups={
        "rolling out": ("Shifting", "Holding", "Paused", "Promoting"),
        "begun": ("rolling out", "RollingBack"),
    },
)

# The furthest first. The reasons named here are part of our API (C-27).
_DERIVATION: Final = Derivation[Conditions](
    MACHINE,
    (
        ("Succeeded", is_true(PROMOTED)),
        ("Interrupted", is_true(ROLLOUT_INTERRUPTED)),
        ("RolledBack", is_true(ROLLED_BACK)),
        ("Failed", is_false(PROMOTED)),
        ("RollingBack", has_reason(ROLLED_BACK, "RollingBack")),
        ("Promoting", has_reason(WEIGHT_REACHED, "Promoting")),
        ("Paused", is_true(PAUSED)),
        ("Holding", is_true(WEIGHT_REACHED)),
        ("Shifting", is_true(ACCEPTED)),
    ),
)

_SAID: Final[Mapping[str, Mapping[str, Status]]] = {
    "Shifting": {ACCEPTED: "True", WEIGHT_REACHED: "False", PAUSED: "False"},
    "Holding": {WEIGHT_REACHED: "True", PAUSED: "False"},
    "Paused": {PAUSED: "True"},
    "Promoting": {ACCEPTED: "True", WEIGHT_REACHED: "Unknown", PAUSED: "False"},
    "Succeeded": {ACCEPTED: "True", WEIGHT_REACHED: "True"},
    "RollingBack": {ROLLED_BACK: "Unknown", PAUSED: "False"},
    "RolledBack": {ROLLED_BACK: "True", WEIGHT_REACHED: "False"},
    "Interrupted": {ROLLOUT_INTERRUPTED: "True", PAUSED: "False"},
    "Failed": {ACCEPTED: "False"},
}
_ENDS: Final[Mapping[str, Status]] = {
    "Succeeded": "True",
    "RolledBack": "False",
    "Interrupted": "False",
    "Failed": "False",
}


def phase_of(conditions: Conditions) -> str:
    """The phase that the conditions say."""
    return _DERIVATION.state_of(conditions)


def conditions_in(phase: str, before: Conditions, reason: str, message: str) -> tuple[Condition, ...]:
    """What the conditions say when `phase` is entered, each type from the first time on, if only as Unknown (C-21).

    `reason` and `message` are why it was entered. Conditions that the phase says nothing about are not in it.
    """
    unsaid = (ACCEPTED, WEIGHT_REACHED, PAUSED, ROLLED_BACK, ROLLOUT_INTERRUPTED)
    found = {kind: Condition(kind, "Unknown", "Waiting") for kind in unsaid if before.get(kind) is None}
    for kind, status in _SAID[phase].items():
        said = phase if phase in ("Promoting", "RollingBack") else reason
        found[kind] = Condition(kind, status, said, message)
    end = _ENDS.get(phase, "Unknown")
    stalled = end == "False"
    found[PROMOTED] = Condition(PROMOTED, end, phase if end != "False" else reason, message if end != "Unknown" else "")
    found[RECONCILING] = Condition(RECONCILING, "True" if end == "Unknown" else "False", phase)
    found[STALLED] = Condition(STALLED, "True" if stalled else "False", reason if stalled else phase, message * stalled)
    return tuple(found.values())
