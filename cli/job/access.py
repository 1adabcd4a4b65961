"""The way from a command's options to the jobs of one cluster; whatever is not there is said in one sentence.

Promotions and Events belong to a job's story but not to every cluster, nor to what everybody may read: where they
cannot be had, the story is told without them. This module does not know how anything is shown.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import click

from windlass.cli.options import FILE, NAME
from windlass.informers import Api, Client, Cluster, Event, Key
from windlass.informers.errors import Forbidden, NotFound
from windlass.informers.objects import Object
from windlass.operators.promotion.types import Promotion
from windlass.operators.training import TrainingJob
from windlass.statemachine.errors import WindlassError

__all__ = ("DEFAULT_NAMESPACE", "Jobs", "NoSuchJob", "Place", "at_place", "open_jobs")

DEFAULT_NAMESPACE: Final = "default"
F = TypeVar("F", bound=Callable[..., Any])


class NoSuchJob(WindlassError):
    """There is no job of that name, or no such kind in this cluster."""


@attrs.frozen
class Place:
    """Where to look: a cluster and a namespace, or what the kubeconfig says."""

    kubeconfig: Path | None = None
    namespace: str | None = None


def at_place(function: F) -> F:
    """Add `--kubeconfig` and `-n` to a command; it gets them as keywords, for `Place`."""
    kubeconfig = click.option(
        "--kubeconfig", type=FILE, help="Default: $KUBECONFIG, ~/.kube/config, the pod's account."
    )
    namespace = click.option("-n", "--namespace", type=NAME, help="Default: that of the kubeconfig's context.")
    return kubeconfig(namespace(function))


class Jobs:
    """The jobs of one namespace. Methods raise NoSuchJob and what `Api` raises."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api = api
        self.namespace = namespace

    async def get(self, name: str) -> Object:
        """The job as the server has it now."""
        key = Key(self.namespace, name)
        try:
            return await self.api.get(TrainingJob, key)
        except NotFound as error:
            raise await self._absent(key) from error

    async def everyone(self, *, everywhere: bool = False) -> list[Object]:
        """All jobs of the namespace, or of all of them, by name."""
        try:
            found = await self.api.list(TrainingJob, namespace=None if everywhere else self.namespace)
        except NotFound as error:
            raise _unknown_kind() from error
        return sorted(found.items, key=lambda one: one.key)

    async def promotions(self, *, everywhere: bool = False) -> dict[tuple[str, str], Promotion]:
        """Every promotion that a job owns, by the job's uid and its own name; none where there are none to be seen."""
        try:
            listed = await self.api.list(Promotion, namespace=None if everywhere else self.namespace)
        except (NotFound, Forbidden):
            return {}
        found = [one.as_(Promotion) for one in listed.items]
        return {(owner.uid, one.metadata.name): one for one in found for owner in one.metadata.owner_references}

    async def events(self, job: Object) -> list[dict[str, Any]]:
        """The Events about this job, the oldest first; none where they may not be read."""
        try:
            listed = await self.api.list(Event, namespace=job.namespace, fields=f"involvedObject.uid={job.uid}")
        except (NotFound, Forbidden):
            return []
        return sorted((one.to_dict() for one in listed.items), key=_last_seen)

    async def _absent(self, key: Key) -> NoSuchJob:
        try:
            known = [one.name for one in await self.everyone()]
        except Forbidden:
            known = []
        shown = f"; there are {', '.join(known[:5])}{' and others' * (len(known) > 5)}" if known else ""
        return NoSuchJob(f"there is no TrainingJob {key}{shown}")


@asynccontextmanager
async def open_jobs(place: Place) -> AsyncIterator[Jobs]:
    """The jobs at that place. Raises ConfigError for a kubeconfig that cannot be used, and as `Client` does."""
    cluster = await Cluster.load(place.kubeconfig)
    async with Client(cluster) as client:
        yield Jobs(Api(client), place.namespace or cluster.namespace or DEFAULT_NAMESPACE)


def _unknown_kind() -> NoSuchJob:
    return NoSuchJob(
        "this cluster has no TrainingJobs: "
        "`windlass crd generate windlass.operators.training:TrainingJob` prints their definition, for kubectl apply"
    )


def _last_seen(event: dict[str, Any]) -> str:
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or (event.get("metadata") or {}).get("creationTimestamp")
        or ""
    )
