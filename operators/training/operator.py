"""The training operator is one controller, one owner of processes and one of gates, given to a caller's manager."""

from windlass.controller.manager import Manager
from windlass.controller.sources import Channel
from windlass.operators.training.executors.contract import Workbench
from windlass.operators.training.executors.mlp import MLP
from windlass.operators.training.executors.softmax import SOFTMAX
from windlass.operators.training.gate.judging import Judging
from windlass.operators.training.metrics.collector import Meter
from windlass.operators.training.reconciler import TrainingReconciler
from windlass.operators.training.settings import TrainingSettings
from windlass.operators.training.supervisor import Supervisor
from windlass.operators.training.timeline.page import timeline_page
from windlass.operators.training.types import TrainingJob

__all__ = ("setup",)


def setup(manager: Manager, settings: TrainingSettings) -> None:
    """Register the controller of TrainingJob, the supervisor of its trainers, and what carries out its gates."""
    manager.register(TrainingJob)
    # The package offers them by entry points too, but a checkout that is not installed has none.
    for executor in (SOFTMAX, MLP):
        settings.executors.register(executor.name, executor)
    channel = Channel("trainer")
    supervisor = Supervisor(channel.put, progress_seconds=settings.progress_seconds)
    manager.add(supervisor)
    judging = Judging(channel.put)
    manager.add(judging)
    meter = Meter(lambda: manager.cache)
    manager.add(meter)
    manager.registry.register(meter)
    manager.page(timeline_page(lambda: manager.cache))
    reconciler = TrainingReconciler(settings, Workbench(supervisor, settings.runs), judging)
    manager.controller(reconciler, for_=TrainingJob, sources=(channel,), workers=settings.workers, name="training")
