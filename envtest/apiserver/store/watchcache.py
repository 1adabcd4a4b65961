"""The history of each resource, from which watches resume and past lists are rebuilt; memory is bounded on both sides.

The history forgets from its old end (W-12), a subscription that is not drained is ended rather than grown (W-08).
Nothing here awaits: a subscription calls `wake` when it has something, and the HTTP side decides when to look.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import attrs

from windlass.envtest.apiserver.errors import expired
from windlass.envtest.apiserver.store.storage import ADDED, DELETED, MODIFIED, Change, Key, Stored, versioned

__all__ = ("Selects", "Subscription", "WatchCache", "rewind", "seen")

Selects = Callable[[Stored], bool]


def seen(change: Change, selects: Selects) -> tuple[str, Stored] | None:
    """What a watch with a selector sees of a change (W-11).

    An object that stops matching is DELETED with its previous content under the revision of the change.
    """
    before = change.previous is not None and selects(change.previous)
    if change.type == DELETED:
        return (DELETED, change.current) if before else None
    now = selects(change.current)
    if now:
        return (MODIFIED if before else ADDED), change.current
    if before and change.previous is not None:
        return DELETED, versioned(change.previous.key, change.previous.obj, change.current.revision)
    return None


def rewind(current: Iterable[Stored], newer: Iterable[Change]) -> Iterator[Stored]:
    """The objects as they were before the `newer` changes; both sides in the order of their keys, lazily."""
    past: dict[Key, Stored | None] = {}
    for change in newer:  # the oldest change of a key knows what was before all of them
        past.setdefault(change.current.key, change.previous)
    untouched = (stored for stored in current if stored.key not in past)
    restored = sorted((stored for stored in past.values() if stored is not None), key=lambda stored: stored.key.place)
    return heapq.merge(untouched, restored, key=lambda stored: stored.key.place)


class Subscription:
    """The queue of one watch. `ended` says that the watch fell too far behind or that its resource is gone."""

    def __init__(self, wake: Callable[[], None], pending_max: int, abort: Callable[[], None]) -> None:
        self.pending: deque[Change] = deque()
        self.ended = False
        self._wake = wake
        self._pending_max = pending_max
        self._abort = abort

    def __repr__(self) -> str:
        return f"<Subscription pending={len(self.pending)}{' ended' if self.ended else ''}>"

    def offer(self, change: Change) -> None:
        """Queue a change, or end the subscription when it is full."""
        if self.ended:
            return
        if len(self.pending) >= self._pending_max:
            self.end()
            self._abort()  # its writer may be stuck on a client that does not read
            return
        self.pending.append(change)
        self._wake()

    def end(self) -> None:
        """No further changes; what is queued is dropped, the client resumes from its last version."""
        self.ended = True
        self.pending.clear()
        self._wake()


@attrs.define
class _Channel:
    history: deque[Change]
    forgotten: int  # the revision of the newest change that the history no longer holds
    subscriptions: set[Subscription] = attrs.field(factory=set)


class WatchCache:
    """History and subscriptions of every resource."""

    def __init__(self, oldest: int, *, history_max: int = 10_000, pending_max: int = 10_000) -> None:
        self._oldest = oldest
        self._history_max = history_max
        self._pending_max = pending_max
        self._channels: dict[str, _Channel] = {}

    def __repr__(self) -> str:
        watches = sum(len(channel.subscriptions) for channel in self._channels.values())
        return f"<WatchCache resources={len(self._channels)} watches={watches}>"

    def record(self, change: Change) -> None:
        """Remember a change and hand it to every watch of its resource."""
        channel = self._channel(change.current.key.resource)
        if len(channel.history) >= self._history_max:
            channel.forgotten = channel.history.popleft().current.revision
        channel.history.append(change)
        for subscription in list(channel.subscriptions):
            subscription.offer(change)

    def since(self, resource: str, revision: int) -> list[Change]:
        """The changes after a revision; raises 410 `ApiError` when some of them are forgotten (W-04)."""
        channel = self._channel(resource)
        if revision < channel.forgotten:
            raise expired(f"too old resource version: {revision} ({channel.forgotten})")
        newer: list[Change] = []
        for change in reversed(channel.history):
            if change.current.revision <= revision:
                break
            newer.append(change)
        newer.reverse()
        return newer

    def subscribe(self, resource: str, wake: Callable[[], None], abort: Callable[[], None]) -> Subscription:
        """A queue of the changes from now on; give it back with `unsubscribe`. `abort` is called when it overflows."""
        subscription = Subscription(wake, self._pending_max, abort)
        self._channel(resource).subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, resource: str, subscription: Subscription) -> None:
        """Forget a subscription."""
        self._channel(resource).subscriptions.discard(subscription)

    def end_watches(self, resource: str) -> None:
        """End every watch of a resource, because its definition changed (K-08)."""
        for subscription in list(self._channel(resource).subscriptions):
            subscription.end()

    def restart(self, resource: str, revision: int) -> None:
        """Begin the history of a resource anew, as its definition did at that revision: older watches expire (W-04)."""
        channel = self._channel(resource)
        channel.history.clear()
        channel.forgotten = max(channel.forgotten, revision)

    def compact(self, revision: int) -> None:
        """Forget every change up to a revision, in all resources."""
        self._oldest = max(self._oldest, revision)
        for channel in self._channels.values():
            while channel.history and channel.history[0].current.revision <= revision:
                channel.history.popleft()
            channel.forgotten = max(channel.forgotten, revision)

    def _channel(self, resource: str) -> _Channel:
        channel = self._channels.get(resource)
        if channel is None:
            channel = self._channels[resource] = _Channel(deque(), self._oldest)
        return channel
