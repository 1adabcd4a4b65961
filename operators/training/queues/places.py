"""A queue never has more jobs at work than places, whatever the cache has not seen yet, and nobody overtakes elders.

Who is admitted is remembered until the cache shows what became of it: between the decision to start and the moment when
the cache has it, the place is taken already. No coroutine runs between the look at the cache and the note, so no two
jobs are admitted to one place. One process at a time gives places away, the leader. This module does not know how jobs
are started.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import attrs

from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.store import Added, Change, Deleted, Updated
from windlass.operators.training.queues.entries import Entries, Entry, entry_of

__all__ = ("DEFAULT_QUEUE", "Admitted", "Place", "Places", "Standing", "Unknown")

DEFAULT_QUEUE = "default"


@attrs.frozen
class Admitted:
    """The job has a place, and may start. `queue` is the one that gave it, if that is not the job's own."""

    queue: str = ""


@attrs.frozen
class Standing:
    """The job waits at this position, from 1 on, in a queue with so many places, of which so many are taken."""

    position: int
    taken: int
    places: int


@attrs.frozen
class Unknown:
    """There is no queue of this name; these there are."""

    known: tuple[str, ...]


Place: TypeAlias = Admitted | Standing | Unknown


class Places:
    """The places of each queue. A queue without a number has no limit, if it is the default one, else there is none."""

    def __init__(self, queues: Mapping[str, int]) -> None:
        self._queues = dict(queues)
        self._entries = Entries()
        self._admitted: dict[str, str] = {}  # the queue that a job, by uid, was admitted to
        self._aside: set[str] = set()

    def limited(self, queue: str) -> bool:
        """Whether a job must ask for a place in this queue."""
        return queue in self._queues or queue != DEFAULT_QUEUE

    def enter(self, uid: str, queue: str, objects: Iterable[Object]) -> Place:
        """Ask for a place for the job of this uid. `objects` are all TrainingJobs that the cache has.

        Who was admitted before and has not begun yet is admitted again.
        """
        if queue not in self._queues:
            return Unknown(tuple(sorted({DEFAULT_QUEUE, *self._queues})))
        self._aside.discard(uid)
        entries = self._entries.of(objects)
        waiting, taken = self._survey(queue, entries)
        if self._admitted.get(uid) == queue:
            return Admitted()
        places, position = self._queues[queue], _index(uid, waiting)
        if taken + position >= places:
            return Standing(position + 1, taken, places)
        self._admitted[uid] = queue
        return Admitted()

    def stand_aside(self, uid: str) -> None:
        """The job could not start if it had a place: until it asks for one, nobody waits behind it."""
        self._admitted.pop(uid, None)
        self._aside.add(uid)

    def leave(self, uid: str) -> None:
        """The job is known not to wait: what was promised to it is kept, or nobody wants it any more."""
        self._admitted.pop(uid, None)
        self._aside.discard(uid)

    def freed(self, change: Change, objects: Callable[[], Sequence[Object]]) -> list[Key]:
        """The jobs that may have a place since this change: a job has given one back, or may have."""
        before, after = _sides(change)
        if before is None or not (before.holds or before.waits):
            return []
        if after is not None and after.queue == before.queue and (after.holds or after.waits):
            return []
        places = self._queues.get(before.queue)
        if places is None:
            return []
        waiting, taken = self._survey(before.queue, self._entries.of(objects()))
        return [entry.key for entry in waiting[: max(0, places - taken)]]

    def _survey(self, queue: str, entries: Sequence[Entry]) -> tuple[list[Entry], int]:
        """Who waits, in order, without those admitted; and how many places are taken."""
        waiting = {entry.uid: entry for entry in entries if entry.waits}
        # A promise is void as soon as the cache shows the job anywhere but at the door that it was admitted through.
        self._admitted = {uid: at for uid, at in self._admitted.items() if uid in waiting and waiting[uid].queue == at}
        holding = sum(entry.holds and entry.queue == queue for entry in entries)
        promised = sum(at == queue for at in self._admitted.values())
        others = self._admitted.keys() | self._aside
        mine = [entry for uid, entry in waiting.items() if entry.queue == queue and uid not in others]
        return sorted(mine, key=lambda entry: entry.rank), holding + promised

    def __repr__(self) -> str:
        return f"<Places queues={len(self._queues)} admitted={len(self._admitted)}>"


def _index(uid: str, waiting: Sequence[Entry]) -> int:
    """How many stand before the job; one that the cache does not show at the end of the queue stands behind all."""
    return next((index for index, entry in enumerate(waiting) if entry.uid == uid), len(waiting))


def _sides(change: Change) -> tuple[Entry | None, Entry | None]:
    match change:
        case Added():
            return None, None
        case Updated(old=old, new=new):
            return entry_of(old), entry_of(new)
        case Deleted(object=obj):
            return entry_of(obj), None
