"""kopf as its documentation says: handlers for what is there and what changes; its operators hold no copy of their own.

An index would be one. While its first one is not complete, kopf wakes every object's task for each other object that
comes or is done: of 2 000 widgets that takes seconds, of 10 000 many minutes.
"""

import asyncio
import os
import time

import kopf
from meter import Meter
from task import read_task

TASK = read_task()
WIDGETS = ("bench.windlass.dev", "v1", "widgets")
STATE = {"over": None, "all": None, "done": set(), "latencies": [], "since": time.monotonic_ns()}


@kopf.on.startup()
async def configure(settings, **_):
    settings.posting.enabled = False
    if TASK.scenario == "reconcile":  # without a limit every object has a task at once, and ten times the memory
        settings.queueing.worker_limit = TASK.workers
        settings.queueing.idle_timeout = 0.01  # a worker that waits for more of its object keeps another from its turn
    settings.scanning.disabled = True


@kopf.on.login()
def login(**kwargs):
    return kopf.login_with_kubeconfig(**kwargs)  # reads $KUBECONFIG


if TASK.scenario == "reconcile":

    @kopf.on.resume(*WIDGETS)
    @kopf.on.create(*WIDGETS)
    async def reconcile(patch, **_):
        patch.status["phase"] = TASK.value


if TASK.scenario == "latency":

    @kopf.on.event(*WIDGETS)
    async def look(spec, **_):
        sent = int(spec.get("stamp", 0))
        if sent > STATE["since"]:
            STATE["latencies"].append((time.monotonic_ns() - sent) / 1e6)
            if len(STATE["latencies"]) == TASK.updates:
                STATE["over"].set()


@kopf.on.event(*WIDGETS)
async def seen(namespace, name, body, **_):
    if TASK.scenario == "reconcile" and body.get("status", {}).get("phase") != TASK.value:
        return
    STATE["done"].add((namespace, name))
    if len(STATE["done"]) == TASK.objects:
        STATE["all" if TASK.scenario == "latency" else "over"].set()


async def main():
    STATE["over"], STATE["all"] = asyncio.Event(), asyncio.Event()
    stop = asyncio.Event()
    meter = Meter()
    running = asyncio.create_task(kopf.operator(clusterwide=True, stop_flag=stop, standalone=True))
    if TASK.scenario == "latency":
        await STATE["all"].wait()
        STATE["since"] = time.monotonic_ns()
        meter.ready()
    await STATE["over"].wait()
    meter.stop()
    meter.report(**({"latencies_ms": STATE["latencies"]} if TASK.scenario == "latency" else {}))
    stop.set()
    await asyncio.wait([running], timeout=5)


if __name__ == "__main__":
    os.environ["KUBECONFIG"] = TASK.kubeconfig
    asyncio.run(main())
