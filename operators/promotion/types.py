"""One object is one promotion: its target, release and steps never change; what may is how it is guarded and steered.

Fields of `status` that are objects are written whole or removed whole, because a merge patch cannot tell an absent
inner field from one to keep. This module does not know what is done with any of it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

import attrs

from windlass.informers.typed import CustomResource
from windlass.manifests.alternatives import AtLeastOneOf, ExactlyOneOf
from windlass.manifests.kinds import Column, kind
from windlass.manifests.markers import (
    Maximum,
    MaxItems,
    MaxLength,
    MaxProperties,
    Minimum,
    MinItems,
    MinLength,
    Pattern,
    Rule,
    marked,
)
from windlass.statemachine.conditions import Condition

__all__ = (
    "API_VERSION",
    "Baseline",
    "CandidateStatus",
    "CauseStatus",
    "CheckStatus",
    "EndpointTarget",
    "GateEvidence",
    "Guards",
    "InferenceServiceTarget",
    "JournalEntry",
    "MetricCheck",
    "ModelVersion",
    "OperationStatus",
    "PreviousStatus",
    "Promotion",
    "PromotionSpec",
    "PromotionStatus",
    "Release",
    "Series",
    "Step",
    "Target",
    "TargetStatus",
)

API_VERSION: Final = "ai.windlass.dev/v1alpha1"

_Name = Annotated[str, MinLength(1), MaxLength(63), Pattern("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
_Url = Annotated[str, MinLength(1), MaxLength(2048), Pattern("^https?://.")]
_Sha256 = Annotated[str, Pattern("^[0-9a-f]{64}$")]
_Text = Annotated[str, MinLength(1), MaxLength(2048)]
_MetricName = Annotated[str, MinLength(1), MaxLength(256), Pattern("^[a-zA-Z_:][a-zA-Z0-9_:]*$")]


@attrs.frozen
class InferenceServiceTarget:
    """KServe's InferenceService of this name, in the namespace of the promotion."""

    name: _Name


@attrs.frozen
class EndpointTarget:
    """A route of Windlass's own endpoint at `url`. The operator's owner decides which URLs may be named."""

    url: _Url
    route: Annotated[str, MinLength(1), MaxLength(128)]


@marked(ExactlyOneOf("inferenceService", "endpoint"))
@attrs.frozen
class Target:
    """What serves the model."""

    inference_service: InferenceServiceTarget | None = None
    endpoint: EndpointTarget | None = None


@attrs.frozen
class ModelVersion:
    """A model in the repository of an endpoint, and which version of it."""

    name: Annotated[str, MinLength(1), MaxLength(128)]
    version: Annotated[str, MinLength(1), MaxLength(63)]


@marked(ExactlyOneOf("image", "runtimeVersion", "storageUri", "model"))
@attrs.frozen
class Release:
    """What is promoted: to an InferenceService an image, a runtime's version or where the model lies, else a model.

    `modelSha256` says which model that is, and the gate's verdict must be about it (A14).
    """

    model_sha256: _Sha256
    image: _Text | None = None
    runtime_version: Annotated[str | None, MinLength(1), MaxLength(128)] = None
    storage_uri: _Text | None = None
    model: ModelVersion | None = None


@attrs.frozen
class GateEvidence:
    """The verdict of a validation gate: about which model, and the digest of the evidence that it left."""

    verdict: Literal["Passed", "Failed", "Error", "Skipped"]
    model_sha256: _Sha256
    evidence_sha256: _Sha256


@attrs.frozen
class Step:
    """The candidate gets `weight` percent until that was observed for `duration` without a break (A16)."""

    weight: Annotated[int, Minimum(0), Maximum(99)]
    duration: timedelta = timedelta(minutes=5)


@attrs.frozen
class Series:
    """The series of a metric that have these labels, summed."""

    metric: _MetricName
    labels: Annotated[Mapping[str, str], MaxProperties(16)] = attrs.field(factory=dict)


@marked(ExactlyOneOf("query", "series"), AtLeastOneOf("atLeast", "atMost"))
@attrs.frozen
class MetricCheck:
    """A number that must keep within its bounds while a step lasts.

    `query` is PromQL for the Prometheus at `url` and must give one number. `series` is read from the Prometheus text at
    `url`: its value, or with `per` how much it grew since the weight was reached, for each unit that `per` grew.
    """

    name: _Name
    url: _Url
    query: _Text | None = None
    series: Series | None = None
    per: Series | None = None
    at_least: float | None = None
    at_most: float | None = None


@attrs.frozen
class Guards:
    """When a promotion is taken back.

    A target that is not ready, or a check that fails, is borne for `failureGrace`; a model that cannot be loaded is
    not borne at all. What was asked for must be observed within `progressDeadline`, and checks must have an answer
    within as much time after the step.
    """

    failure_grace: timedelta = timedelta(minutes=1)
    progress_deadline: timedelta = timedelta(minutes=10)
    metrics: Annotated[tuple[MetricCheck, ...], MaxItems(16)] = ()


_Unchanging = Rule("self == oldSelf", message="a promotion does not change; make another one")


@attrs.frozen
class PromotionSpec:
    """What to promote, where, and in which steps; after the last of them the candidate gets everything.

    `mode` steers: `Paused` keeps the weights once they are reached, `Aborted` takes the promotion back. `gate` is
    required unless the operator's owner decided otherwise.
    """

    target: Annotated[Target, _Unchanging]
    release: Annotated[Release, _Unchanging]
    steps: Annotated[tuple[Step, ...], MinItems(1), MaxItems(20), _Unchanging] = (Step(10), Step(50))
    gate: GateEvidence | None = None
    guards: Guards = Guards()
    mode: Literal["Run", "Paused", "Aborted"] = "Run"


@attrs.frozen
class TargetStatus:
    """The target as it was found: which life of its name, and how it splits traffic."""

    uid: str
    mode: str


@attrs.frozen
class PreviousStatus:
    """What served before. `release` is empty where there was none; `weight` is the split that was asked for, if any.

    `revision` served and `newest` was the latest revision there was; `name` is what the stable predictor was called.
    """

    release: str
    revision: str
    newest: str = ""
    weight: int | None = None
    name: str = ""
    first: bool = False


@attrs.frozen
class CandidateStatus:
    """The revision that serves the release."""

    revision: str


@attrs.frozen
class OperationStatus:
    """One write to the target: put on record before it is made (G1), finished when the target was seen to have it.

    `before` and `after` are the target's generations, `othersDigest` is of all fields that a promotion does not own.
    """

    name: Literal["introduce", "shift", "complete", "deploy", "withdraw", "restore"]
    op_id: str
    weight: int
    before: str
    others_digest: str
    intended_at: datetime
    after: str = ""
    finished_at: datetime | None = None


@attrs.frozen
class Baseline:
    """The counters of a check at the moment when the weight was reached."""

    name: str
    series: float
    per: float


@attrs.frozen
class CheckStatus:
    """What a check said at the end of a step, or when it failed. No value is no answer."""

    name: str
    passed: bool
    message: str
    value: float | None = None


@attrs.frozen
class CauseStatus:
    """Why the promotion is taken back, or was."""

    reason: str
    message: str


@attrs.frozen
class JournalEntry:
    """One change of phase: why, who made it, in which run of the reconciler, and on which version of the promotion."""

    at: datetime
    source: str
    target: str
    cause: str
    generation: int
    reason: str = ""
    message: str = ""
    trace_id: str = ""
    writer: str = ""
    version_before: str = ""
    digest: str = ""


@attrs.frozen
class PromotionStatus:
    """What is known of the promotion.

    `phase` repeats the conditions in one word. `operations` are the writes to the target, the latest last. `step`
    counts from 0 and `weight` is the share that is asked for; `since` is when the phase began, or when its clock was
    last started anew; `troubleSince` when the trouble that is borne began, `cause` why it is taken back. `planDigest`
    is of target, release and steps. `operator` is the field manager of the operator that works the promotion, which
    others leave alone. `journal` has the last changes of phase, the oldest first.
    """

    observed_generation: int = 0
    phase: str = "Pending"
    conditions: tuple[Condition, ...] = ()
    operator: str = ""
    plan_digest: str = ""
    target: TargetStatus | None = None
    previous: PreviousStatus | None = None
    candidate: CandidateStatus | None = None
    step: int = 0
    weight: int = 0
    operations: Annotated[tuple[OperationStatus, ...], MaxItems(64)] = ()
    since: datetime | None = None
    trouble_since: datetime | None = None
    cause: CauseStatus | None = None
    baselines: tuple[Baseline, ...] = ()
    checks: tuple[CheckStatus, ...] = ()
    journal: tuple[JournalEntry, ...] = ()

    @property
    def operation(self) -> OperationStatus | None:
        """The latest write to the target that was put on record."""
        return self.operations[-1] if self.operations else None


@kind(
    API_VERSION,
    short_names=("promo",),
    categories=("windlass",),
    columns=(
        Column("Phase", ".status.phase"),
        Column("Weight", ".status.weight", type="integer", description="the candidate's share of traffic, in percent"),
        Column("Candidate", ".status.candidate.revision"),
        Column("Previous", ".status.previous.revision", priority=1),
        Column("Age", ".metadata.creationTimestamp", type="date"),
    ),
)
@attrs.frozen
class Promotion(CustomResource):
    """A model that takes over traffic step by step, each gated on readiness and on checks, and is taken back if not."""

    spec: PromotionSpec
    status: PromotionStatus = PromotionStatus()
