"""Objects of attempts are created once, found again, and deleted as nobody else's; only this module writes them.

One attempt has one object under a name of its own (A8, A10). AlreadyExists is success only if the object carries our
uid and operation id (G2); a deletion names the uid it means (G6) and is over when the object and its Pods are gone.
Reads take what the watch has seen, and ask the server before anything is taken to be absent. This module does not know
what an object does.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from windlass.controller.context import Context
from windlass.controller.owners import set_controller
from windlass.controller.subject import subject_of
from windlass.informers import requests
from windlass.informers.api import Api
from windlass.informers.builtins import Pod
from windlass.informers.errors import AlreadyExists, BadRequest, Conflict, Forbidden, Invalid, NotFound
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.requests import PatchType
from windlass.informers.resources import Resource
from windlass.operators.errors import ExecutorUnavailable, ManifestRefused, NameConflict, StillEnding
from windlass.operators.training.childwatch import ChildWatch
from windlass.operators.training.executors.contract import Run
from windlass.operators.training.executors.dressing import ATTEMPT_LABEL, RUN_LABEL, is_ours, operation_of
from windlass.operators.training.executors.patches import includes
from windlass.operators.training.executors.pods import may_write
from windlass.operators.training.identity import child_name
from windlass.operators.training.queues.kueue import (
    GROUP,
    JOB_UID_LABEL,
    VERSIONS,
    understood,
    why_it_waits,
    workload_kind,
)
from windlass.operators.training.types import TrainingJob

if TYPE_CHECKING:
    from windlass.operators.training.executors.objects import ObjectPlan

__all__ = ("Children",)

Json = Mapping[str, Any]


class Children:
    """The objects of one job's attempts, for one look at the job."""

    def __init__(self, ctx: Context, job: TrainingJob, watch: ChildWatch, *, clock: Callable[[], datetime]) -> None:
        self._ctx = ctx
        self._job = subject_of(job)
        self._watch = watch
        self._clock = clock

    def now(self) -> datetime:
        """The wall clock."""
        return self._clock()

    async def require(self, resource: Resource) -> None:
        """Raises ExecutorUnavailable if the cluster does not serve the kind, or refuses us to read it."""
        path = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
        try:
            answer = await self._api.client.send(requests.raw_get(path))
        except NotFound:
            raise _not_installed(resource) from None
        except Forbidden as error:
            raise _forbidden(resource, error) from error
        served = msgspec.json.decode(answer.body).get("resources") or ()
        if resource.plural not in {one.get("name") for one in served}:
            raise _not_installed(resource)
        try:
            await self._api.list(resource, namespace=self._job.key.namespace, labels=RUN_LABEL, limit=1)
        except Forbidden as error:
            raise _forbidden(resource, error) from error

    async def kueue(self) -> str:
        """The version in which the cluster serves Kueue's kinds; empty if it does not, or in none that we know."""
        followed = [version for version in VERSIONS if self._watch.follows(workload_kind(version))]
        if followed:
            return followed[0]
        try:
            answer = await self._api.client.send(requests.raw_get(f"/apis/{GROUP}"))
        except NotFound:
            return ""
        return understood([str(one.get("version")) for one in msgspec.json.decode(answer.body).get("versions") or ()])

    async def why_held(self, child: Json, local_queue: str) -> str:
        """Why Kueue has not let an object of ours go on, for people."""
        version, uid = await self.kueue(), str(child["metadata"]["uid"])
        if not version:
            return "it is suspended for Kueue, which the cluster does not have any more"
        kind = workload_kind(version)
        self._watch.follow(kind, label=JOB_UID_LABEL)
        try:
            seen = self._watch.of_run(kind, uid)
            found = await self._selected(kind, uid, label=JOB_UID_LABEL) if seen is None else seen
        except (Forbidden, NotFound) as error:
            return f"it waits for Kueue, whose Workloads we may not read: {error}"
        return why_it_waits(found[0].to_dict() if found else None, local_queue)

    async def find(self, resource: Resource, run: Run) -> dict[str, Any] | None:
        """The object under the attempt's name, whoever's it is; None if the server has none."""
        key = Key(run.key.namespace, child_name(run.key.name, run.id, run.attempt))
        self._watch.follow(resource)
        found = self._watch.get(resource, key) or await self._live(resource, key)
        return None if found is None else found.to_dict()

    async def pods(self, run: Run, *, live: bool = False) -> list[dict[str, Any]]:
        """The Pods of the attempt, by name; with `live` as the server has them now."""
        self._watch.follow(Pod)
        seen = None if live else self._watch.of_run(Pod, run.id)
        found = await self._selected(Pod, run.id) if seen is None else seen
        attempt = str(run.attempt)
        mine = [one for one in found if one.namespace == run.key.namespace and one.labels.get(ATTEMPT_LABEL) == attempt]
        return [one.to_dict() for one in sorted(mine, key=lambda one: one.name)]

    async def create(self, plan: "ObjectPlan") -> None:
        """Create the attempt's object, unless it is there.

        Raises ExecutorUnavailable, NameConflict and ManifestRefused.
        """
        resource, body = plan.resource, msgspec.json.decode(plan.manifest)
        key = Key(body["metadata"]["namespace"], body["metadata"]["name"])
        self._watch.follow(resource)
        self._watch.follow(Pod)
        try:
            await self._api.create(resource, set_controller(body, self._job))
        except AlreadyExists:
            found = await self._live(resource, key)
            if found is not None and not is_ours(found.to_dict(), plan.run):
                raise NameConflict(
                    f"{resource.kind} {key} is somebody else's: it does not carry the job's uid and the attempt's "
                    "operation id; delete it or rename it, then change the spec"
                ) from None
        except NotFound as error:
            raise _not_installed(resource) from error
        except Forbidden as error:
            raise _forbidden(resource, error) from error
        except (Invalid, BadRequest) as error:
            raise ManifestRefused(f"{resource.kind} {key} is refused by the API server: {error}") from error

    async def is_clear(self, resource: Resource, run: Run) -> bool:
        """Whether nothing of another attempt of the run is left that could write; what is left is told to go (A10)."""
        return await self._end(resource, run.id, but=run.op_id)

    async def remove(self, resource: Resource, run_id: str) -> None:
        """Delete every object of a run. Raises StillEnding until they and their Pods are gone. Idempotent."""
        if not await self._end(resource, run_id, but=None):
            raise StillEnding(f"{resource.kind} of the run {run_id} is being deleted")

    async def suspend(self, resource: Resource, run: Run, patch: Json) -> None:
        """Patch the attempt's object, if there is one. Raises StillEnding while a Pod of it may write.

        A server that drops the patch, being too old to know the field, cannot suspend: then the object is deleted.
        """
        patched = await self._patch(resource, run, patch)
        if patched is not None and not includes(patched.to_dict(), patch):
            await self._delete(resource, patched)
        if any(may_write(pod, self._clock()) for pod in await self.pods(run, live=True)):
            raise StillEnding(f"the Pods of {resource.kind} {child_name(run.key.name, run.id, run.attempt)} are ending")

    async def resume(self, resource: Resource, run: Run, patch: Json) -> None:
        """Patch the attempt's object, if there is one and it is not so already."""
        await self._patch(resource, run, patch)

    def __repr__(self) -> str:
        return f"<Children of {self._job}>"

    @property
    def _api(self) -> Api:
        return self._ctx.api

    async def _live(self, resource: Resource, key: Key) -> Object | None:
        try:
            return await self._api.get(resource, key)
        except NotFound:
            return None

    async def _selected(self, resource: Resource, value: str, *, label: str = RUN_LABEL) -> Sequence[Object]:
        selector = f"{label}={value}"
        return (await self._api.list(resource, namespace=self._job.key.namespace, labels=selector)).items

    async def _end(self, resource: Resource, run_id: str, *, but: str | None) -> bool:
        try:
            found = await self._selected(resource, run_id)
        except NotFound:  # the kind is gone, and its objects with it
            found = ()
        operations = {one.uid: operation_of(one.to_dict(), self._job.uid) for one in found}
        left = [one for one in found if operations[one.uid] not in (None, but)]
        for one in left:
            if one.deletion is None:
                # In the foreground, so that the object stays for as long as its Pods do.
                await self._delete(resource, one)
        return not left and not await self._lingering(run_id, but)

    async def _delete(self, resource: Resource, found: Object) -> None:
        try:
            await self._api.delete(resource, found.key, uid=found.uid, propagation="Foreground")
        except (NotFound, Conflict):
            return  # gone, or another's by now: what is left is looked at again

    async def _lingering(self, run_id: str, but: str | None) -> bool:
        pods = [one.to_dict() for one in await self._selected(Pod, run_id)]
        others = [pod for pod in pods if operation_of(pod, self._job.uid) not in (None, but)]
        return any(may_write(pod, self._clock()) for pod in others)

    async def _patch(self, resource: Resource, run: Run, patch: Json) -> Object | None:
        """The object as it is then; None if there is none of ours."""
        found = await self._live(resource, Key(run.key.namespace, child_name(run.key.name, run.id, run.attempt)))
        if found is None or found.deletion is not None or not is_ours(body := found.to_dict(), run):
            return None
        if includes(body, patch):
            return found
        # Whose object it is must not have changed meanwhile; what its controller says of it may.
        guarded = {**patch, "metadata": {"uid": found.uid}}
        return await self._api.patch(resource, found.key, guarded, type=PatchType.MERGE)


def _not_installed(resource: Resource) -> ExecutorUnavailable:
    message = f"the cluster does not serve {resource.kind} of {resource.api_version}; whoever runs it can install it"
    return ExecutorUnavailable(message, reason="KindNotInstalled")


def _forbidden(resource: Resource, error: Forbidden) -> ExecutorUnavailable:
    message = f"the API server does not let us work with {resource.plural}.{resource.group}: {error}"
    return ExecutorUnavailable(message, reason="ExecutorForbidden")
