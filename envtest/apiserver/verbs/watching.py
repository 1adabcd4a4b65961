"""A watch shows every change after its start once and in order, or it ends; it never skips one (W-01 … W-16).

`Watch` is the synchronous half: what to send first, what a change becomes, when a bookmark is due. `stream` is the
loop that sends it. The subscription is taken before the start is read and nothing awaits between, so no change can
fall through.
"""

import asyncio
from collections.abc import Callable

import attrs
from aiohttp import web

from windlass.envtest.apiserver.decisions import Enquiry
from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.queries import ListQuery, parse_version, selector
from windlass.envtest.apiserver.store.storage import ADDED, Change, Store
from windlass.envtest.apiserver.store.watchcache import Subscription, WatchCache, seen
from windlass.envtest.apiserver.values import encode
from windlass.envtest.apiserver.verbs.targets import Target
from windlass.envtest.apiserver.views.rendering import Renderer
from windlass.envtest.apiserver.views.versions import views

__all__ = ("Watch", "WatchTimes", "error_line", "length_of", "stream")

BATCH_MAX = 500  # changes written at once, so that one watch does not hold the loop


@attrs.frozen
class WatchTimes:
    """Seconds: between bookmarks, and the span in which a watch without timeoutSeconds ends (W-07, W-09)."""

    bookmark_seconds: float = 60.0
    length_seconds: tuple[float, float] = (1800.0, 3600.0)
    before_end_seconds: float = 2.0


def error_line(error: ApiError) -> bytes:
    """The ERROR event of a watch (W-04)."""
    return b'{"type":"ERROR","object":%b}\n' % encode(error.status())


class Watch:
    """One watch request: the decisions."""

    def __init__(
        self,
        store: Store,
        cache: WatchCache,
        target: Target,
        query: ListQuery,
        *,
        renderer: Renderer,
        enquiry: Enquiry,
    ) -> None:
        self.revision = store.revision
        self._store = store
        self._cache = cache
        self._target = target
        self._query = query
        self._renderer = renderer
        self._enquiry = enquiry
        self._selects = selector(query, target.namespace, target.name)
        self._told = 0  # the revision up to which the start says everything

    def __repr__(self) -> str:
        return f"<Watch {self._target.resource.qualified} revision={self.revision}>"

    async def started(self) -> bytes:
        """What is sent before anything new happens; raises 410 as `ApiError`, and what a conversion raises."""
        return await self._enquiry.decided(self._start)

    async def told(self, changes: list[Change]) -> bytes:
        """The changes as this watch sees them; raises what a conversion raises."""
        new = [change for change in changes if change.current.revision > self._told]
        return await self._enquiry.decided(lambda: self._lines(new))

    def _start(self) -> bytes:
        # A webhook may have been asked since the subscription began: what is in this start is not told again.
        self._told = self._store.revision
        version = parse_version(self._query.version)
        initial = self._query.initial_events
        if initial or (initial is None and not version):  # W-03, W-10
            items = self._store.items(self._target.resource.place, self._target.namespace)
            shown = views([stored for stored in items if self._selects(stored)], self._target.resource)
            lines = [self._renderer.event(ADDED, stored) for stored in shown]
            if initial and self._query.bookmarks:
                lines.append(self._renderer.bookmark(self._store.revision, initial_end=True))
            return b"".join(lines)
        if not version:
            return b""  # sendInitialEvents=false without a version: from now on
        return self._lines(self._cache.since(self._target.resource.place, version))

    def _lines(self, changes: list[Change]) -> bytes:
        visible = [found for found in (seen(change, self._selects) for change in changes) if found is not None]
        shown = views([stored for _, stored in visible], self._target.resource)
        if changes:
            self.revision = changes[-1].current.revision
        pairs = zip(visible, shown, strict=True)
        return b"".join([self._renderer.event(kind, stored) for (kind, _), stored in pairs])

    def bookmark(self) -> bytes:
        """A bookmark at the present revision, if the client wants any. Only for an empty queue."""
        return self._renderer.bookmark(self._store.revision) if self._query.bookmarks else b""


async def stream(
    response: web.StreamResponse,
    watch: Watch,
    subscription: Subscription,
    wake: asyncio.Event,
    *,
    times: tuple[float, WatchTimes],
) -> None:
    """Send until the time is over, the subscription ends, or the client goes away."""
    loop = asyncio.get_running_loop()
    length, settings = times
    end = loop.time() + length
    final = end - settings.before_end_seconds if length > 2 * settings.before_end_seconds else end
    due = min(loop.time() + settings.bookmark_seconds, final)
    while not subscription.ended:
        batch = [subscription.pending.popleft() for _ in range(min(BATCH_MAX, len(subscription.pending)))]
        now = loop.time()
        if batch:
            try:
                data = await watch.told(batch)
            except ApiError as error:
                await response.write(error_line(error))
                return
        elif now >= due:
            data = watch.bookmark()
            due = min(now + settings.bookmark_seconds, final) if now < final else end + settings.bookmark_seconds
        else:
            data = b""
        if data:
            await response.write(data)
        if loop.time() >= end:
            return
        if not subscription.pending:
            await _woken(wake, until=min(due, end))


async def _woken(wake: asyncio.Event, *, until: float) -> None:
    wake.clear()
    try:
        async with asyncio.timeout_at(until):
            await wake.wait()
    except TimeoutError:
        return


def length_of(query: ListQuery, settings: WatchTimes, uniform: Callable[[float, float], float]) -> float:
    """How long a watch lasts, in seconds."""
    return query.timeout_seconds if query.timeout_seconds is not None else uniform(*settings.length_seconds)
