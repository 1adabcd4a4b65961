"""The next thing to do follows from the job and the facts alone: no clock, no I/O, no memory between two calls.

One call answers with one decision, and at most one of them writes the status. Side effects come in the order intent,
effect, outcome: a run is on record before its trainer starts (G1), data is pinned before a run exists (A3), and a job
that has ended decides nothing more until its spec changes (G3). Nothing here knows how any decision is carried out.

`facts` has what a decision is made from and what it can be, `choice` what comes first; then there is a module for each
stretch of the way, and `moves` makes the status after a row of the table.
"""

from windlass.operators.training.decision.choice import decide
from windlass.operators.training.decision.facts import (
    FINALIZER,
    LOOK_AGAIN_AT_THE_GATE_SECONDS,
    LOOK_AGAIN_IN_THE_QUEUE_SECONDS,
    LOOK_AGAIN_SECONDS,
    AddFinalizer,
    ChooseHardware,
    CreatePromotion,
    Decision,
    Discard,
    Enter,
    Evaluate,
    Expire,
    Facts,
    Halt,
    Judge,
    LookAtPromotion,
    Observe,
    Publish,
    Question,
    Release,
    ReleaseFinalizer,
    Retry,
    Start,
    Verify,
    Wait,
    WithdrawPromotion,
    Write,
    WriteCard,
)
from windlass.operators.training.decision.moves import JOURNAL_LENGTH_MAX, current_phase

__all__ = (
    "FINALIZER",
    "JOURNAL_LENGTH_MAX",
    "LOOK_AGAIN_AT_THE_GATE_SECONDS",
    "LOOK_AGAIN_IN_THE_QUEUE_SECONDS",
    "LOOK_AGAIN_SECONDS",
    "AddFinalizer",
    "ChooseHardware",
    "CreatePromotion",
    "Decision",
    "Discard",
    "Enter",
    "Evaluate",
    "Expire",
    "Facts",
    "Halt",
    "Judge",
    "LookAtPromotion",
    "Observe",
    "Publish",
    "Question",
    "Release",
    "ReleaseFinalizer",
    "Retry",
    "Start",
    "Verify",
    "Wait",
    "WithdrawPromotion",
    "Write",
    "WriteCard",
    "current_phase",
    "decide",
)
