"""Keys on their way through the queue of a manager's controller: counted and scraped as it is when it works.

Every key is added, and then taken, worked in no time and given back. There is no server.
"""

from prometheus_client import generate_latest

from windlass.benchmarks.shared.meter import Meter
from windlass.benchmarks.shared.task import Task
from windlass.benchmarks.widgets import WIDGET, name_of
from windlass.controller import Context, Manager, Request
from windlass.informers.keys import Key

__all__ = ("measured",)

_PASSES = 5


async def measured(task: Task) -> None:
    """Through the queue of a manager's controller; its metrics are scraped once a pass."""
    manager = Manager(kinds=[WIDGET])
    queue = manager.controller(_nothing, for_=WIDGET, name="bench").queue
    keys = _keys(task)
    meter = Meter()
    for _ in range(_PASSES):
        for key in keys:
            queue.add(key)
        for _ in keys:
            item = await queue.get()
            queue.forget(item.key)
            queue.done(item.key)
        generate_latest(manager.registry)
    meter.stop()
    counted = queue.schedule.work_seconds.count
    assert counted == len(keys) * _PASSES, counted
    meter.report(operations=counted)


async def _nothing(ctx: Context, request: Request) -> None:
    """Is never called."""


def _keys(task: Task) -> list[Key]:
    return [Key(f"ns-{number % 10}", name_of(number)) for number in range(task.objects)]
