"""What a user asks of the promotion of a job's model, and what is on record of it, once it is the job's turn to ask.

Target, steps and guards are those of a Promotion; release and gate are not among them, for only the job knows which
model it has made and what was found about it. This module does not know how a Promotion is made.
"""

from datetime import datetime
from typing import Annotated

import attrs

from windlass.manifests.alternatives import ExactlyOneOf
from windlass.manifests.markers import MaxItems, MaxLength, MinItems, MinLength, marked
from windlass.operators.promotion.types import Guards, Step, Target

__all__ = ("PromotionRecord", "PromotionTemplate", "ReleaseTemplate")

_Template = Annotated[str, MinLength(1), MaxLength(2048)]


@marked(ExactlyOneOf("image", "runtimeVersion", "storageUri"))
@attrs.frozen
class ReleaseTemplate:
    """How an InferenceService finds the model: `{model}`, `{version}`, `{sha256}` and `{run}` stand for the published.

    The job copies nothing there. `storageUri: s3://models/{model}/{version}` is right where the model repository is
    that bucket.
    """

    image: _Template | None = None
    runtime_version: Annotated[str | None, MinLength(1), MaxLength(128)] = None
    storage_uri: _Template | None = None


@attrs.frozen
class PromotionTemplate:
    """Where the published model is promoted, in which steps, and when that is taken back.

    Without `release` it is the published model at its version, which is what an endpoint wants. The gate of the
    Promotion is the job's own verdict, so the job must have a gate.
    """

    target: Target
    release: ReleaseTemplate | None = None
    steps: Annotated[tuple[Step, ...], MinItems(1), MaxItems(20)] = (Step(10), Step(50))
    guards: Guards = attrs.field(factory=Guards)


@attrs.frozen
class PromotionRecord:
    """The Promotion of the run: on record before it is created (G1), under a name that a crash cannot change (G2).

    `uid` is empty until it was seen. `phase` and `weight` are what it said last.
    """

    name: str
    op_id: str
    intended_at: datetime
    uid: str = ""
    phase: str = ""
    weight: int = 0
    finished_at: datetime | None = None
