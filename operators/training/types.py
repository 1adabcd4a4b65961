"""What a user asks for stands in `spec`, what was observed in `status`, and neither ever speaks for the other.

Fields of `status` that are objects are written whole or removed whole, because a merge patch cannot tell an absent
inner field from one to keep. This module does not know what is done with any of it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import attrs

from windlass.informers.typed import CustomResource
from windlass.manifests.kinds import Column, kind
from windlass.manifests.markers import (
    ExclusiveMaximum,
    ExclusiveMinimum,
    IntOrString,
    Maximum,
    MaxLength,
    Minimum,
    MinLength,
    Pattern,
    Rule,
)
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.gate.types import GateSpec, GateStatus
from windlass.operators.training.metadata.recording import Descriptions
from windlass.statemachine.conditions import Condition

__all__ = (
    "API_VERSION",
    "DataReference",
    "JournalEntry",
    "ModelStatus",
    "Output",
    "ProgressStatus",
    "RunStatus",
    "TrainingJob",
    "TrainingJobSpec",
    "TrainingJobStatus",
    "Validation",
    "ValidationStatus",
)

API_VERSION: Final = "ai.windlass.dev/v1alpha1"

_DNS_LABEL: Final = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


@attrs.frozen
class DataReference:
    """A version of a Delta table, by absolute path or URI. `tableId`, if given, must be the table's own."""

    uri: Annotated[str, MinLength(1), MaxLength(2048), Pattern("^(/|[a-zA-Z][a-zA-Z0-9+.-]*://).")]
    version: Annotated[
        IntOrString,
        Rule(
            "type(self) == int ? self >= 0 : self == 'latest'",
            message='expected a version from 0 up, or "latest"',
        ),
    ] = "latest"
    table_id: Annotated[str | None, MaxLength(64)] = None


@attrs.frozen
class Validation:
    """What the model must prove: `minAccuracy` on the share `holdout` of the rows, which training never sees."""

    holdout: Annotated[float, ExclusiveMinimum(0), ExclusiveMaximum(1)] = 0.2
    min_accuracy: Annotated[float, Minimum(0), Maximum(1)] = 0.0


@attrs.frozen
class Output:
    """Where the model goes: its name in the model repository."""

    model: Annotated[str, MinLength(1), MaxLength(63), Pattern(_DNS_LABEL)]


@attrs.frozen
class TrainingJobSpec:
    """What to train, on which data, and what it must prove before it is published. A changed spec is a new run.

    With a `gate`, its required checks have to pass on the trained model, too. `card` is for the model's card.
    """

    data: DataReference
    executor: Annotated[str, MinLength(1), MaxLength(63)]
    output: Output
    hyperparameters: Mapping[str, Any] = attrs.field(factory=dict)
    seed: Annotated[int, Minimum(0), Maximum(2**53)] = 0
    validation: Validation = Validation()
    gate: GateSpec | None = None
    card: Descriptions = attrs.field(factory=Descriptions)


@attrs.frozen
class RunStatus:
    """One run of one generation. `opId` names the attempt on record; `failures` counts attempts that were killed."""

    id: str
    generation: int
    executor: str
    op_id: str
    attempt: int
    failures: int
    started_at: datetime
    resumed_from_step: int = 0
    finished_at: datetime | None = None


@attrs.frozen
class ProgressStatus:
    """Where training stands; loss and accuracy are those of the last epoch on the training rows."""

    epoch: int
    epochs: int
    step: int
    loss: float
    accuracy: float


@attrs.frozen
class ValidationStatus:
    """How the exported model did on the held-out rows."""

    accuracy: float
    rows: int
    passed: bool


@attrs.frozen
class ModelStatus:
    """The published model. `card` is the URI of its card's page."""

    name: str
    version: int
    sha256: str
    uri: str
    card: str = ""


@attrs.frozen
class JournalEntry:
    """One change of phase: who made it, in which run of the reconciler, and on which version of the job."""

    at: datetime
    source: str
    target: str
    cause: str
    generation: int
    trace_id: str = ""
    writer: str = ""
    version_before: str = ""
    digest: str = ""


@attrs.frozen
class TrainingJobStatus:
    """What is known of the job.

    `phase` repeats the conditions in one word; `runs` counts the runs that were begun; `journal` has the last changes
    of phase, the oldest first.
    """

    observed_generation: int = 0
    phase: str = "Pending"
    conditions: tuple[Condition, ...] = ()
    data: DataRecord | None = None
    run: RunStatus | None = None
    progress: ProgressStatus | None = None
    validation: ValidationStatus | None = None
    gate: GateStatus | None = None
    model: ModelStatus | None = None
    runs: int = 0
    journal: tuple[JournalEntry, ...] = ()


@kind(
    API_VERSION,
    short_names=("tj",),
    categories=("windlass",),
    columns=(
        Column("Phase", ".status.phase"),
        Column("Epoch", ".status.progress.epoch", type="integer"),
        Column(
            "Accuracy",
            ".status.progress.accuracy",
            type="number",
            description="of the last epoch, on the training rows",
        ),
        Column("Held-out", ".status.validation.accuracy", type="number", description="on rows that training never saw"),
        Column(
            "Model", ".status.model.version", type="integer", priority=1, description="the version that was published"
        ),
        Column("Age", ".metadata.creationTimestamp", type="date"),
    ),
)
@attrs.frozen
class TrainingJob(CustomResource):
    """A model trained on a pinned version of data, validated on held-out rows, and published if it is good enough."""

    spec: TrainingJobSpec
    status: TrainingJobStatus = TrainingJobStatus()
