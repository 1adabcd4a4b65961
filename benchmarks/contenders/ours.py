"""Windlass as its documentation says: a manager with its defaults, and a controller of 16 workers.

The mode `typed` structures each widget into a class; without it a reconciler gets the object as the cache has it. The
mode `uvloop` runs all of it on that loop. Modes of the copy are those of `copies.py`.
"""

import asyncio
import importlib
import sys
import time
from pathlib import Path
from typing import cast

import attrs
import msgspec

from windlass.benchmarks.contenders import copies, queues
from windlass.benchmarks.contenders.launch import launched
from windlass.benchmarks.shared.meter import Meter
from windlass.benchmarks.shared.task import Task, read_task
from windlass.benchmarks.widgets import WIDGET
from windlass.controller import Channel, Context, Controller, Manager, Request, Result
from windlass.informers import CustomResource
from windlass.informers.cluster import Cluster
from windlass.informers.objects import Object
from windlass.informers.resources import Kind
from windlass.manifests import kind

__all__ = ("Item", "Widget", "WidgetSpec", "WidgetStatus", "Worker", "main")


@attrs.frozen
class Item:
    """An entry of a widget."""

    name: str
    value: str


@attrs.frozen
class WidgetSpec:
    """What is asked for."""

    items: tuple[Item, ...] = ()
    pad: str = ""
    stamp: str = ""


@attrs.frozen
class WidgetStatus:
    """What was seen."""

    phase: str = ""
    observed_generation: int = 0


@kind("bench.windlass.dev/v1")
@attrs.frozen
class Widget(CustomResource):
    """A widget."""

    spec: WidgetSpec = WidgetSpec()
    status: WidgetStatus = WidgetStatus()


_PROGRAM = "from windlass.cli.start import main; main()"  # as the installed script does
_NOBODYS = "windlass-bench-startup"


class _Stamp(msgspec.Struct):
    stamp: str = ""


_STAMP = msgspec.json.Decoder(_Stamp)


class Worker:
    """The reconciler, and when it has done what it was to do."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.over = asyncio.Event()
        self.latencies: list[float] = []
        self.kind: Kind = Widget if task.mode == "typed" else WIDGET
        self._done = 0
        self._counting = task.scenario == "reconcile"
        self._since = time.monotonic_ns()  # what is older is from an earlier race

    async def reconcile(self, ctx: Context, request: Request) -> Result | None:
        """What the scenario asks for."""
        widget = cast("Widget | Object | None", await ctx.get(self.kind, request.key))
        if widget is None:
            return None
        if self.task.scenario == "reconcile":
            if await ctx.status(widget, phase=self.task.value):
                self._count()
        elif self.task.scenario == "latency":
            self._note(widget)
        elif self._counting:
            self._count()
        return None

    def count_from_now(self) -> None:
        """What was reconciled so far was for warming up."""
        self._counting = True
        self._since = time.monotonic_ns()

    def _count(self) -> None:
        self._done += 1
        if self._done == self.task.objects:
            self.over.set()

    def _note(self, widget: Widget | Object) -> None:
        sent = widget.spec.stamp if isinstance(widget, Widget) else _STAMP.decode(widget.spec).stamp
        if sent and int(sent) > self._since:
            self.latencies.append((time.monotonic_ns() - int(sent)) / 1e6)
            if len(self.latencies) == self.task.updates:
                self.over.set()


async def _control(task: Task, cluster: Cluster) -> None:
    meter = Meter()
    worker = Worker(task)
    again = Channel("again")
    manager = Manager(kinds=[Widget], cluster=cluster)
    controller = manager.controller(
        worker.reconcile, for_=worker.kind, sources=(again,), workers=task.workers, name="bench"
    )
    async with manager:
        if task.scenario != "reconcile":
            await _idle(controller)
            worker.count_from_now()
            meter.start()
        if task.scenario == "latency":
            meter.ready()
        elif task.scenario == "noop":
            for key in manager.cache.informer(worker.kind).store.keys():  # noqa: SIM118  # a store iterates over objects
                again.put(key)
        await worker.over.wait()
        meter.stop()
        meter.report(**({"latencies_ms": worker.latencies} if task.scenario == "latency" else {}))


async def _idle(controller: Controller) -> None:
    """Until every widget was looked at once."""
    while len(controller.queue) or controller.runs:  # noqa: ASYNC110  # neither has an event for it
        await asyncio.sleep(0.01)  # neither has an event for it


def main() -> None:
    """Do the task."""
    task = read_task()
    factory = importlib.import_module("uvloop").new_event_loop if task.mode == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_do(task))


async def _do(task: Task) -> None:
    if task.scenario == "queue":
        await queues.measured(task)
        return
    if task.scenario == "serving":
        # Imported here, as nobody who reconciles imports it.
        await importlib.import_module("windlass.benchmarks.contenders.endpoint").serve(task)
        return
    cluster = await Cluster.load(Path(task.kubeconfig))
    match task.scenario:
        case "sync":
            await copies.hold(task, cluster)
        case "informers":
            await copies.hold_many(cluster)
        case "relist":
            await copies.relist(task, cluster)
        case "startup":
            command = [sys.executable, "-c", _PROGRAM, "run", "--kubeconfig", task.kubeconfig]
            command += ["--namespace", _NOBODYS]  # what others train on the cluster is none of its business
            command += ["--uvloop"] if task.mode == "uvloop" else []
            await launched(command, ready=b"running ", imports=True)
        case _:
            await _control(task, cluster)


if __name__ == "__main__":
    main()
