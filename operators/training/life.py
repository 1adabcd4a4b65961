"""A job lives on while what it is to do stays the same; steering it ends no life, and a change of the work does.

So a finished job runs again only when its work has changed, or `retryGeneration` was raised (G3). A field that says
nothing but its default does not count, so that a newer version of the kind, with more fields, begins no job anew. This
module does not know what happens in a life.
"""

from typing import Any, Final

import attrs

from windlass.operators.ownership import belongs_to_another
from windlass.operators.training.types import TrainingJob, TrainingJobSpec
from windlass.statemachine.journal import digest

__all__ = ("STEERING", "same_life", "work_digest", "worked_elsewhere")

# What says when and how often to try, and whether to; everything else says what comes out of it. Of these,
# `retry_generation` alone can begin a life: by a rise, and not by being lowered, as when a manifest is put back.
STEERING: Final = frozenset(
    {
        "active_deadline_seconds",
        "cancel",
        "priority",
        "queue",
        "retries",
        "retry_generation",
        "suspend",
        "ttl_seconds_after_finished",
    }
)


def work_digest(spec: TrainingJobSpec) -> str:
    """The same for specs that ask for the same work: of all fields but those that steer, defaults left out."""
    return digest({name: value for name, value in _told(spec).items() if name not in STEERING})


def same_life(job: TrainingJob) -> bool:
    """Whether the status speaks of the work that the spec asks for now; otherwise a new life begins (C-25)."""
    status = job.status
    if status.observed_generation in (0, job.metadata.generation):
        return status.observed_generation != 0
    risen = job.spec.retry_generation > status.retry_generation
    return not risen and status.work_digest == work_digest(job.spec)


def worked_elsewhere(job: TrainingJob, operator: str) -> bool:
    """Whether another operator works the job: its runs lie in folders that this one does not see, with their locks."""
    return belongs_to_another(job.status.operator, operator)


def _told(value: Any) -> dict[str, Any]:
    return attrs.asdict(value, filter=lambda field, found: found != _default(field))


def _default(field: "attrs.Attribute[Any]") -> Any:
    factory = getattr(field.default, "factory", None)
    return field.default if factory is None else factory()
