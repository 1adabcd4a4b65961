"""Of several replicas one works, and no write of a former leader gets through: python leader.py KUBECONFIG."""

import sys
from pathlib import Path

from windlass.controller import Context, Fence, LeaderElection, Manager, Request, Settings
from windlass.informers.builtins import ConfigMap


async def reconcile(ctx: Context, request: Request) -> None:
    config = await ctx.get(ConfigMap, request.key)
    if config is None or "team" not in config.labels:
        return
    fence = Fence(ctx.api, ctx.fencing_token)
    seen = {"op": "add", "path": "/data", "value": {"team": config.labels["team"]}}
    await fence.patch(ConfigMap, request.key, [seen])


if not sys.argv[1:]:
    sys.exit("usage: python leader.py KUBECONFIG")
manager = Manager(
    kubeconfig=Path(sys.argv[1]),
    namespace="default",
    settings=Settings(leader_election=LeaderElection(name="teams", namespace="default")),
)
manager.controller(reconcile, for_=ConfigMap)
manager.run()
