"""The training operator is one controller, with owners of processes, gates and watches, given to a caller's manager."""

from windlass.controller.handlers import Watch
from windlass.controller.manager import Manager
from windlass.controller.sources import Channel
from windlass.informers.keys import Key
from windlass.informers.store import Change
from windlass.operators.promotion.types import Promotion
from windlass.operators.training.childwatch import ChildWatch
from windlass.operators.training.executors.command import NAME as PROCESS
from windlass.operators.training.executors.command import CommandExecutor
from windlass.operators.training.executors.contract import Workbench
from windlass.operators.training.executors.kubernetes_job import KUBERNETES_JOB
from windlass.operators.training.executors.llm import LLM_FINETUNE
from windlass.operators.training.executors.mlp import MLP
from windlass.operators.training.executors.pytorchjob import PYTORCHJOB
from windlass.operators.training.executors.rayjob import RAYJOB
from windlass.operators.training.executors.softmax import SOFTMAX
from windlass.operators.training.executors.trainjob import TRAINJOB
from windlass.operators.training.gate.judging import Judging
from windlass.operators.training.hardware.inventory import Inventory
from windlass.operators.training.hardware.placer import Placer
from windlass.operators.training.metrics.collector import Meter
from windlass.operators.training.reconciler import TrainingReconciler
from windlass.operators.training.settings import TrainingSettings
from windlass.operators.training.supervisor import Supervisor
from windlass.operators.training.timeline.page import timeline_page
from windlass.operators.training.types import TrainingJob

__all__ = ("setup",)


def setup(manager: Manager, settings: TrainingSettings) -> None:
    """Register the controller of TrainingJob, the supervisor of its trainers, and what carries out its gates.

    Where the settings let jobs create Promotions, the kind must be known to the cluster; who carries them out is
    another operator.
    """
    manager.register(TrainingJob)
    if settings.promotions:
        manager.register(Promotion)
    # The package offers them by entry points too, but a checkout that is not installed has none.
    for executor in (SOFTMAX, MLP, LLM_FINETUNE, KUBERNETES_JOB, TRAINJOB, PYTORCHJOB, RAYJOB):
        settings.executors.register(executor.name, executor)
    # Not an entry point: whether it may be used is for these settings to say, and for nothing that is installed.
    settings.executors.register(PROCESS, CommandExecutor(settings.allow_processes), replace=True)
    channel = Channel("trainer")
    supervisor = Supervisor(channel.put, progress_seconds=settings.progress_seconds)
    manager.add(supervisor)
    judging = Judging(channel.put)
    manager.add(judging)
    meter = Meter(lambda: manager.cache)
    manager.add(meter)
    manager.registry.register(meter)
    manager.page(timeline_page(lambda: manager.cache))
    watch = ChildWatch(channel.put, lambda: manager.client, namespace=manager.namespace)
    manager.add(watch)
    workbench = Workbench(supervisor, settings.runs, settings.runs_uri or "", watch)
    placer = Placer(settings.hardware, Inventory(channel.put), levels=settings.levels, namespace=manager.namespace)
    reconciler = TrainingReconciler(settings, workbench, judging=judging, placer=placer)

    def freed(change: Change) -> list[Key]:
        return reconciler.places.freed(change, lambda: manager.cache.list(TrainingJob))

    manager.controller(
        reconciler,
        for_=TrainingJob,
        owns=(Promotion,) if settings.promotions else (),
        watches=(Watch(TrainingJob, freed),),
        sources=(channel,),
        workers=settings.workers,
        name="training",
    )
