"""Wakes for what the reconciler looks at, and says why it was woken: python predicates.py."""

import attrs

from windlass.controller import Context, Manager, Request, generation_changed, labels_changed, status_changed
from windlass.informers import CustomResource
from windlass.manifests import kind


@attrs.frozen
class LampSpec:
    watts: int = 5


@attrs.frozen
class LampStatus:
    lit: bool = False


@kind("howto.windlass.dev/v1")
@attrs.frozen
class Lamp(CustomResource):
    spec: LampSpec = LampSpec()
    status: LampStatus = LampStatus()


async def reconcile(ctx: Context, request: Request) -> None:
    lamp = await ctx.get(Lamp, request.key)
    if lamp is None:
        print(f"{request.key}: gone", flush=True)
    else:
        team = (lamp.metadata.labels or {}).get("team", "nobody")
        print(f"{request.key}: {request.reason}: {lamp.spec.watts} W, lit={lamp.status.lit}, of {team}", flush=True)


def setup(manager: Manager) -> None:
    manager.register(Lamp)
    manager.controller(reconcile, for_=Lamp, predicates=[generation_changed | status_changed | labels_changed])


if __name__ == "__main__":
    manager = Manager()
    setup(manager)
    manager.run()
