"""A job's place is found from its spec and from the watches, and nothing is written: that is its status's affair.

This module does not know phases, nor what is done with a place.
"""

import asyncio

import msgspec

from windlass.controller.context import Context
from windlass.controller.owners import set_controller
from windlass.controller.subject import Subject
from windlass.informers import requests
from windlass.informers.errors import AlreadyExists, ApiError, ConnectionFailed, Forbidden, NotFound, NotSynced
from windlass.informers.keys import Key
from windlass.operators.errors import HardwareInvalid, HardwareUnreadable, NameConflict
from windlass.operators.training.hardware.answer import Placement, Unplaceable
from windlass.operators.training.hardware.claims import GROUP, VERSIONS, template_kind
from windlass.operators.training.hardware.eligibility import demand_of
from windlass.operators.training.hardware.holds import RUN_LABEL, Holds
from windlass.operators.training.hardware.inventory import Inventory
from windlass.operators.training.hardware.machines import usage_of
from windlass.operators.training.hardware.outline import Outline
from windlass.operators.training.hardware.placement import Wish, place
from windlass.operators.training.hardware.record import recorded
from windlass.operators.training.hardware.registry import HardwareRegistry, class_of, profiles_of
from windlass.operators.training.hardware.rendering import claim_template, dress
from windlass.operators.training.hardware.topology import LEVELS, Levels
from windlass.operators.training.hardware.types import HardwareSpec, HardwareStatus

__all__ = ("Placer",)


class Placer:
    """Finds places. `namespace` is the only one that the controller sees, None for all."""

    def __init__(
        self,
        registry: HardwareRegistry,
        inventory: Inventory,
        *,
        levels: Levels = LEVELS,
        namespace: str | None = None,
    ) -> None:
        self._registry = registry
        self._levels = levels
        self._namespace = namespace
        self._holds = Holds()
        self.inventory = inventory

    @property
    def sees_everything(self) -> bool:
        """Whether the controller sees all that is taken of a node, so that it can place anything."""
        return self._namespace is None

    def check(self, wanted: HardwareSpec, outline: Outline | None) -> None:
        """Raise HardwareInvalid for what no cluster could give. `outline` is None if the job makes no Pods."""
        if outline is None:
            raise HardwareInvalid("spec.hardware: the executor makes no Pods, so there is nothing to place")
        if self._namespace is not None:
            raise HardwareInvalid(
                f"spec.hardware: this controller sees the namespace {self._namespace} alone, and cannot tell what is "
                "taken of a node"
            )
        for name in wanted.classes:
            # What a class makes of the template may contradict itself in that class alone.
            dress(outline.template, Placement(of=class_of(name, self._registry), spec=wanted))

    def leave(self, key: Key, *, at_rest: bool) -> None:
        """The job is looked at anew; `at_rest`, it needs no hardware at the moment."""
        self.inventory.forget(key)
        if at_rest:
            self._holds.release(key)

    async def place(self, ctx: Context, wanted: HardwareSpec, outline: Outline, *, run: str) -> Placement | Unplaceable:
        """Where the Pods may run now; those that `run` has already count as gone. What is found is held.

        The job is woken when nodes or what is taken of them change, until it is looked at anew. Raises HardwareInvalid,
        and HardwareUnreadable while nodes or Pods cannot be read.
        """
        key = ctx.request.key
        self.inventory.wait(key)
        version = await _served(ctx) if wanted.form == "DRA" else ""
        try:
            stock = await self.inventory.stock(ctx.services.cache, version)
        except NotSynced as error:
            raise HardwareUnreadable(f"the nodes and what is taken of them cannot be read: {error}") from error
        wish = Wish(
            spec=wanted,
            classes=tuple(class_of(name, self._registry) for name in wanted.classes),
            template=outline.template,
            pods=outline.pods,
            profiles=profiles_of(self._registry),
            claim_version=f"{GROUP}/{version}" if version else "",
            levels=self._levels,
        )
        others = [one for one in stock.loads if one.labels.get(RUN_LABEL) != run]
        now = asyncio.get_running_loop().time()
        found = place(wish, stock.machines, usage_of([*others, *self._holds.loads(stock.loads, but=key, now=now)]))
        if isinstance(found, Placement):
            amounts = demand_of(dress(outline.template, found), found).amounts
            self._holds.hold(key, run, nodes=found.nodes, amounts=amounts, now=now)
        return found

    async def claim(self, ctx: Context, job: Subject, placement: Placement) -> None:
        """Create the ResourceClaimTemplate that the Pods will name, unless it is there or none is needed.

        It belongs to the job. Raises NameConflict, HardwareUnreadable if the server refuses us, and as `Api` does.
        """
        body = claim_template(placement, job.key.namespace)
        if body is None:
            return
        kind = template_kind(placement.claim_version.partition("/")[2])
        try:
            await ctx.api.create(kind, set_controller(body, job))
        except AlreadyExists:
            key = Key(job.key.namespace, placement.claim)
            found = await ctx.api.get(kind, key)
            if job.uid not in {owner.uid for owner in found.owner_references}:
                raise NameConflict(
                    f"ResourceClaimTemplate {key} is somebody else's: it does not carry the job's uid"
                ) from None
        except (NotFound, Forbidden) as error:
            raise HardwareUnreadable(f"a ResourceClaimTemplate cannot be made: {error}") from error

    def recorded(self, wanted: HardwareSpec, record: HardwareStatus, *, claim: str) -> Placement:
        """The placement on record. Raises HardwareInvalid for a class that nobody knows any more."""
        return recorded(wanted, record, self._registry, claim=claim)


async def _served(ctx: Context) -> str:
    """The newest version of resource.k8s.io that the server and this module know; empty if there is none."""
    try:
        answer = await ctx.api.client.send(requests.raw_get(f"/apis/{GROUP}"))
    except NotFound:
        return ""
    except (ApiError, ConnectionFailed) as error:
        raise HardwareUnreadable(f"what the API server serves of {GROUP} cannot be read: {error}") from error
    offered = {one.get("version") for one in msgspec.json.decode(answer.body).get("versions") or ()}
    return next((one for one in VERSIONS if one in offered), "")
