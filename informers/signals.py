"""What a reflector is told (events) and what it wants done (effects); values only, no behaviour.

Those of which there is one for each change are structs, which are made in a fifth of the time.
"""

from collections.abc import Sequence
from typing import Literal

import attrs
import msgspec

from windlass.informers.objects import Object
from windlass.informers.phases import Failure

__all__ = (
    "Advance",
    "BookmarkSeen",
    "Commit",
    "Discard",
    "Effect",
    "ErrorSeen",
    "Event",
    "FetchPage",
    "ItemsRead",
    "ListFailed",
    "ObjectSeen",
    "OpenWatch",
    "PageRead",
    "Publish",
    "Report",
    "Skipped",
    "Stage",
    "Start",
    "Stop",
    "StreamEnded",
    "Unstage",
    "Wait",
    "Waited",
    "WatchOpened",
    "WatchRefused",
)


@attrs.frozen
class Start:
    """Begin."""


@attrs.frozen
class Stop:
    """End, from wherever."""


@attrs.frozen
class ItemsRead:
    """Part of a page."""

    objects: Sequence[Object]


@attrs.frozen
class PageRead:
    """The rest of a page, and what the list says of itself."""

    objects: Sequence[Object]
    version: str
    continue_token: str = ""


@attrs.frozen
class ListFailed:
    """A page did not come, or not whole."""

    failure: Failure


@attrs.frozen
class WatchOpened:
    """The server has accepted the watch."""


@attrs.frozen
class WatchRefused:
    """The server has not, or there was none."""

    failure: Failure


class ObjectSeen(msgspec.Struct, frozen=True, gc=False):
    """An ADDED, MODIFIED or DELETED event."""

    type: str
    object: Object


@attrs.frozen
class BookmarkSeen:
    """A BOOKMARK event; `initial_end` when it is marked as the end of the initial events."""

    version: str
    initial_end: bool = False


@attrs.frozen
class Skipped:
    """An event that is of no use: of a wrong kind, of an unknown type. Its version counts all the same (R20)."""

    version: str


@attrs.frozen
class ErrorSeen:
    """An ERROR event: a Status, not an object (R15)."""

    failure: Failure


@attrs.frozen
class StreamEnded:
    """The stream is over: cleanly, or for a failure."""

    failure: Failure | None = None


@attrs.frozen
class Waited:
    """The time of a Wait, or of `wake_at`, has come."""


Event = (
    Start
    | Stop
    | ItemsRead
    | PageRead
    | ListFailed
    | WatchOpened
    | WatchRefused
    | ObjectSeen
    | BookmarkSeen
    | Skipped
    | ErrorSeen
    | StreamEnded
    | Waited
)


@attrs.frozen
class FetchPage:
    """Ask for a page. `limit` 0: all in one."""

    version: str
    limit: int
    continue_token: str = ""


@attrs.frozen
class OpenWatch:
    """Close any stream and ask for a new one."""

    version: str
    initial_events: bool = False


@attrs.frozen
class Wait:
    """Close any stream; wait as the backoff says for this number of earlier failures, and no less than this."""

    failures: int
    seconds_min: float = 0.0


class Stage(msgspec.Struct, frozen=True, gc=False):
    """Keep these aside, by key: they are part of a list that is not complete."""

    objects: Sequence[Object]


@attrs.frozen
class Unstage:
    """One of those is gone already."""

    object: Object


@attrs.frozen
class Discard:
    """Forget what was kept aside: the list has failed (R6)."""


@attrs.frozen
class Commit:
    """What was kept aside is the state at this version: replace the store by it, in one step (R5)."""

    version: str


class Publish(msgspec.Struct, frozen=True, gc=False):
    """One change to one object."""

    type: str
    object: Object


@attrs.frozen
class Advance:
    """The copy is complete up to this version, though nothing changed (R10)."""

    version: str


@attrs.frozen
class Report:
    """Something for the log and the counters: `relist`, `rewatch` or `no_streaming`, and the failure behind it."""

    what: Literal["relist", "rewatch", "no_streaming"]
    failure: Failure | None


Effect = FetchPage | OpenWatch | Wait | Stage | Unstage | Discard | Commit | Publish | Advance | Report
