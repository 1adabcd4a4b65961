"""Carries out what `decide` says, one decision at a time; every `if` about a promotion is there, none is here.

Each run of a key ends with at most one write of the status, and the next run starts from what that write made. This
module does not know why anything is done.
"""

from typing import Final

import attrs

from windlass.controller.context import Context
from windlass.controller.request import Request, Result
from windlass.manifests.rbac import needs
from windlass.operators.promotion import facts as decisions
from windlass.operators.promotion.decision import decide
from windlass.operators.promotion.facts import FINALIZER, Decision, Facts
from windlass.operators.promotion.metrics import read_metrics
from windlass.operators.promotion.settings import PromotionSettings
from windlass.operators.promotion.story import tellings
from windlass.operators.promotion.targets.contract import Fault, Sight, Target
from windlass.operators.promotion.targets.endpoint import Endpoints
from windlass.operators.promotion.targets.inferenceservice import INFERENCE_SERVICE, InferenceServices
from windlass.operators.promotion.types import Promotion
from windlass.operators.teller import Teller

__all__ = ("PromotionReconciler",)

_STEPS_MAX: Final = 12  # decisions in one run of a key; the longest way without somebody else's writes is five


@needs(Promotion, "patch")
@needs(Promotion, "patch", subresource="status")
@needs(INFERENCE_SERVICE, "get", "patch")
class PromotionReconciler:
    """The reconciler of Promotion: `manager.controller(reconciler, for_=Promotion)`."""

    def __init__(self, settings: PromotionSettings) -> None:
        self._settings = settings
        self._teller = Teller()

    async def __call__(self, ctx: Context, request: Request) -> Result | None:
        """Take one promotion one step further."""
        promotion = await ctx.get(Promotion, request.key)
        if promotion is None:
            return Result.done()
        facts = Facts(
            now=self._settings.clock(),
            operator=ctx.services.field_manager,
            writer=ctx.services.identity,
            trace_id=request.reconcile_id,
            gate_required=self._settings.gate_required,
            look_seconds=self._settings.look_seconds,
        )
        self._teller.tell(ctx, promotion, tellings(promotion, facts.now, operator=facts.operator))
        if promotion.spec.target.endpoint is None:
            return await self._go_on(ctx, promotion, (InferenceServices(ctx), facts))
        async with Endpoints(self._settings) as target:
            return await self._go_on(ctx, promotion, (target, facts))

    async def _go_on(self, ctx: Context, promotion: Promotion, seen: tuple[Target, Facts]) -> Result:
        target, facts = seen
        for _ in range(_STEPS_MAX):
            outcome = await self._perform(ctx, promotion, (target, facts), decide(promotion, facts))
            if isinstance(outcome, Result):
                return outcome
            facts = outcome
        # Somebody writes the target again and again; it is looked at anew like any other change.
        return Result.after(self._settings.look_seconds)

    async def _perform(
        self, ctx: Context, promotion: Promotion, seen: tuple[Target, Facts], decision: Decision
    ) -> Facts | Result:
        """Carry out one decision: new facts to decide on, or the end of this run of the key."""
        target, facts = seen
        match decision:
            case decisions.Look():
                return attrs.evolve(facts, sight=await target.look(promotion))
            case decisions.Measure():
                checks = promotion.spec.guards.metrics
                return attrs.evolve(facts, readings=await read_metrics(checks, self._settings))
            case decisions.Apply():
                return await self._apply(ctx, promotion, target=target, facts=facts)
            case decisions.Write(status):
                await ctx.status(promotion, **attrs.asdict(status, recurse=False))
                if status.phase != promotion.status.phase:
                    ctx.log.info("%s → %s", promotion.status.phase, status.phase)
                after = attrs.evolve(promotion, status=status)
                self._teller.tell(ctx, after, tellings(after, facts.now, operator=facts.operator))
            case decisions.AddFinalizer():
                await ctx.add_finalizer(promotion, FINALIZER)
            case decisions.ReleaseFinalizer():
                await ctx.remove_finalizer(promotion, FINALIZER)
                self._teller.forget(promotion.metadata.uid)
            case decisions.Wait(seconds):
                return Result.done() if seconds is None else Result.after(seconds)
        # What was written comes back through the cache and wakes the key, or the next look does.
        return Result.after(self._settings.look_seconds)

    async def _apply(self, ctx: Context, promotion: Promotion, *, target: Target, facts: Facts) -> Facts | Result:
        assert isinstance(facts.sight, Sight)  # only what was seen is changed
        if ctx.dry_run:
            # An endpoint knows no dry run, and a target that is not written shows nothing more to decide on.
            ctx.log.info("would write: %s", promotion.status.operation)
            return Result.done()
        answer = await target.write(promotion, facts.sight)
        if isinstance(answer, Fault):
            return attrs.evolve(facts, refused=answer)
        return attrs.evolve(facts, written=answer, sight=None)
