"""How many statuses a second so many workers write to a server that takes its time over each."""

import time
from multiprocessing.connection import Connection

import attrs
from scaled.points import Process, Reconciler, beside_server

from windlass.benchmarks.widgets import WIDGET
from windlass.controller import Manager
from windlass.informers.cluster import Cluster

COUNTS = (1, 4, 16, 64)
DELAY_SECONDS = 0.005
OBJECTS = 2_000


@attrs.frozen
class Writers:
    """Writes a second by the clock, and CPU microseconds of one."""

    workers: int
    writes_a_second: float
    write_us: float


async def measure(count: int, port: int, orders: Connection, workers: int) -> Writers:
    reconciler = Reconciler()
    manager = Manager(kinds=[WIDGET], cluster=Cluster(f"http://127.0.0.1:{port}"))
    controller = manager.controller(reconciler, for_=WIDGET, workers=workers, predicates=(), name="scale")
    async with manager:
        process = Process(controller, manager.cache.informer(WIDGET), reconciler, orders)
        await process.until(lambda: reconciler.runs >= count and process.idle())
        orders.send(("delay", DELAY_SECONDS))
        # A worker alone would take long over all of them.
        writes = min(count, 100 * workers)
        began = time.perf_counter()
        cpu = await process.write(writes)
        seconds = time.perf_counter() - began
        return Writers(workers, writes / seconds, cpu / writes * 1e6)


def writers(workers: int, *, objects: int = OBJECTS) -> Writers:
    """Measure it."""
    return beside_server(objects, measure, Writers, workers)
