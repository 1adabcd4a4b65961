"""What a queue knows of a job is read from the object as the cluster has it, and nothing else of it is looked at.

This module does not know who gets a place.
"""

from collections.abc import Iterable

import attrs
import msgspec

from windlass.informers.keys import Key
from windlass.informers.objects import Object

__all__ = ("Entries", "Entry", "entry_of")


class _Spec(msgspec.Struct):
    queue: str = "default"
    priority: int = 0
    suspend: bool = False
    cancel: bool = False


class _Run(msgspec.Struct):
    queue: str = ""


class _Status(msgspec.Struct):
    phase: str = ""
    run: _Run | None = None


class _Meta(msgspec.Struct, rename="camel"):
    creation_timestamp: str = ""


class _Job(msgspec.Struct):
    metadata: _Meta
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


_DECODER = msgspec.json.Decoder(_Job)


@attrs.frozen
class Entry:
    """A job in its queue. It holds a place while it trains, and waits for one once its data is pinned."""

    key: Key
    uid: str
    queue: str
    phase: str
    priority: int = 0
    created: str = ""
    leaves: bool = False  # it is to be suspended, cancelled or deleted

    @property
    def holds(self) -> bool:
        """Whether it has a place; one that is being deleted has it until its trainer is gone."""
        return self.phase == "Running"

    @property
    def waits(self) -> bool:
        """Whether it wants a place."""
        return self.phase == "Queued" and not self.leaves

    @property
    def rank(self) -> tuple[int, str, Key]:
        """The smaller, the sooner: by priority, then age, then name."""
        return (-self.priority, self.created, self.key)


def entry_of(obj: Object) -> Entry:
    """The entry of a TrainingJob. One that is not as its definition says counts as one that neither has nor wants."""
    try:
        job = _DECODER.decode(obj.raw)
    except msgspec.DecodeError:
        return Entry(obj.key, obj.uid, "", "")
    spec, status, leaves = job.spec, job.status, obj.deletion is not None
    # A place is one of the queue that gave it, whatever the spec says meanwhile.
    given = status.run.queue if status.run is not None and status.phase == "Running" else ""
    return Entry(
        key=obj.key,
        uid=obj.uid,
        queue=given or spec.queue,
        phase=status.phase,
        priority=spec.priority,
        created=job.metadata.creation_timestamp,
        leaves=leaves or spec.suspend or spec.cancel,
    )


class Entries:
    """The entries of all jobs, each object decoded once for each of its versions."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Entry]] = {}  # by uid, with the version that was decoded

    def of(self, objects: Iterable[Object]) -> list[Entry]:
        """The entries of these objects, which are all there are."""
        known: dict[str, tuple[str, Entry]] = {}
        for obj in objects:
            found = self._known.get(obj.uid)
            fresh = found is not None and found[0] == obj.resource_version
            known[obj.uid] = found if found is not None and fresh else (obj.resource_version, entry_of(obj))
        self._known = known
        return [entry for _, entry in known.values()]

    def __repr__(self) -> str:
        return f"<Entries {len(self._known)}>"
