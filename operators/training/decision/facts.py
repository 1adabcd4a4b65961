"""What a decision is made from, and what it can be: frozen values, no more.

None is "not looked yet": a decision that needs a fact asks for it, and is made again once it is there.
"""

from datetime import datetime
from typing import Final

import attrs

from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.executors.contract import Fault, Observation
from windlass.operators.training.gate.judging import Deliberating
from windlass.operators.training.gate.types import GateStatus
from windlass.operators.training.handoff.child import Sighting
from windlass.operators.training.hardware.answer import Placement, Unplaceable
from windlass.operators.training.publish import Published
from windlass.operators.training.queues.places import Place
from windlass.operators.training.types import TrainingJobStatus
from windlass.operators.training.validation import Evaluation

__all__ = (
    "FINALIZER",
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
)

FINALIZER: Final = "ai.windlass.dev/training-run"
LOOK_AGAIN_SECONDS: Final = 5.0  # a trainer's end wakes the job at once; this is for a wake-up that was lost
LOOK_AGAIN_IN_THE_QUEUE_SECONDS: Final = 30.0  # a place given back wakes it; this keeps the position fresh
LOOK_AGAIN_AT_THE_GATE_SECONDS: Final = 30.0  # so does a verdict; looking again costs an evaluation


@attrs.frozen(kw_only=True)
class Facts:
    """What was seen so far in this run of the reconciler; None is "not looked yet".

    `operator` is the field manager of who decides. `refusal` is what the spec alone says against it; `traces` are the
    runs that a job whose status knows of nothing has left folders of; `discarded` are the runs whose traces are known
    to be gone, and `withdrawn` is whether the promotion of an older run is known to be over. `halted` and `released`
    say that the attempt on record was told to stop, or to go on again. `card` is the URI of the card. `writer` and
    `trace_id` are who decides and in which run, for the journal alone.
    """

    now: datetime
    operator: str = ""
    writer: str = ""
    trace_id: str = ""
    refusal: Fault | None = None
    traces: tuple[str, ...] = ()
    discarded: frozenset[str] = frozenset()
    halted: bool = False
    released: bool = False
    data: DataRecord | Fault | None = None
    place: Place | None = None
    observation: Observation | None = None
    placement: Placement | Unplaceable | Fault | None = None
    evaluation: Evaluation | Fault | None = None
    gate: GateStatus | Deliberating | Fault | None = None
    published: Published | Fault | None = None
    card: str | Fault | None = None
    promotion: Sighting | None = None
    withdrawn: bool = False


@attrs.frozen
class AddFinalizer:
    """Make sure that a deletion waits for us."""


@attrs.frozen
class ReleaseFinalizer:
    """Nothing of the job is left on this machine but what it published."""


@attrs.frozen
class Expire:
    """Delete the job, which ended long enough ago."""


@attrs.frozen
class Discard:
    """End these runs and remove what they left, then decide again."""

    runs: tuple[str, ...]


@attrs.frozen
class Halt:
    """End the work of the attempt on record and keep what is done, then decide again. `for_good`: it never goes on."""

    for_good: bool = False


@attrs.frozen
class Release:
    """Let the attempt that was halted go on, if it can; then decide again."""


@attrs.frozen
class Verify:
    """Resolve and verify the data version, then decide again. `expected_table_id` is None when any table will do."""

    expected_table_id: str | None


@attrs.frozen
class Enter:
    """Ask for a place in the job's queue, then decide again."""


@attrs.frozen
class Observe:
    """Ask the executor about the attempt on record, then decide again."""


@attrs.frozen
class ChooseHardware:
    """Find out where the attempt's Pods may run, then decide again."""


@attrs.frozen
class Start:
    """Start the attempt on record."""


@attrs.frozen
class Evaluate:
    """Run the exported model on the held-out rows, then decide again."""


@attrs.frozen
class Judge:
    """Ask for the gate's verdict on the exported model, then decide again."""


@attrs.frozen
class Publish:
    """Put the model into the repository, then decide again."""


@attrs.frozen
class WriteCard:
    """Record the run and write the card of its model, then decide again."""


@attrs.frozen
class LookAtPromotion:
    """Look at the Promotion on record, then decide again."""


@attrs.frozen
class CreatePromotion:
    """Create the Promotion on record, then decide again."""


@attrs.frozen
class WithdrawPromotion:
    """Have the Promotion on record taken back if it goes on, then decide again."""


@attrs.frozen
class Write:
    """Make this the status, and decide again once it has come back."""

    status: TrainingJobStatus


@attrs.frozen
class Retry:
    """Something outside is not as it should be and may recover: try again after a growing pause."""

    why: str


@attrs.frozen
class Wait:
    """Nothing to do until something wakes the job, or at the latest after `seconds`."""

    seconds: float | None = None


# What is learnt, or done and safe to do again, before the next decision of the same run of the key.
Question = (
    Discard
    | Enter
    | Halt
    | Release
    | Verify
    | Observe
    | ChooseHardware
    | Evaluate
    | Judge
    | Publish
    | WriteCard
    | LookAtPromotion
    | CreatePromotion
    | WithdrawPromotion
)
Decision = AddFinalizer | ReleaseFinalizer | Expire | Start | Write | Retry | Wait | Question
