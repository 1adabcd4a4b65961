"""An executor whose work is one object in the cluster says three things, all pure: what it is, how it reads, its kind.

`body` renders it, `read` says what its status and Pods mean, `suspension` how it is suspended. Everything else is the
same for every kind and is done here, by the hands of `workbench.children`; a subclass never sees the API server (A6).
The run's result, its checkpoints and its progress are in the run's folder, which trainers reach by their own storage.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from windlass.informers.resources import Resource
from windlass.operators.errors import TrainingError
from windlass.operators.training.executors.contract import (
    Active,
    Broken,
    Fault,
    Lost,
    NotStarted,
    Observation,
    Run,
    Workbench,
)
from windlass.operators.training.executors.dressing import dressed, is_ours
from windlass.operators.training.executors.environment import config_of, environment_of
from windlass.operators.training.executors.exits import DELETED, Exit
from windlass.operators.training.executors.foreign import Left, left_in, prepare, recorded
from windlass.operators.training.executors.patches import includes, merged
from windlass.operators.training.files import canonical_json
from windlass.operators.training.queues.kueue import local_queue_of, on_record
from windlass.operators.training.runfolder import Progress
from windlass.operators.training.types import ChildReference, TrainingJobSpec

if TYPE_CHECKING:
    from windlass.operators.training.children import Children

__all__ = (
    "AtWork",
    "Ended",
    "Finished",
    "ObjectExecutor",
    "ObjectPlan",
    "Reading",
    "Waiting",
    "conclude",
    "patiently",
)

Json = Mapping[str, Any]


@attrs.frozen
class ObjectPlan:
    """What will be created: `manifest` whole but for the owner reference, and `config` for the run's folder.

    Both are canonical JSON, so equal plans are equal bytes.
    """

    run: Run
    resource: Resource
    manifest: bytes
    config: bytes


@attrs.frozen
class Waiting:
    """The object is there and its trainer not at work yet, or it is suspended; `why` is for people.

    Before `tell_after` it is too early to speak of it; None is at once. `held` as in Active.
    """

    why: str = ""
    tell_after: datetime | None = None
    held: bool = False


@attrs.frozen
class AtWork:
    """The trainer is at work; `progress` if the object itself tells of it, else it is read from the run's folder."""

    progress: Progress | None = None


@attrs.frozen
class Finished:
    """The object says that its work is done."""


@attrs.frozen
class Ended:
    """The object says that its work has failed."""

    exit: Exit


Reading = Waiting | AtWork | Finished | Ended


class ObjectExecutor:
    """See TrainingExecutor. A subclass has `name`, `resource`, `check`, `body` and `read`, and may have the rest."""

    resource: Resource

    def body(self, spec: TrainingJobSpec, run: Run, environment: Mapping[str, str]) -> dict[str, Any]:
        """The object without name and owner; Pods it makes carry `labels_of(run)` and `annotations_of(run)`. Pure."""
        raise NotImplementedError

    def read(self, child: Json, pods: Sequence[Json]) -> Reading:
        """What the object and the Pods of its attempt mean. Pure. Pods may be behind, or gone; not so when Ended."""
        raise NotImplementedError

    def suspension(self, *, suspended: bool) -> dict[str, Any] | None:
        """The merge patch that suspends the object or lets it go on; None for a kind that cannot: it is deleted."""
        return {"spec": {"suspend": suspended}}

    def render(self, spec: TrainingJobSpec, run: Run) -> ObjectPlan:
        """See TrainingExecutor.render."""
        config = config_of(spec, run)
        manifest = dressed(self.resource, self.body(spec, run, environment_of(spec, run, config)), run)
        hold = self.suspension(suspended=True)
        if run.local_queue and hold is not None:
            manifest = merged(manifest, hold)  # or it would begin before Kueue has seen it
        return ObjectPlan(run, self.resource, canonical_json(manifest), config)

    async def obstacle(self, workbench: Workbench) -> Fault | None:
        """See TrainingExecutor.obstacle: the kind is not installed, or we may not read it."""
        try:
            await _children(workbench).require(self.resource)
        except TrainingError as error:
            return Fault(error.reason, str(error), retryable=error.retryable)
        return None

    async def admission(self, spec: TrainingJobSpec, workbench: Workbench) -> str:
        """See TrainingExecutor: Kueue's, if the job names a LocalQueue and the cluster serves Kueue's Workload."""
        local_queue = local_queue_of(spec.workload)
        if not local_queue or self.suspension(suspended=True) is None:
            return ""
        return on_record(local_queue) if await _children(workbench).kueue() else ""

    async def start(self, plan: ObjectPlan, workbench: Workbench) -> None:
        """See TrainingExecutor.start."""
        children = _children(workbench)
        if not await children.is_clear(plan.resource, plan.run):
            return  # an earlier attempt's objects are ending: their end wakes the job, and it is asked again
        await asyncio.to_thread(prepare, workbench.folder(plan.run.id), plan.run, plan.config)
        await children.create(plan)

    async def observe(self, run: Run, workbench: Workbench) -> Observation:
        """See TrainingExecutor.observe."""
        children = _children(workbench)
        child = await children.find(self.resource, run)
        if child is not None and not is_ours(child, run):
            metadata = child["metadata"]
            message = f"{self.resource.kind} {metadata['name']} in {run.key.namespace} is not ours: it does not carry"
            return Broken(Fault("NameConflict", f"{message} the job's uid and the attempt's operation id"))
        reading = None
        if child is not None:
            reading = self.read(child, await children.pods(run))
            if isinstance(reading, Ended):
                reading = self.read(child, await children.pods(run, live=True))
            reading = await self._held(reading, child, run, children=children)
        reading = patiently(reading, children.now())
        # The object is read before the folder: an attempt that ends in between has then written its last word.
        over = reading is None or isinstance(reading, Ended)
        left = await asyncio.to_thread(left_in, workbench.folder(run.id), run, over=over)
        return conclude(run, child, reading, left)

    async def _held(self, reading: Reading, child: Json, run: Run, *, children: "Children") -> Reading:
        """The reading of an object that is suspended says who will let it go on, if we know."""
        hold = self.suspension(suspended=True)
        if not isinstance(reading, Waiting) or hold is None or not includes(child, hold):
            return reading
        why = await children.why_held(child, run.local_queue) if run.local_queue else reading.why
        return Waiting(why, held=True)

    async def suspend(self, run: Run, workbench: Workbench) -> None:
        """See TrainingExecutor.suspend. What Kueue has admitted it would let go on at once, so that is deleted."""
        patch = None if run.local_queue else self.suspension(suspended=True)
        if patch is None:
            await _children(workbench).remove(self.resource, run.id)
        else:
            await _children(workbench).suspend(self.resource, run, patch)

    async def resume(self, run: Run, workbench: Workbench) -> None:
        """See TrainingExecutor.resume."""
        patch = None if run.local_queue else self.suspension(suspended=False)
        if patch is not None:
            await _children(workbench).resume(self.resource, run, patch)

    async def cancel(self, run_id: str, workbench: Workbench) -> None:
        """See TrainingExecutor.cancel."""
        await _children(workbench).remove(self.resource, run_id)

    async def discard(self, run_id: str, workbench: Workbench) -> None:
        """See TrainingExecutor.discard."""
        await self.cancel(run_id, workbench)
        await asyncio.to_thread(workbench.folder(run_id).remove)


_GONE: Final = Exit(None, DELETED, "somebody deleted it")


def patiently(reading: Reading | None, now: datetime) -> Reading | None:
    """The reading without what it is too early to speak of. Pure."""
    early = isinstance(reading, Waiting) and reading.tell_after is not None and now < reading.tell_after
    return Waiting() if early else reading


def conclude(run: Run, child: Json | None, reading: Reading | None, left: Left) -> Observation:
    """What the attempt's object, if there is one, and the run's folder say together. Pure (A9, A11)."""
    if left.record is not None:
        return recorded(left.record)
    if child is None or reading is None:
        return _without_object(run, left)
    reference = _reference(child)
    if child["metadata"].get("deletionTimestamp"):
        return Active(left.progress, reference, f"{reference.kind} {reference.name} is being deleted by somebody")
    match reading:
        case Ended(how):
            return _after(reference, how, left)
        case Finished():
            return _after(reference, Exit(0), left)
    waiting, held = (reading.why, reading.held) if isinstance(reading, Waiting) else ("", False)
    own = reading.progress if isinstance(reading, AtWork) else None
    return Active(own or left.progress, reference, waiting, held)


def _without_object(run: Run, left: Left) -> Observation:
    if run.child is None and not left.begun:
        return NotStarted()
    name = f"{run.child.kind} {run.child.name}" if run.child else "the object of the attempt"
    return Lost(f"{name} is gone", counted=False, resume_step=left.step, exit=_GONE)


def _after(child: ChildReference, how: Exit, left: Left) -> Observation:
    name, meaning = f"{child.kind} {child.name}", how.meaning
    if meaning == "succeeded":
        return Broken(Fault("TrainerFailed", f"{name} ended {left.without_result}"), how)
    if meaning == "permanent":
        reason = how.reason if how.reason and how.code is None else "TrainerFailed"
        return Broken(Fault(reason, f"{name} ended: {how}"), how, left.step)
    return Lost(f"{name} ended: {how}", counted=meaning == "retryable", resume_step=left.step, exit=how)


def _reference(child: Json) -> ChildReference:
    metadata = child["metadata"]
    return ChildReference(str(child["apiVersion"]), str(child["kind"]), str(metadata["name"]), str(metadata["uid"]))


def _children(workbench: Workbench) -> "Children":
    if workbench.children is None:
        raise RuntimeError("a workbench without a cluster cannot carry out an executor of objects")
    return workbench.children
