"""What an operator's owner decides, and no custom resource can: where runs and models lie, and what may be used."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from windlass.controller.executors import ExecutorRegistry, executors
from windlass.operators.training.gate.registry import CheckRegistry, check_registry
from windlass.operators.training.hardware.registry import HardwareRegistry, hardware_registry
from windlass.operators.training.hardware.topology import LEVELS, Levels

__all__ = ("TrainingSettings",)


def _now() -> datetime:
    return datetime.now(UTC)


@attrs.frozen
class TrainingSettings:
    """`state` holds the runs' folders and must survive restarts; `models` is the repository that the endpoint reads.

    `progress_seconds` is the least time between two progress reports in the status. `workers` jobs are looked at
    concurrently. `executors` is the registry in which `spec.executor` is looked up, `checks` that of `spec.gate`.
    `runs_uri` is how trainers in the cluster name the folder of the runs, which they reach by storage that they share
    with this machine; None is its path here.
    `allow_processes` lets whoever may create jobs run any command on this machine, as the user that runs the operator.
    `queues` says how many jobs of a queue may train at once; the queue `default` has no limit unless it is here.
    `hardware` is the registry of what `spec.hardware` names, `levels` the topology of the cluster.
    `katib` lets checks create Katib Experiments in a job's namespace; whoever may create jobs then runs Pods there.
    `promotions` lets jobs create Promotions in their namespace; whoever may create jobs then decides what is served.
    """

    state: Path
    models: Path
    progress_seconds: float = 0.25
    workers: int = 4
    executors: ExecutorRegistry[Any] = executors
    runs_uri: str | None = None
    allow_processes: bool = False
    queues: Mapping[str, int] = attrs.field(factory=dict)
    katib: bool = False
    promotions: bool = False
    checks: CheckRegistry = attrs.field(factory=check_registry)
    hardware: HardwareRegistry = attrs.field(factory=hardware_registry)
    levels: Levels = LEVELS
    clock: Callable[[], datetime] = _now

    @property
    def evidence(self) -> Path:
        """The parent of the folders, one a run, with the gate's evidence; it outlives the run's own."""
        return self.state / "evidence"

    @property
    def metadata(self) -> Path:
        """The file with what is recorded of data, runs and models."""
        return self.state / "metadata.sqlite"

    @property
    def cards(self) -> Path:
        """The parent of the model cards' folders."""
        return self.state / "cards"

    @property
    def runs(self) -> Path:
        """The parent of the runs' folders."""
        return self.state / "runs"
