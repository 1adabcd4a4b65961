"""One replica of a controller over ConfigMaps, as a program: KUBECONFIG NAMESPACE leader|sharded NAME LOCKS.

Each run of a key holds a lock of the operating system for it, and writes under its fencing token. A lock that is taken
says COLLISION: two replicas are working one key.
"""

import asyncio
import fcntl
import logging
import sys
from pathlib import Path

from windlass.controller import (
    Context,
    Fence,
    Fenced,
    LeaderElection,
    Manager,
    Request,
    Result,
    Settings,
    Sharding,
)
from windlass.informers.builtins import ConfigMap

TIMES = {"lease_seconds": 3, "renew_seconds": 2.0, "retry_seconds": 0.5}


def main():
    kubeconfig, namespace, mode, name, locks = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")

    async def reconcile(ctx: Context, request: Request) -> Result:
        if not request.key.name.startswith("work"):
            return Result.done()
        with (Path(locks) / request.key.name).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("COLLISION", name, request.key.name, flush=True)
            fence = Fence(ctx.api, ctx.fencing_token)
            for _ in range(5):
                # The token is not asked for again, as it would be by a process that is paused right here.
                change = [{"op": "add", "path": "/data", "value": {"writer": name, "token": str(fence.token)}}]
                try:
                    await fence.patch(ConfigMap, request.key, change)
                except Fenced as error:
                    print("FENCED", error, flush=True)
                    raise
                await asyncio.sleep(0.02)
        return Result.after(0.2)

    sharding = Sharding("replicas", namespace, member=name, drain_seconds=2.0, **TIMES)
    election = LeaderElection("replicas", namespace, identity=name, **TIMES)
    manager = Manager(
        kubeconfig=Path(kubeconfig),
        namespace=namespace,
        settings=Settings(sharding=sharding) if mode == "sharded" else Settings(leader_election=election),
    )
    manager.controller(reconcile, for_=ConfigMap, sharded=mode == "sharded", workers=4)
    manager.run()


if __name__ == "__main__":
    main()
