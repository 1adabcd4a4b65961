"""Replicas share the keys; each key is worked by one of them at a time: python shards.py KUBECONFIG."""

import sys
from pathlib import Path

from windlass.controller import Context, Manager, Request, Result, Settings, Sharding
from windlass.informers.builtins import ConfigMap


async def reconcile(ctx: Context, request: Request) -> Result:
    config = await ctx.get(ConfigMap, request.key)
    if config is not None:
        print(f"{request.key}: {request.reason}", flush=True)
    return Result.done()


if not sys.argv[1:]:
    sys.exit("usage: python shards.py KUBECONFIG")
manager = Manager(
    kubeconfig=Path(sys.argv[1]),
    namespace="default",
    settings=Settings(sharding=Sharding(name="printers", namespace="default")),
)
manager.controller(reconcile, for_=ConfigMap, sharded=True)
manager.run()
