"""The job's Promotion in the cluster: looked at in the cache, created once under its recorded name, withdrawn by uid.

What the API server refuses for now is not caught: the key is tried again. This module does not know when any of it is
due.
"""

from typing import Any, Final, TypeAlias

import attrs

from windlass.controller.context import Context
from windlass.informers.errors import AlreadyExists, Conflict, Invalid, NotFound
from windlass.informers.keys import Key
from windlass.operators.promotion.types import Promotion
from windlass.operators.training.decision.facts import CreatePromotion, LookAtPromotion, WithdrawPromotion
from windlass.operators.training.executors.contract import Fault
from windlass.operators.training.handoff.child import Absent, Seen, Sighting, fault_of, promotion_of, sighting_of
from windlass.operators.training.types import TrainingJob

__all__ = ("HandOff", "HandOffQuestion")

HandOffQuestion: TypeAlias = LookAtPromotion | CreatePromotion | WithdrawPromotion

_NOT_ALLOWED: Final = Fault("PromotionNotAllowed", "promotion: the operator's owner lets no job create promotions")


@attrs.frozen
class HandOff:
    """Promotions of jobs. Without `allowed` there are none, and none is asked for."""

    allowed: bool

    def refusal(self, job: TrainingJob) -> Fault | None:
        """Why the job's promotion is out of the question, before anything is trained."""
        if job.spec.promotion is not None and not self.allowed:
            return _NOT_ALLOWED
        return fault_of(job.spec)

    async def learn(self, ctx: Context, job: TrainingJob, question: HandOffQuestion) -> dict[str, Any]:
        """What the question asks for, as facts by their names."""
        match question:
            case LookAtPromotion():
                return {"promotion": await self.look(ctx, job)}
            case CreatePromotion():
                return {"promotion": await self.create(ctx, job)}
            case WithdrawPromotion():
                await self.withdraw(ctx, job)
                return {"withdrawn": True}

    async def look(self, ctx: Context, job: TrainingJob) -> Sighting:
        """What the cache knows of the Promotion on record."""
        if not self.allowed:
            # It was, when the job was accepted; its model is published, and it waits.
            return attrs.evolve(_NOT_ALLOWED, retryable=True)
        return sighting_of(job, await ctx.get(Promotion, _key(job)))

    async def create(self, ctx: Context, job: TrainingJob) -> Sighting:
        """Create the Promotion on record, or find that it was created before; never take another's for it (G2)."""
        try:
            made = await ctx.create(promotion_of(job), owner=job)
        except Invalid as error:
            return Fault("InvalidPromotion", f"the API server refuses the promotion: {error}")
        except AlreadyExists:
            try:
                made = await ctx.api.get(Promotion, _key(job))
            except NotFound:
                return Absent()
        return sighting_of(job, made.as_(Promotion))

    async def withdraw(self, ctx: Context, job: TrainingJob) -> None:
        """Have the Promotion taken back, unless it has ended, is gone, or was never this job's. Idempotent."""
        found = await self.look(ctx, job)
        if not isinstance(found, Seen) or found.outcome is not None:
            return
        patch = {"metadata": {"uid": found.uid}, "spec": {"mode": "Aborted"}}  # the uid: no namesake is meant (G6)
        try:
            await ctx.api.patch(Promotion, _key(job), patch)
        except (NotFound, Conflict):
            return


def _key(job: TrainingJob) -> Key:
    assert job.status.promotion is not None  # whoever asks has looked
    return Key(job.metadata.namespace, job.status.promotion.name)
