"""A job's phase is a function of its conditions, and every change of phase is a row of this table (A1).

One life of the machine is one piece of work: when the spec asks for another, a new life begins at Pending, whatever
came before, and a final phase is never left within a life (G3). This module does not know what is done in a phase.
"""

from typing import Final

from windlass.statemachine.conditions import Conditions
from windlass.statemachine.derivation import Derivation, has_reason, is_false, is_true
from windlass.statemachine.machine import Machine, Transition

__all__ = (
    "ACCEPTED",
    "CANCELLED",
    "CARDED",
    "DATA_VERIFIED",
    "MACHINE",
    "PROMOTED",
    "PUBLISHED",
    "RECONCILING",
    "STALLED",
    "STEPS",
    "SUCCEEDED",
    "SUSPENDED",
    "TRAINED",
    "VALIDATED",
    "phase_of",
)

# Past participles, because each states what has been observed (C-22). Succeeded is the summary; Reconciling and
# Stalled are what kstatus reads.
ACCEPTED: Final = "Accepted"
DATA_VERIFIED: Final = "DataVerified"
TRAINED: Final = "Trained"
VALIDATED: Final = "Validated"
PUBLISHED: Final = "Published"
SUSPENDED: Final = "Suspended"
CANCELLED: Final = "Cancelled"
CARDED: Final = "Carded"
PROMOTED: Final = "Promoted"  # only of a job that asks for a promotion
STEPS: Final = (ACCEPTED, DATA_VERIFIED, TRAINED, VALIDATED, PUBLISHED, CARDED, PROMOTED)
SUCCEEDED: Final = "Succeeded"
RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"

_ORDER: Final = (
    "Pending",
    "VerifyingData",
    "Queued",
    "Running",
    "Validating",
    "Publishing",
    "Carding",
    "Succeeded",  # Promoting, which comes before it, is not every job's
)

MACHINE: Final = Machine(
    "TrainingJob",
    initial="Pending",
    transitions=(
        Transition("Pending", "accept", "VerifyingData"),
        Transition("VerifyingData", "pin", "Queued"),
        Transition("Queued", "start", "Running"),
        Transition("Running", "resume", "Running"),
        Transition("Running", "finish", "Validating"),
        Transition("Validating", "pass", "Publishing"),
        Transition("Publishing", "publish", "Carding"),
        Transition("Carding", "card", "Succeeded"),
        Transition("Carding", "hand over", "Promoting"),
        Transition("Promoting", "promote", "Succeeded"),
        Transition("waiting for a result", "suspend", "Suspended"),
        Transition("Suspended", "resume", "Queued"),
        Transition("not yet proven", "cancel", "Cancelled"),
        Transition("working", "fail", "Failed"),
    ),
    final=("Succeeded", "Failed", "Cancelled"),
    groups={
        "working": (*_ORDER[:-1], "Promoting", "Suspended"),
        "waiting for a result": ("Queued", "Running"),
        "not yet proven": ("VerifyingData", "waiting for a result", "Suspended", "Validating"),
    },
    order=_ORDER,
)


# The furthest first. Trained's reason `Running` is part of our API (C-27).
_DERIVATION: Final = Derivation[Conditions](
    MACHINE,
    (
        ("Succeeded", is_true(SUCCEEDED)),
        ("Cancelled", is_true(CANCELLED)),
        ("Failed", is_false(SUCCEEDED)),
        ("Promoting", is_true(CARDED)),
        ("Carding", is_true(PUBLISHED)),
        ("Publishing", is_true(VALIDATED)),
        ("Validating", is_true(TRAINED)),
        ("Suspended", is_true(SUSPENDED)),
        ("Running", has_reason(TRAINED, "Running")),
        ("Queued", is_true(DATA_VERIFIED)),
        ("VerifyingData", is_true(ACCEPTED)),
    ),
)


def phase_of(conditions: Conditions) -> str:
    """The phase that the conditions say."""
    return _DERIVATION.state_of(conditions)
