"""Whatever happens to an object of ours wakes its job; a kind is watched from when it is first needed.

So a cluster need not have every kind that an executor could use, and what is watched is what carries our label. Objects
seen here may be behind the server, never ahead of it. This module does not know what the objects mean.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from windlass.informers.client import Client
from windlass.informers.informer import Informer
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.resources import Resource
from windlass.informers.store import Change, Updated
from windlass.operators.training.executors.dressing import JOB_ANNOTATION, RUN_LABEL

__all__ = ("ChildWatch",)

_OF_A_RUN: Final = "run"


class ChildWatch:
    """Informers of our objects, a kind each; a runnable of the manager.

    `client` is asked for when the first kind is followed, for a manager has none before its start.
    """

    name = "training-children"

    def __init__(
        self, wake: Callable[[Key], None], client: Callable[[], Client], *, namespace: str | None = None
    ) -> None:
        self._wake = wake
        self._client = client
        self._namespace = namespace
        self._informers: dict[Resource, Informer] = {}  # changed on the loop only
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Own the informers until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for resource, informer in self._informers.items():
                    self._start(resource, informer)
                group.create_task(asyncio.Event().wait(), name="training children")
        finally:
            self._group = None

    async def ready(self) -> None:
        """Wait until everything that is followed has been seen once. Raises NotSynced when this ends before."""
        for informer in tuple(self._informers.values()):
            await informer.ready()

    def follow(self, resource: Resource, *, label: str = RUN_LABEL) -> None:
        """Watch this kind from now on, if it was not watched: the objects with the label, which `of_run` goes by."""
        if resource in self._informers:
            return
        informer = Informer(self._client(), resource, namespace=self._namespace, labels=label)
        informer.store.add_index(_OF_A_RUN, lambda one: [one.labels[label]] if label in one.labels else [])
        informer.add_handler(self._tell, name="training children")
        self._informers[resource] = informer
        self._start(resource, informer)

    def follows(self, resource: Resource) -> bool:
        """Whether this kind is watched."""
        return resource in self._informers

    def get(self, resource: Resource, key: Key) -> Object | None:
        """The object as last seen; None if it was never seen or is gone, which only the server can tell apart."""
        informer = self._informers.get(resource)
        return None if informer is None else informer.store.get(key)

    def of_run(self, resource: Resource, run: str) -> list[Object] | None:
        """The objects of a run as last seen; None while not all of them have been."""
        informer = self._informers.get(resource)
        return None if informer is None or not informer.has_synced else informer.store.by_index(_OF_A_RUN, run)

    def __repr__(self) -> str:
        return f"<ChildWatch {', '.join(sorted(str(one) for one in self._informers)) or 'of nothing yet'}>"

    def _start(self, resource: Resource, informer: Informer) -> None:
        if self._group is not None:
            self._group.create_task(informer.run(), name=f"children {resource}")

    def _tell(self, change: Change) -> None:
        found = change.new if isinstance(change, Updated) else change.object
        job = found.annotations.get(JOB_ANNOTATION) or self._job_of_owner(found)
        if job:
            self._wake(Key(found.namespace, job))

    def _job_of_owner(self, found: Object) -> str:
        """The job of the object that controls what somebody else has made of it."""
        controls = next((one for one in found.owner_references if one.controller), None)
        if controls is None:
            return ""
        key = Key(found.namespace, controls.name)
        owners = (informer.store.get(key) for informer in self._informers.values())
        jobs = (
            one.annotations.get(JOB_ANNOTATION, "") for one in owners if one is not None and one.uid == controls.uid
        )
        return next(jobs, "")
