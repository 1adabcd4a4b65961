"""The timeline of a job as a page of the manager's probe server: what the cache shows at the moment it is asked for."""

from collections.abc import Callable
from typing import Final

from windlass.controller.pages import Page
from windlass.informers.cache import Cache
from windlass.informers.errors import StructureError, UnregisteredKind
from windlass.informers.keys import Key
from windlass.operators.promotion.types import Promotion
from windlass.operators.training.timeline.history import history_of
from windlass.operators.training.timeline.picture import draw
from windlass.operators.training.types import TrainingJob

__all__ = ("TIMELINE", "promotion_of", "timeline_page")

TIMELINE: Final = "timeline"


def timeline_page(cache: Callable[[], Cache]) -> Page:
    """`/debug/timeline?key=namespace/name`: the picture as SVG; nothing for a job without history."""

    def show(key: Key) -> str | None:
        found = cache().get(TrainingJob, key)
        if found is None:
            return None
        try:
            job = found.as_(TrainingJob)
            history = history_of(job, promotion_of(cache(), job))
        except StructureError:
            return None
        return None if history is None else draw(history)

    return Page(TIMELINE, "image/svg+xml", show)


def promotion_of(cache: Cache, job: TrainingJob) -> Promotion | None:
    """The promotion that is on record of the job's life, not that of an earlier one; None if not cached either."""
    record = job.status.promotion
    if record is None:
        return None
    try:
        found = cache.list(Promotion, owner_uid=job.metadata.uid)
    except UnregisteredKind:
        return None
    return next((one.as_(Promotion) for one in found if one.name == record.name), None)
