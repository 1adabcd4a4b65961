"""What a user asks for stands in `spec`, what was observed in `status`, and neither ever speaks for the other.

Fields of `status` that are objects are written whole or removed whole, because a merge patch cannot tell an absent
inner field from one to keep. This module does not know what is done with any of it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

import attrs

from windlass.informers.typed import CustomResource
from windlass.manifests.kinds import Column, kind
from windlass.manifests.markers import (
    ExclusiveMaximum,
    ExclusiveMinimum,
    IntOrString,
    Maximum,
    MaxItems,
    MaxLength,
    Minimum,
    MinLength,
    Pattern,
    Rule,
    marked,
)
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.gate.types import GateSpec, GateStatus
from windlass.operators.training.handoff.types import PromotionRecord, PromotionTemplate
from windlass.operators.training.hardware.types import HardwareSpec, HardwareStatus
from windlass.operators.training.metadata.recording import Descriptions
from windlass.statemachine.conditions import Condition

__all__ = (
    "API_VERSION",
    "ATTEMPTS_LENGTH_MAX",
    "AttemptStatus",
    "ChildReference",
    "DataReference",
    "JournalEntry",
    "ModelStatus",
    "Output",
    "ProgressStatus",
    "Retries",
    "RunStatus",
    "TrainingJob",
    "TrainingJobSpec",
    "TrainingJobStatus",
    "Validation",
    "ValidationStatus",
    "Workload",
)

API_VERSION: Final = "ai.windlass.dev/v1alpha1"

ATTEMPTS_LENGTH_MAX: Final = 16  # in about 5 kB
_DNS_LABEL: Final = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


@attrs.frozen
class DataReference:
    """A version of a Delta table, by absolute path or URI. `tableId`, if given, must be the table's own.

    A local file whose name ends in `.jsonl` is a table of texts with the one version 0.
    """

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
    """What the model must prove: `minAccuracy` on the share `holdout` of the rows, which training never sees.

    A language model's accuracy is that of its tokens. `maxLoss` bounds their mean cross-entropy in nats, whose
    exponential is the perplexity, and `minExactMatch` is the share of completions that it must write whole.
    """

    holdout: Annotated[float, ExclusiveMinimum(0), ExclusiveMaximum(1)] = 0.2
    min_accuracy: Annotated[float, Minimum(0), Maximum(1)] = 0.0
    max_loss: Annotated[float | None, Minimum(0)] = None
    min_exact_match: Annotated[float | None, Minimum(0), Maximum(1)] = None


@attrs.frozen
class Output:
    """Where the model goes: its name in the model repository."""

    model: Annotated[str, MinLength(1), MaxLength(63), Pattern(_DNS_LABEL)]


_Pause = Rule("duration(self) >= duration('0s')", message="expected a duration from 0s up")


@attrs.frozen
class Retries:
    """How often a training that was lost is tried again, and after which pause (A9).

    The first pause is `base`, each further one twice as long, none longer than `maximum`; each is shortened by up to
    the share `jitter`, as run and attempt decide. A trainer that went down with its controller goes on at once and is
    not counted.

    Exit codes from 1 to 127 are for good, but for 75 and `retryableExitCodes`; from 128 on, and after a signal, another
    try may help. What was taken away (evicted, preempted, deleted, with its node) is counted only with
    `countDisruptions`, and tried again no sooner than `base` after it was begun.
    """

    limit: Annotated[int, Minimum(0), Maximum(1000)] = 3
    base: Annotated[timedelta, _Pause] = timedelta(seconds=10)
    maximum: Annotated[timedelta, _Pause] = timedelta(minutes=6)
    jitter: Annotated[float, Minimum(0), Maximum(1)] = 0.2
    retryable_exit_codes: Annotated[tuple[Annotated[int, Minimum(1), Maximum(255)], ...], MaxItems(64)] = ()
    count_disruptions: bool = False


@attrs.frozen
class Workload:
    """The program that trains, for executors that run one of yours.

    Fields are those of a container and a Pod of Kubernetes, and mean the same. `nodes` is how many Pods train together.
    """

    image: Annotated[str, MaxLength(512)] = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[Mapping[str, Any], ...] = ()
    env_from: tuple[Mapping[str, Any], ...] = ()
    resources: Mapping[str, Any] = attrs.field(factory=dict)
    volumes: tuple[Mapping[str, Any], ...] = ()
    volume_mounts: tuple[Mapping[str, Any], ...] = ()
    service_account_name: Annotated[str, MaxLength(253)] = ""
    image_pull_secrets: tuple[Mapping[str, Any], ...] = ()
    node_selector: Mapping[str, str] = attrs.field(factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    labels: Mapping[str, str] = attrs.field(factory=dict)
    annotations: Mapping[str, str] = attrs.field(factory=dict)
    nodes: Annotated[int, Minimum(1), Maximum(10_000)] = 1


@marked(Rule("!has(self.promotion) || has(self.gate)", message="promotion: expected a gate, too"))
@attrs.frozen
class TrainingJobSpec:
    """What to train, on which data, and what it must prove before it is published. Changed work is a new run.

    `workload` is the program, for executors that run one of yours, and `executorConfig` what else the executor wants
    to know. With a `gate`, its required checks have to pass on the trained model, too. `card` is for the model's card.
    With a `promotion`, the published model takes over traffic, and the job ends when it has, or when that was taken
    back. `retryGeneration`, raised, begins a finished job anew. The other fields steer, and begin nothing anew:
    `suspend` ends the trainer until it is taken back, when training goes on from its newest checkpoint; `cancel` ends
    the job.
    In its `queue` the job waits for a place behind those of greater `priority` and behind older ones of the same.
    Training that takes longer than `activeDeadlineSeconds`, counted anew each time it goes on, fails the job; and
    `ttlSecondsAfterFinished` after its end the job is deleted, of which its model, its card and its records stay.
    `hardware` chooses the nodes, for executors whose work is done by Pods.
    """

    data: DataReference
    executor: Annotated[str, MinLength(1), MaxLength(63)]
    output: Output
    hyperparameters: Mapping[str, Any] = attrs.field(factory=dict)
    workload: Workload | None = None
    executor_config: Mapping[str, Any] = attrs.field(factory=dict)
    hardware: HardwareSpec | None = None
    seed: Annotated[int, Minimum(0), Maximum(2**53)] = 0
    validation: Validation = Validation()
    gate: GateSpec | None = None
    card: Descriptions = attrs.field(factory=Descriptions)
    promotion: PromotionTemplate | None = None
    retry_generation: Annotated[int, Minimum(0)] = 0
    suspend: bool = False
    cancel: bool = False
    retries: Retries = Retries()
    queue: Annotated[str, MinLength(1), MaxLength(63), Pattern(_DNS_LABEL)] = "default"
    priority: Annotated[int, Minimum(-1_000_000_000), Maximum(1_000_000_000)] = 0
    active_deadline_seconds: Annotated[int | None, Minimum(1)] = None
    ttl_seconds_after_finished: Annotated[int | None, Minimum(0)] = None


@attrs.frozen
class ChildReference:
    """An object in the job's namespace that does the work of one attempt."""

    api_version: str
    kind: str
    name: str
    uid: str


@attrs.frozen
class RunStatus:
    """The run of a life. `opId` names the attempt on record; `failures` counts the attempts that were lost.

    `generation` is the one with which the life began; `activeSince` when training began or last went on, and
    `queue` the one that gave it its place; one of Kueue is `kueue.x-k8s.io/` and the name of the LocalQueue.
    `waiting` is what keeps the attempt from work, if anything does. While it is `held`, which is suspended by somebody
    else, no time passes for its deadline.
    """

    id: str
    generation: int
    executor: str
    op_id: str
    attempt: int
    failures: int
    started_at: datetime
    resumed_from_step: int = 0
    active_since: datetime | None = None
    queue: str = ""
    finished_at: datetime | None = None
    waiting: str = ""
    held: bool = False


@attrs.frozen
class AttemptStatus:
    """One attempt at the run. It may run from `startedAt` on, resumes from a step that never changes, and ends once.

    `exitCode` is that of its trainer, if one was seen, and `counted` whether its end counts against the limit. A
    `suspended` one goes on if it can, else another does.
    `child` is the object in the cluster that does the work, where one does.
    """

    number: int
    op_id: str
    started_at: datetime
    resumed_from_step: int = 0
    suspended: bool = False
    finished_at: datetime | None = None
    outcome: Literal["", "Succeeded", "Failed", "Lost", "Suspended", "Cancelled"] = ""
    message: str = ""
    exit_code: int | None = None
    counted: bool = False
    child: ChildReference | None = None


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
    """How the exported model did on the held-out rows; the last two are a language model's."""

    accuracy: float
    rows: int
    passed: bool
    loss: float | None = None
    exact_match: float | None = None


@attrs.frozen
class ModelStatus:
    """The published model. `card` is the URI of its card's page, empty before there is one."""

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

    `phase` repeats the conditions in one word; `runs` counts the runs that were begun; `attempts` are the last ones at
    the present run, and `journal` has the last changes of phase, the oldest first. `lifeGeneration` is the generation
    with which this life began, `workDigest` is of the work that it is about, `retryGeneration` the one that was last
    seen in the spec, and `finishedAt` when the life came to its end. `operator` is the field manager of the operator
    that works the job; others leave it alone.
    """

    observed_generation: int = 0
    life_generation: int = 0
    work_digest: str = ""
    retry_generation: int = 0
    operator: str = ""
    phase: str = "Pending"
    conditions: tuple[Condition, ...] = ()
    data: DataRecord | None = None
    run: RunStatus | None = None
    attempts: Annotated[tuple[AttemptStatus, ...], MaxItems(ATTEMPTS_LENGTH_MAX)] = ()
    hardware: HardwareStatus | None = None
    progress: ProgressStatus | None = None
    validation: ValidationStatus | None = None
    gate: GateStatus | None = None
    model: ModelStatus | None = None
    promotion: PromotionRecord | None = None
    runs: int = 0
    finished_at: datetime | None = None
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
        Column("Queue", ".spec.queue", priority=1),
        Column("Age", ".metadata.creationTimestamp", type="date"),
    ),
)
@attrs.frozen
class TrainingJob(CustomResource):
    """A model trained on a pinned version of data, validated on held-out rows, and published if it is good enough."""

    spec: TrainingJobSpec
    status: TrainingJobStatus = TrainingJobStatus()
