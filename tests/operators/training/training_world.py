"""A world in memory for the real reconciler, whose controller can be killed at any effect.

Every effect, and every answer to one, is a moment at which `Killed` may be raised: `world.kill_at(n)` chooses the n-th
from now. What a kill does to a real machine happens here too: the trainer dies with the controller, and so does all
that the controller knew.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import attrs
from training_jobs import DATA, FINALIZER, UID, edited, new_job, with_new_spec

from windlass.controller.executors import ExecutorRegistry
from windlass.controller.request import Request
from windlass.informers.errors import Conflict
from windlass.operators.training import reconciler as module
from windlass.operators.training.checkpoints import Checkpoint
from windlass.operators.training.executors.contract import Active, Plan, Workbench
from windlass.operators.training.executors.process import conclude
from windlass.operators.training.publish import Published
from windlass.operators.training.reconciler import TrainingReconciler
from windlass.operators.training.runfolder import Progress, TrainingResult
from windlass.operators.training.settings import TrainingSettings
from windlass.operators.training.supervisor import Exited, Idle, Working
from windlass.operators.training.validation import Evaluation

EPOCHS = 3


class Killed(BaseException):
    """kill -9 of the controller."""


@attrs.define
class Folder:
    """What a run leaves on the disk."""

    begun: set = attrs.field(factory=set)
    epochs: int = 0
    result: bool = False


class World:
    """The disk and the API server, which survive; and one controller with its trainer, which do not."""

    name = "softmax"

    def __init__(self):
        self.job = new_job(finalizers=(), resource_version="1")
        self.before = self.job  # what a cache that lags would still show
        self.lagging = False
        self.events = {}
        self.event_writes = 0
        self.operator = "windlass"
        self.folders = {}
        self.runs = Path("/state/runs")  # on the disk, where nothing is written
        self.versions = {}  # run id to version
        self.cards = set()
        self.trained_epochs = []  # (run, epoch), once for each time an epoch was computed
        self.effects = 0
        self.kill_after = None
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.boot()

    # The controller's life.

    def boot(self):
        """A new controller process: nothing is remembered."""
        self.trainer = None  # (run, attempt)
        self.exits = {}  # run to Exited
        registry = ExecutorRegistry(discover=lambda: ())
        registry.register("softmax", self)
        settings = TrainingSettings(Path("/state"), Path("/models"), executors=registry, clock=lambda: self.now)
        self.reconciler = TrainingReconciler(settings, Workbench(None, self.runs))
        outcome = self.reconciler._outcome
        outcome.evaluate = lambda job: Evaluation(0.97, 360, "sha")
        self.reconciler._verify = lambda job, table_id: DATA
        outcome.publish = self.publish
        outcome.write_card = self.write_card
        self.lagging = False

    def kill_at(self, moment):
        self.kill_after = None if moment is None else self.effects + moment

    def moment(self):
        self.effects += 1
        if self.kill_after is not None and self.effects >= self.kill_after:
            self.kill_after = None
            raise Killed

    def effect(self, change):
        """A change that survives, with a chance to be killed before it and after it."""
        self.moment()
        answer = change()
        self.moment()
        return answer

    def reconcile(self):
        """One run of the key, to its end or to a kill. Returns whether it has to be run again."""
        self.now += timedelta(seconds=1)
        key = self.job.metadata.key
        context = SimpleNamespace(
            get=self.get, status=self.status, event=self.event, add_finalizer=self.add_finalizer,
            remove_finalizer=self.remove_finalizer, delete=self.expire, log=logging.getLogger("test"),
            services=SimpleNamespace(identity="tests", field_manager=self.operator),
        )  # fmt: skip
        try:
            asyncio.run(self.reconciler(context, Request(key)))
        except Killed:
            self.boot()
            return True
        except Conflict:
            self.lagging = False
            return True
        self.kill_after = None
        return False

    # The API server, as a context shows it.

    async def get(self, kind, key):
        return self.before if self.lagging else self.job

    async def status(self, obj, **changes):
        def write():
            if obj.metadata.resource_version != self.job.metadata.resource_version:
                raise Conflict(409, "Conflict", "the object was changed")
            new = attrs.evolve(self.job.status, **changes)
            if new != self.job.status:
                self.store(attrs.evolve(self.job, status=new))

        self.effect(write)
        return True

    def store(self, job):
        version = str(int(self.job.metadata.resource_version) + 1)
        self.before = self.job
        self.job = attrs.evolve(job, metadata=attrs.evolve(job.metadata, resource_version=version))

    def event(self, obj, *, type, reason, message, dedupe):  # noqa: A002  # as in Context
        def write():
            self.event_writes += 1
            self.events.setdefault((obj.metadata.uid, dedupe), (reason, message))

        self.effect(write)
        recorded = asyncio.get_running_loop().create_future()
        recorded.set_result(True)
        return recorded

    async def add_finalizer(self, obj, name):
        self.effect(
            lambda: self.store(attrs.evolve(self.job, metadata=attrs.evolve(self.job.metadata, finalizers=(name,))))
        )

    async def remove_finalizer(self, obj, name):
        self.effect(lambda: self.store(attrs.evolve(self.job, metadata=attrs.evolve(self.job.metadata, finalizers=()))))

    async def expire(self, kind, key, *, uid, resource_version):
        def delete():
            if (uid, resource_version) != (self.job.metadata.uid, self.job.metadata.resource_version):
                raise Conflict(409, "Conflict", "the object was changed")
            self.delete()

        self.effect(delete)

    # The executor.

    def check(self, spec):
        pass

    async def obstacle(self, workbench):
        return None

    def render(self, spec, run):
        return Plan(run, "trainer", b"{}")

    async def start(self, plan, workbench):
        def begin():
            if self.trainer is None:
                self.trainer = (plan.run.id, plan.run.attempt)
                self.exits.pop(plan.run.id, None)
                self.folders.setdefault(plan.run.id, Folder())

        self.effect(begin)

    async def observe(self, run, workbench):
        state = self.state(run.id)
        if isinstance(state, Working) and state.attempt == run.attempt:
            return Active(self.progress(run.id))
        folder = self.folders.get(run.id, Folder())
        checkpoint = Checkpoint(Path("/c"), folder.epochs * 10, folder.epochs, 0.1, 0.9) if folder.epochs else None
        record = TrainingResult(run.id, "sha", (0, 1), self.progress(run.id), 1.0) if folder.result else None
        return conclude(state, run.attempt, begun=run.attempt in folder.begun, record=record, checkpoint=checkpoint)

    def state(self, run):
        if self.trainer is not None and self.trainer[0] == run:
            return Working(self.trainer[1])
        return self.exits.get(run, Idle())

    def progress(self, run):
        epochs = self.folders[run].epochs
        return Progress(epochs, EPOCHS, epochs * 10, 0.1, 0.9)

    async def suspend(self, run, workbench):
        await self.cancel(run.id, workbench)

    async def resume(self, run, workbench):
        pass

    async def cancel(self, run, workbench):
        if self.trainer is not None and self.trainer[0] == run:
            self.trainer = None

    async def discard(self, run, workbench):
        def remove():
            if self.trainer is not None and self.trainer[0] == run:
                self.trainer = None
            self.exits.pop(run, None)
            self.folders.pop(run, None)

        self.effect(remove)

    # The trainer.

    def train(self):
        """The trainer takes the lock, or computes one epoch, or writes its result and ends."""
        if self.trainer is None:
            return
        run, attempt = self.trainer
        folder = self.folders[run]
        if attempt not in folder.begun:
            folder.begun.add(attempt)
        elif folder.epochs < EPOCHS:
            folder.epochs += 1
            self.trained_epochs.append((run, folder.epochs))
        else:
            folder.result = True
            self.trainer = None
            self.exits[run] = Exited(attempt, 0)

    def kill_trainer(self):
        """Someone kills the trainer alone."""
        if self.trainer is not None:
            run, attempt = self.trainer
            self.trainer = None
            self.exits[run] = Exited(attempt, -9)

    # The repository.

    def publish(self, job):
        run = job.status.run.id
        self.effect(lambda: self.versions.setdefault(run, len(self.versions) + 1))
        return Published("digits", self.versions[run], "sha", f"file:///m/digits/{self.versions[run]}")

    def write_card(self, job):
        self.effect(lambda: self.cards.add(job.status.run.id))
        return f"file:///cards/{job.status.run.id}"

    # The user.

    def edit_spec(self, **changes):
        """Ask for other work, or for what `changes` say."""
        self.store(edited(self.job, **changes) if changes else with_new_spec(self.job))

    def delete(self):
        self.store(attrs.evolve(self.job, metadata=attrs.evolve(self.job.metadata, deletion_timestamp=self.now)))

    def settle(self):
        """Let everything happen that will, without further kills; returns how many runs of the key that took."""
        for round_ in range(200):
            self.now += timedelta(minutes=7)  # longer than any pause between two attempts
            before = (self.job, self.trainer, {run: attrs.astuple(folder) for run, folder in self.folders.items()})
            self.reconcile()
            self.train()
            if before == (self.job, self.trainer, {run: attrs.astuple(folder) for run, folder in self.folders.items()}):
                return round_
        raise AssertionError(f"the job does not come to rest: {self.job.status}")


def inline(monkeypatch):
    """Run what belongs in a thread on the spot: the world is in memory."""

    async def at_once(work):
        return work()

    monkeypatch.setattr(module, "fact_of", at_once)


__all__ = ("EPOCHS", "FINALIZER", "UID", "Killed", "World", "inline")
