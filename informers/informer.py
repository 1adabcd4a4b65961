"""An informer is a copy of one collection: it says when it is complete, and tells handlers of every change.

It follows all namespaces, or a set of them that may change while it runs; each has a feed of its own, and all flow into
one store. The store is changed before any handler is told (I1).
"""

import asyncio
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import attrgetter

import attrs

from windlass.informers.barrier import Barrier
from windlass.informers.client import Client
from windlass.informers.contact import Complaints
from windlass.informers.errors import InformerStopped, NotSynced
from windlass.informers.feed import Feed, FeedOptions
from windlass.informers.handlers import Handler, Registration
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.requests import ListOptions
from windlass.informers.resources import Resource
from windlass.informers.signals import Report
from windlass.informers.slices import Slices, in_slices
from windlass.informers.store import Added, Change, Deleted, Store, StoreWriter, Updated
from windlass.informers.subscription import Subscription

__all__ = ("Informer", "Statistics")

log = logging.getLogger(__name__)

_WAITS = attrgetter("waits")
_COUNTED: Mapping[type[Change], str] = {Added: "added", Updated: "updated", Deleted: "deleted"}
ALL = ""


@attrs.frozen
class Statistics:
    """What an informer has been doing. Counters are since its start; `last_event_age_seconds` is None before any."""

    objects: int
    bytes_held: int
    synced: bool
    events: Mapping[str, int]
    relists: Mapping[str, int]
    rewatches: Mapping[str, int]
    handlers: int
    handler_failures: Mapping[str, int]
    pending: int
    last_event_age_seconds: float | None
    lag_seconds: float | None
    barrier_waits: int
    barrier_timeouts: int
    barrier_incomparable: int
    last_failure: str
    cut_off_seconds: float


class Informer:
    """A live copy of one collection. Inert until `run`."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        *,
        namespace: str | Collection[str] | None = None,
        labels: str | None = None,
        fields: str | None = None,
        metadata_only: bool = False,
        options: FeedOptions | None = None,
    ) -> None:
        self.client = client
        self.resource = resource
        self.store = Store()
        self.barrier = Barrier(self.store, str(resource))
        self._writer = StoreWriter(self.store)
        self._options = options or FeedOptions()
        self._select = ListOptions(None, labels, fields, metadata_only)
        self._namespaces = _namespaces(namespace, resource)
        # Touched by the loop's thread only, between two awaits.
        self._feeds: dict[str, _Followed] = {}
        self._registrations: list[Registration] = []
        self._group: asyncio.TaskGroup | None = None
        self._over = False
        self._work = asyncio.Event()
        self._committing = 0
        self._progress = asyncio.Event()  # set, and replaced, whenever `ready` should look again
        self._events = {"added": 0, "updated": 0, "deleted": 0, "bookmark": 0}
        self._relists: dict[str, int] = {}
        self._rewatches: dict[str, int] = {}
        self._last_event_at: float | None = None
        self._complaints = Complaints()

    @property
    def namespaces(self) -> frozenset[str]:
        """The namespaces followed; empty for all."""
        return self._namespaces - {ALL}

    @property
    def has_synced(self) -> bool:
        """Whether the store has held a whole list of every namespace (true for an empty one, I6)."""
        return len(self._feeds) == len(self._namespaces) and all(feed.synced for feed in self._feeds.values())

    def add_handler(self, handler: Handler, *, name: str, resync_seconds: float | None = None) -> Registration:
        """Tell `handler` of everything there is, as initial Added, then of every change, without gap or repeat (I4).

        With `resync_seconds`, at least 1, it is also told of every object again and again, from the store, as Updated
        with old and new the same (I10). Raises InformerStopped when the informer has ended (I7).
        """
        if self._over:
            raise InformerStopped(f"the informer of {self.resource} has ended: handler {name} cannot be added")
        if resync_seconds is not None and resync_seconds < 1.0:
            raise ValueError(f"handler {name}: resync_seconds must be at least 1, found {resync_seconds}")
        registration = Registration(handler, name=name, forget=self._registrations.remove)
        registration.resync_seconds = resync_seconds
        self._registrations.append(registration)
        held = self.store.list()
        registration.enqueue((Added(one, initial=True) for one in held), len(held), synced=self.has_synced)
        self._work.set()
        return registration

    def subscribe(self, *, name: str, capacity: int = 1024) -> Subscription:
        """Changes for a coroutine: an async iterator with a queue of `capacity`; see Subscription for its overflow."""
        subscription = Subscription(self.store, name=name, capacity=capacity)
        subscription.registration = self.add_handler(subscription.offer, name=name)
        return subscription

    async def ready(self, timeout: float | None = None) -> None:
        """Wait until synced. Raises NotSynced when the informer ends first or `timeout` seconds pass, saying why."""
        try:
            async with asyncio.timeout(timeout):
                while not (self.has_synced or self._over):
                    await self._progress.wait()
        except TimeoutError:
            raise NotSynced(f"no complete copy of {self.resource} after {timeout:g} s: {self.why()}") from None
        if not self.has_synced:
            raise NotSynced(f"the informer of {self.resource} ended before its copy was complete: {self.why()}")

    def why(self) -> str:
        """The last failure in words, or what it is waiting for."""
        if self._complaints.text:
            return self._complaints.text
        return "it is not running" if self._group is None else f"no answer from {self.client.cluster.server} yet"

    def cut_off_seconds(self) -> float:
        """For how long every request has failed, of the namespace that fares worst; 0.0 in contact, however quiet."""
        lost = [one.feed.contact for one in self._feeds.values() if one.feed.contact.lost_at is not None]
        if not lost:
            return 0.0  # also before there is a loop to ask for the time
        now = asyncio.get_running_loop().time()
        return max(contact.seconds_lost(now) for contact in lost)

    def is_cut_off(self, limit_seconds: float) -> bool:
        """Whether a request has failed so long after the first that failed, with no success in between."""
        return any(one.feed.contact.seconds_proved() >= limit_seconds for one in self._feeds.values())

    async def run(self) -> None:
        """Follow the collection until cancelled. Can be run once."""
        if self._group is not None or self._over:
            raise InformerStopped(f"the informer of {self.resource} has been run before")
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for namespace in sorted(self._namespaces):
                    self._follow(namespace)
                await self._deliver()
        finally:
            self._over = True
            self._group = None
            self._progressed()

    def set_namespaces(self, namespaces: Collection[str]) -> None:
        """Follow these from now on; the objects of a namespace left are dropped, as deletes of unknown final state."""
        wanted = _namespaces(namespaces, self.resource)
        if ALL in self._namespaces or ALL in wanted:
            raise ValueError(
                f"the informer of {self.resource} follows all namespaces; that cannot change while it runs"
            )
        left, entered = self._namespaces - wanted, wanted - self._namespaces
        self._namespaces = wanted
        for namespace in left:
            followed = self._feeds.pop(namespace, None)
            if followed is not None and followed.task is not None:
                followed.task.cancel()
                for _ in followed.telling:  # nobody is to hear of the end of what he has not been told of yet
                    pass
            for _ in self._tell(self._writer.replace({}, namespace=namespace), tuple(self._registrations)):
                pass
        if self._group is not None:
            for namespace in sorted(entered):
                self._follow(namespace)
        self._progressed()

    def statistics(self) -> Statistics:
        """A snapshot of the counters."""
        age = None
        if self._last_event_at is not None:
            age = asyncio.get_running_loop().time() - self._last_event_at
        return Statistics(
            objects=len(self.store),
            bytes_held=self.store.bytes_held,
            synced=self.has_synced,
            events=dict(self._events),
            relists=dict(self._relists),
            rewatches=dict(self._rewatches),
            handlers=len(self._registrations),
            handler_failures={one.name: one.failures for one in self._registrations},
            pending=sum(one.pending for one in self._registrations),
            last_event_age_seconds=age,
            lag_seconds=self.barrier.lag_seconds,
            barrier_waits=self.barrier.waits,
            barrier_timeouts=self.barrier.timeouts,
            barrier_incomparable=self.barrier.incomparable,
            last_failure=self._complaints.text,
            cut_off_seconds=self.cut_off_seconds(),
        )

    def _follow(self, namespace: str) -> None:
        assert self._group is not None
        followed = _Followed(self, namespace)
        self._feeds[namespace] = followed
        where = f" {namespace}" if namespace else ""
        followed.task = self._group.create_task(followed.feed.run(), name=f"inform {self.resource}{where}")

    async def _deliver(self) -> None:
        """Tell handlers what waits for them, a slice at a time, and replay the store to those who asked for it."""
        loop = asyncio.get_running_loop()
        while True:
            self._work.clear()
            for one in self._registrations:
                if one.resync_seconds is not None and one.resync_at == float("inf"):
                    one.resync_at = loop.time() + one.resync_seconds
            due = min((one.resync_at for one in self._registrations), default=float("inf"))
            if not self._is_behind():
                try:
                    async with asyncio.timeout_at(due if due != float("inf") else None):
                        await self._work.wait()
                except TimeoutError:
                    self._resync(loop.time())
            await self._drain()

    def _is_behind(self) -> bool:
        return any(map(_WAITS, self._registrations))  # asked after each chunk, and a generator costs more

    async def _drain(self) -> None:
        clock, slices = asyncio.get_running_loop().time, Slices()
        while self._is_behind():
            for one in tuple(self._registrations):
                one.work(slices.stop_at, clock)
            await slices.rest()

    def _resync(self, now: float) -> None:
        for one in self._registrations:
            if one.resync_seconds is not None and one.resync_at <= now:
                one.resync_at = now + one.resync_seconds
                if not one.waits and not self._committing:  # an old state must not come after a newer one (I11)
                    held = self.store.list()
                    one.enqueue((Updated(same, same) for same in held), len(held))

    async def _committed(self, followed: "_Followed", objects: dict[Key, Object], version: str) -> None:
        """Replace the store in one step; the work before and after it goes on in slices."""
        self._committing += 1
        try:
            replacement = self._writer.replacement(objects, namespace=followed.namespace or None)
            await in_slices(replacement.prepare())
            changes = replacement.swap(initial=not followed.synced)
            followed.synced = True
            self._complaints.over()
            self.barrier.reached(version, followed.namespace)
            for key in self.barrier.awaited():
                self.barrier.changed(key, self.store.get(key))
            followed.telling = self._tell(changes, tuple(self._registrations))
            await in_slices(followed.telling)
            if self.has_synced:
                for one in self._registrations:
                    one.enqueue((), 0, synced=True)
            await self._drain()
        finally:
            self._committing -= 1
        self._progressed()

    def _progressed(self) -> None:
        self._progress.set()
        self._progress = asyncio.Event()

    def _publish(self, namespace: str, type: str, one: Object) -> None:  # noqa: A002 - the API's own word
        change = self._writer.remove(one) if type == "DELETED" else self._writer.put(one)
        if change is not None:
            self._count(change)
            for registration in tuple(self._registrations):
                registration.deliver(change)
        self._complaints.over()
        if not self.barrier.idle:
            self.barrier.changed(one.key, self.store.get(one.key))
        self.barrier.reached(one.resource_version, namespace)

    def _tell(self, changes: Iterator[Change | None], registrations: Sequence[Registration]) -> Iterator[None]:
        # Whoever registers while this goes on finds the new state in the store, and is not told of it twice.
        for change in changes:
            if change is not None:
                self._count(change)
                for registration in registrations:
                    registration.deliver(change)
            yield

    def _count(self, change: Change) -> None:
        self._events[_COUNTED[type(change)]] += 1
        self._last_event_at = asyncio.get_running_loop().time()

    def _advanced(self, namespace: str, version: str) -> None:
        self._events["bookmark"] += 1
        self._complaints.over()
        self._last_event_at = asyncio.get_running_loop().time()
        self.barrier.reached(version, namespace)

    def _reported(self, report: Report) -> None:
        cause = report.failure.cause.value if report.failure is not None else "ended"
        counters = self._rewatches if report.what == "rewatch" else self._relists
        counters[cause] = counters.get(cause, 0) + 1
        if report.failure is not None:
            text = report.failure.message or cause
            if self._complaints.due(text, asyncio.get_running_loop().time()):
                # An older server that does not stream lists is no trouble: it is listed.
                level = logging.INFO if report.what == "no_streaming" else logging.WARNING
                seconds = self.cut_off_seconds()
                log.log(level, "%s: %s%s", self.resource, text, f" (for {seconds:.0f} s now)" if seconds >= 1 else "")

    def __repr__(self) -> str:
        state = "over" if self._over else "synced" if self.has_synced else "syncing" if self._group else "idle"
        where = f" in {','.join(sorted(self.namespaces))}" if self.namespaces else ""
        return (
            f"<Informer {self.resource}{where} {state} objects={len(self.store)} handlers={len(self._registrations)}>"
        )


class _Followed:
    """One namespace of an informer: its feed's sink, and whether it has been complete."""

    def __init__(self, informer: Informer, namespace: str) -> None:
        self.namespace = namespace
        self.synced = False
        self.task: asyncio.Task[None] | None = None
        self.telling: Iterator[None] = iter(())
        self._informer = informer
        select = attrs.evolve(informer._select, namespace=namespace or None)
        self.feed = Feed(informer.client, informer.resource, select=select, sink=self, options=informer._options)

    async def commit(self, objects: dict[Key, Object], version: str) -> None:
        await self._informer._committed(self, objects, version)

    def publish(self, type: str, one: Object) -> None:  # noqa: A002 - the API's own word
        self._informer._publish(self.namespace, type, one)

    def advance(self, version: str) -> None:
        self._informer._advanced(self.namespace, version)

    def report(self, report: Report) -> None:
        self._informer._reported(report)

    @property
    def behind(self) -> bool:
        return self._informer._is_behind()

    async def drain(self) -> None:
        await self._informer._drain()


def _namespaces(namespace: str | Collection[str] | None, resource: Resource) -> frozenset[str]:
    if namespace is None or not resource.namespaced:
        return frozenset({ALL})
    if isinstance(namespace, str):
        return frozenset({namespace})
    if not namespace:
        raise ValueError(f"an informer of {resource} needs at least one namespace; None follows all")
    return frozenset(namespace)
