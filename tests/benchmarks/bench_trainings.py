"""Whether any of 200 small trainings is lost, and how long the controller's loop stands still meanwhile.

    python tests/benchmarks/bench_trainings.py [--jobs 200] [--at-once 4] [--server embedded | kubernetes] [--check]

All jobs are there at once; each trains in a process of its own, `--at-once` of them at a time. The server is a process
of its own, too. Printed are the jobs that were lost or trained twice, and the longest time that the loop did not turn:
by the clock, by the processor's time that its thread took meanwhile, and by the clock in a process beside it whose loop
has nothing to do, which is what this machine costs anybody. Each blockage is printed with the line that held the loop.
`--check` exits 1 if a job was lost or trained twice, or if the loop was busy for more than 50 ms.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "operators" / "training")]

from bench_restart import Embedded, Real
from many_jobs import Lag, create_all, outcome_of, small_job, until_ended

from windlass.controller import ExecutorRegistry, Manager, Settings
from windlass.informers.api import Api
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, setup

BUSY_MS = 50.0
MODELS = 8
NAMESPACE = "default"


def write_table(path: Path) -> Path:
    """Clusters that a linear model can tell apart."""
    from arro3.core import Array, Table
    from deltalake import write_deltalake

    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 240)
    values = rng.normal(size=(240, 4)) + 3.0 * np.eye(4)[labels]
    columns = {"row": np.arange(240), "label": labels, **{f"f{index}": values[:, index] for index in range(4)}}
    arrays = {name: Array.from_numpy(np.ascontiguousarray(column)) for name, column in columns.items()}
    write_deltalake(str(path), Table.from_pydict(arrays))
    return path


def idle(told: Connection) -> None:
    """A loop with nothing to do, until it is asked."""

    async def main() -> None:
        lag = Lag()
        watching = asyncio.create_task(lag.watch())
        while not told.poll():  # noqa: ASYNC110  # it is another process that ends it
            await asyncio.sleep(0.1)
        watching.cancel()
        told.send(lag.wall_ms)

    asyncio.run(main())


async def measure(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    server = Real() if options.server == "kubernetes" else Embedded(folder)
    table = write_table(folder / "table")
    settings = TrainingSettings(
        folder / "state",
        folder / "models",
        workers=options.workers,
        queues={"default": options.at_once},
        executors=ExecutorRegistry(discover=lambda: ()),
    )
    async with server.running():
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client:
            api = Api(client)
            await install(api, [TrainingJob])
            bodies = [small_job(number, table, models=MODELS) for number in range(options.jobs)]
            await create_all(api, bodies, namespace=NAMESPACE)
            manager = Manager(cluster=cluster, settings=Settings(block_threshold_seconds=BUSY_MS / 1000))
            setup(manager, settings)
            started, lag = time.monotonic(), Lag()
            async with manager:
                watching = asyncio.create_task(lag.watch())
                await until_ended(manager, NAMESPACE, jobs=options.jobs, seconds=options.seconds, shown=show)
                watching.cancel()
            took = time.monotonic() - started
            outcome = await outcome_of(api, NAMESPACE, folder / "models")
    return {
        "scenario": f"{options.jobs} trainings, {options.at_once} at a time",
        "server": options.server,
        "seconds": round(took, 1),
        "lost": list(outcome.lost),
        "twice": list(outcome.twice),
        "versions": sum(outcome.versions),
        "loop_busy_ms": round(lag.busy_ms, 1),
        "loop_late_ms": round(lag.wall_ms, 1),
        "blockages": [f"{one.seconds:.3f} s {one.culprit.name} {one.place}" for one in manager.watchdog.blockages],
    }


def show(phases: dict[str, int]) -> None:
    print(
        "\r" + "  ".join(f"{name} {count}" for name, count in sorted(phases.items())) + "   ", end="", file=sys.stderr
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--server", choices=("kubernetes", "embedded"), default="embedded")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    here, there = multiprocessing.get_context("spawn").Pipe()
    beside = multiprocessing.get_context("spawn").Process(target=idle, args=(there,), daemon=True)
    beside.start()
    with tempfile.TemporaryDirectory() as folder:
        row = asyncio.run(measure(Path(folder), options))
    here.send("end")
    row["idle_loop_late_ms"] = round(here.recv(), 1)
    print(file=sys.stderr)
    print(json.dumps(row, indent=1))
    bad = row["lost"] or row["twice"] or row["versions"] != options.jobs or row["loop_busy_ms"] > BUSY_MS
    sys.exit(1 if options.check and bad else 0)


if __name__ == "__main__":
    main()
