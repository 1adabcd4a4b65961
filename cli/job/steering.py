"""A job is steered by its spec alone: one field is patched, and what the server stored says whether that took effect.

What follows is the operator's to do. This module does not know when it will be.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from windlass.cli.job.access import Jobs, NoSuchJob
from windlass.cli.job.summary import summary_of
from windlass.informers import Key
from windlass.informers.errors import NotFound
from windlass.informers.requests import PatchType
from windlass.operators.training import TrainingJob
from windlass.statemachine.errors import WindlassError

__all__ = ("CANCEL", "RESUME", "SUSPEND", "NotSteerable", "Steering", "steer")


class NotSteerable(WindlassError):
    """The job has ended, or this cluster's definition of it has no such field."""


@attrs.frozen
class Steering:
    """What to make of a job: a field of its spec, the value, and how that is told."""

    field: str
    value: bool
    done: str
    already: str


SUSPEND: Final = Steering("suspend", value=True, done="is to be suspended", already="is suspended already")
RESUME: Final = Steering("suspend", value=False, done="is to go on", already="is not suspended")
CANCEL: Final = Steering("cancel", value=True, done="is to be cancelled", already="is cancelled already")


async def steer(jobs: Jobs, name: str, steering: Steering) -> str:
    """Patch the job; answers what to tell. Raises NotSteerable, NoSuchJob, and what `Api` raises."""
    job = await jobs.get(name)
    summary = summary_of(job)
    spec = job.to_dict().get("spec") or {}
    if bool(spec.get(steering.field, False)) == steering.value:
        return f"{job.key} {steering.already}"
    if summary.ended:
        raise NotSteerable(f"{job.key} has ended: it is {summary.phase}")
    if steering is RESUME and spec.get("cancel"):
        raise NotSteerable(f"{job.key} is cancelled, which cannot be taken back")
    key = Key(job.namespace, job.name)
    patch: Mapping[str, object] = {
        "metadata": {"uid": job.uid},  # another job of this name is not the one that was asked about
        "spec": {steering.field: steering.value},
    }
    try:
        stored = await jobs.api.patch(TrainingJob, key, patch, type=PatchType.MERGE)
    except NotFound as error:
        raise NoSuchJob(f"{key} was deleted just now") from error
    if bool((stored.to_dict().get("spec") or {}).get(steering.field, False)) != steering.value:
        raise NotSteerable(
            f"this cluster's definition of TrainingJob has no field spec.{steering.field}: "
            "`windlass crd generate windlass.operators.training:TrainingJob` prints one that has"
        )
    return f"{job.key} {steering.done}"
