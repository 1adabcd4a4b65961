"""A controller runs one reconciler over the keys that its watches and sources wake, and nothing escapes a run.

Order of life: `attach` registers the watches' handlers, which fill the queue; `run` waits until every handler has been
told of the whole first list (C10), then lets the workers begin; `stop` lets running keys finish and begins no others
(C20). A run that raises, hangs or is cancelled from within concerns its own key alone (C8). This module does not know
where the cache gets its facts, nor what else the manager runs.
"""

import asyncio
import itertools
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from windlass.controller.context import Context, Services
from windlass.controller.deadlines import Deadline, Deadlines
from windlass.controller.errors import ManagerError, QueueShutDown
from windlass.controller.gate import Gate
from windlass.controller.latency import Latency, Trace, age_of
from windlass.controller.lease import FencingToken
from windlass.controller.logs import RunLog
from windlass.controller.offloading import BlockingReconciler, offloaded
from windlass.controller.outcomes import Failed, FollowUp, Outcome, Returned, TimedOut, follow_up
from windlass.controller.queue import LOW, NORMAL, Item, WorkQueue
from windlass.controller.request import Reconciler, Request, Result
from windlass.controller.spec import ControllerSpec, WatchSpec
from windlass.controller.statistics import FailedRun, Statistics
from windlass.controller.writes import WrittenObjects
from windlass.informers.api import Api
from windlass.informers.cache import Cache
from windlass.informers.errors import NotSynced
from windlass.informers.handlers import Registration
from windlass.informers.informer import Informer
from windlass.informers.keys import Key
from windlass.informers.store import Added, Change, Deleted, Updated
from windlass.statemachine.errors import WindlassError

__all__ = ("Controller",)

_LOG = logging.getLogger("windlass.controller")

_PARKED_MAX = 10_000
_OFFERED_AT_ONCE = 500
_REMEMBER_SECONDS = 600.0
_SYNC_PAUSE_SECONDS = 0.01  # the initial changes are being delivered already; this is how often we look whether all are

# What a program's own mistakes look like. They are retried like every error, for the next version of the object may not
# trigger them, but they are counted apart and logged with a traceback (C8).
_BUGS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RecursionError,
    TypeError,
)


class Controller:
    """Made by `Manager.controller`. Inert until `attach` and `run`."""

    def __init__(self, spec: ControllerSpec) -> None:
        self.spec = spec
        self.name = spec.name
        self.queue: WorkQueue[Key] = WorkQueue(spec.name, retry=spec.retry, bucket=spec.bucket)
        self.statistics = Statistics()
        self.latency = Latency()
        self.runs: dict[asyncio.Task[Any], Request] = {}
        self._registrations: list[tuple[Informer, Registration]] = []
        # What the last run of a key wrote, and when; the next run of the key takes it out. In the order of the times.
        self._written: OrderedDict[Key, tuple[float, WrittenObjects]] = OrderedDict()
        self._ready: asyncio.Future[None] | None = None
        # Whether workers may begin at all, and which keys; keys that others work now are kept in case they come back.
        self._gate: Gate | None = None
        self._opened = asyncio.Event()
        self._opened.set()
        self._parked: dict[Key, None] = {}
        self._deadlines = Deadlines(spec.deadline_seconds)
        self._threads = _threads(spec) if spec.offload else None
        self._reconcile = (
            cast("Reconciler", spec.reconcile)
            if self._threads is None
            else offloaded(cast("BlockingReconciler", spec.reconcile), self._threads)
        )
        self._run_ids = (f"{prefix}-{number:x}" for prefix in [secrets.token_hex(4)] for number in itertools.count(1))

    def attach(self, cache: Cache) -> None:
        """Declare the kinds and register the handlers. From here on changes fill the queue. Once only (C12)."""
        if self._ready is not None:
            raise ManagerError(f"the controller {self.name} has been started before; a controller runs once")
        self._ready = asyncio.get_running_loop().create_future()
        for resource in self.spec.reads:
            cache.informer(resource)
        for watch in self.spec.watches:
            informer = cache.informer(watch.resource)
            registration = informer.add_handler(self._handler(watch), name=f"{self.name}: {watch.resource}")
            self._registrations.append((informer, registration))

    async def run(self, services: Services, api: Api) -> None:
        """Work until stopped. Raises NotSynced if the first lists are not there in time (C11, C19)."""
        if self._ready is None:
            self.attach(services.cache)
        assert self._ready is not None  # set by attach
        try:
            await self._synced()
            async with asyncio.TaskGroup() as group:
                sources = [
                    group.create_task(source.run(self._wake), name=f"{self.name}: {source.name}")
                    for source in self.spec.sources
                ]
                workers = [
                    group.create_task(self._work(services, api), name=f"{self.name}: worker {number}")
                    for number in range(self.spec.workers)
                ]
                self._ready.set_result(None)
                await asyncio.wait(workers)
                for source in sources:
                    source.cancel()
        finally:
            self._deadlines.close()
            for _, registration in self._registrations:
                registration.remove()
            if self._threads is not None:
                self._threads.shutdown(wait=False)  # no thread is at work: runs have waited for theirs
            if not self._ready.done():
                self._ready.set_exception(ManagerError(f"the controller {self.name} ended before it was ready"))
                self._ready.exception()  # whoever does not wait need not hear of it

    async def ready(self) -> None:
        """Wait until the workers run. Raises ManagerError if the controller ends before."""
        if self._ready is None:
            raise ManagerError(f"the controller {self.name} has not been started")
        await asyncio.shield(self._ready)

    @property
    def is_ready(self) -> bool:
        """Whether the workers run, or did."""
        return self._ready is not None and self._ready.done() and self._ready.exception() is None

    def hold(self) -> None:
        """Before `run`: let no worker begin before `open`. The queue fills meanwhile."""
        self._opened.clear()

    def open(self, gate: Gate | None = None) -> None:
        """Let the workers begin, with the keys that `gate` admits. After `stop` this begins nothing (M3)."""
        self._gate = gate
        self._opened.set()

    def stop(self) -> None:
        """Begin no more runs; `run` returns when the running ones have ended (C14, C20)."""
        self.queue.shut_down()
        self._opened.set()  # workers that have not begun find the queue shut down

    def __repr__(self) -> str:
        return f"<Controller {self.name} {self.queue!r}>"

    # Waking.

    def _handler(self, watch: WatchSpec) -> Callable[[Change], None]:
        def handle(change: Change) -> None:
            for predicate in watch.predicates:
                if not predicate(change):
                    return
            reason, priority = _describe(change)
            age = age_of(change, self.spec.clock())
            for key in watch.handler(change):
                if age is not None:
                    self.latency.arrived(key, age)
                self.queue.add(key, reason=f"{watch.role}{reason}", priority=priority)

        return handle

    def _wake(self, key: Key, reason: str) -> None:
        self.queue.add(key, reason=reason)

    # Sharing keys with other processes.

    def running(self) -> list[Key]:
        """The keys that are being worked at this moment."""
        return list(self.queue.schedule.running)

    def withdraw(self, keys: Iterable[Key]) -> None:
        """Cancel the runs of these keys: they belong to another process now."""
        for key in keys:
            self._deadlines.withdraw(key)

    async def offer(self) -> None:
        """Wake every known key that may be worked here, for its last run may have been elsewhere."""
        known = dict(self._parked)
        if self._registrations:
            known |= dict.fromkeys(self._registrations[0][0].store.keys())
        for number, key in enumerate(known, start=1):
            if self._gate is None or self._gate.admits(key):
                self.queue.add(key, reason="resharded", priority=LOW)
            if number % _OFFERED_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _admits(self, key: Key) -> bool:
        if self._gate is None or self._gate.admits(key):
            self._parked.pop(key, None)
            return True
        self._parked[key] = None
        if len(self._parked) > _PARKED_MAX:  # those of objects that are there are found in the store
            del self._parked[next(iter(self._parked))]
        self.queue.forget(key)
        return False

    def _fencing(self) -> Callable[[], FencingToken | None]:
        gate = self._gate
        if gate is None:
            return _unfenced
        token = gate.token

        def current() -> FencingToken:
            _ = gate.token  # raises when it is over
            return token

        return current

    async def _synced(self) -> None:
        """Wait for the informers, and then for the handlers to have been told of all they hold (C10)."""
        try:
            async with asyncio.timeout(self.spec.sync_timeout_seconds):
                for informer, registration in self._registrations:
                    await informer.ready()
                    while not registration.has_synced:  # noqa: ASYNC110  # a registration has no event to wait for
                        await asyncio.sleep(_SYNC_PAUSE_SECONDS)
        except TimeoutError:
            behind = ", ".join(
                f"{informer.resource} ({informer.why()})"
                for informer, registration in self._registrations
                if not registration.has_synced
            )
            raise NotSynced(
                f"the controller {self.name} cannot start: after {self.spec.sync_timeout_seconds:g} s there is still "
                f"no complete list of {behind}"
            ) from None

    # Working.

    async def _work(self, services: Services, api: Api) -> None:
        await self._opened.wait()
        while True:
            try:
                item = await self.queue.get()
            except QueueShutDown:
                return
            try:
                if self._admits(item.key):
                    await self._process(item, services, api)
            finally:
                self.queue.done(item.key)
                if self._gate is not None:
                    self._gate.ended()
            # Neither a full queue nor a reconciler that finds nothing to wait for may keep the loop from its other
            # tasks: a lease would expire meanwhile (L12).
            await asyncio.sleep(0)

    async def _process(self, item: Item[Key], services: Services, api: Api) -> None:
        key = item.key
        loop = asyncio.get_running_loop()
        taken = loop.time()
        fencing = self._fencing()
        waited = key in self._written
        if waited:
            await self._catch_up(key, services.cache)
        request = Request(key, item.reason, next(self._run_ids))
        writes = WrittenObjects(services.cache, loop.time)
        context = Context(
            request, RunLog(_LOG, self.name, request), Api(api.client, observer=writes), services, fencing
        )
        started = loop.time()
        arrival, retry = self.latency.begun(key, started)
        task = asyncio.current_task()
        assert task is not None  # a worker is one
        self.runs[task] = request
        self.statistics.active_workers += 1
        try:
            outcome = await self._outcome(context, self._deadlines.begin(key, task, now=started))
        finally:
            self.statistics.active_workers -= 1
            del self.runs[task]
            ended = loop.time()
            seconds = ended - started
            self.statistics.run_seconds.observe(seconds)
            self._remember(key, writes, ended)
        decision = follow_up(outcome)
        self._account(outcome, decision, context)
        trace = Trace(
            time=self.spec.clock(),
            reconcile_id=request.reconcile_id,
            reason=item.reason,
            attempt=item.attempt,
            result=decision.label,
            writes=writes.count,
            arrival=arrival,
            queue=taken - item.queued_at,
            cache=started - taken if waited else None,
            run=max(0.0, seconds - writes.seconds),
            write=writes.seconds if writes.count else None,
            retry=retry,
        )
        self.latency.ended(key, trace, retried_from=started if decision.label == "error" and decision.retry else None)
        if _LOG.isEnabledFor(logging.DEBUG):
            context.log.debug("reconciled: %s in %.3f s", decision.label, seconds)
        self._follow_up(item, decision)

    def _follow_up(self, item: Item[Key], decision: FollowUp) -> None:
        if decision.forget:
            self.queue.forget(item.key)
        if decision.after_seconds is not None:
            self.queue.add_after(item.key, decision.after_seconds, priority=item.priority)
        if decision.retry:
            self.queue.retry(item.key, priority=item.priority, seconds_max=decision.retry_seconds_max)

    async def _outcome(self, context: Context, deadline: Deadline) -> Outcome:
        try:
            with deadline:
                result: object = await self._reconcile(context, context.request)
        except asyncio.CancelledError as error:
            if deadline.task.cancelling():
                raise  # the worker itself is being stopped
            return Failed(error)  # the reconciler awaited something that somebody cancelled
        except TimeoutError as error:
            if deadline.withdrawn:
                context.log.warning("the run was cancelled: its key belongs to another replica now")
                return Returned(None)
            return TimedOut(self.spec.deadline_seconds) if deadline.expired else Failed(error)
        except (KeyboardInterrupt, GeneratorExit):
            raise  # the process's business, or Python's
        except BaseException as error:  # contained: one key's failure (C8), also a panic of a library in Rust
            return Failed(error)
        if result is not None and not isinstance(result, Result):
            return Failed(TypeError(f"a reconciler returns a Result or None, found {result!r}"))
        return Returned(result)

    def _remember(self, key: Key, writes: WrittenObjects, now: float) -> None:
        if writes.objects:
            self._written[key] = (now, writes)
        while self._written:  # keys that never ran again, their objects being gone
            oldest, (time, _) = next(iter(self._written.items()))
            if now - time < _REMEMBER_SECONDS:
                break
            del self._written[oldest]

    async def _catch_up(self, key: Key, cache: Cache) -> None:
        """Wait until the cache shows what the key's last run wrote; after the limit go on all the same (F9)."""
        _, writes = self._written.pop(key)
        loop = asyncio.get_running_loop()
        limit = loop.time() + self.spec.caught_up_seconds
        for resource, written in writes.objects:
            if not await cache.caught_up(resource, written, timeout=max(0.0, limit - loop.time())):
                self.statistics.stale_starts += 1
                _LOG.warning("%s: the cache has not shown the write of %s %s in time", self.name, resource, written)

    def _account(self, outcome: Outcome, decision: FollowUp, context: Context) -> None:
        statistics = self.statistics
        statistics.results[decision.label] += 1
        if decision.label != "error":
            return
        statistics.errors += 1
        if isinstance(outcome, TimedOut):
            statistics.timeouts += 1
            text = f"the run passed its deadline of {outcome.deadline_seconds:g} s"
            context.log.error("reconcile failed: %s", text)
        elif isinstance(outcome, Failed):
            text = self._account_error(outcome.error, terminal=not decision.retry, log=context.log)
        time = context.services.clock().isoformat(timespec="seconds")
        statistics.last_errors.append(FailedRun(time, str(context.request.key), text))

    def _account_error(
        self, error: BaseException, *, terminal: bool, log: logging.LoggerAdapter[logging.Logger]
    ) -> str:
        text = str(error) or type(error).__name__
        if terminal:
            self.statistics.terminal_errors += 1
            log.error("reconcile failed, not to be retried: %s", text)
        elif isinstance(error, _BUGS) or not isinstance(error, Exception | BaseExceptionGroup):
            self.statistics.panics += 1
            text = f"{type(error).__name__}: {text}"
            log.error("reconcile failed: %s", text, exc_info=error)
        elif isinstance(error, WindlassError):  # its message says everything; a traceback would only bury it
            log.warning("reconcile failed: %s", text)
        else:
            text = f"{type(error).__name__}: {text}"
            log.warning("reconcile failed: %s", text, exc_info=error)
        return text


def _unfenced() -> None:
    """There is no Lease."""


def _threads(spec: ControllerSpec) -> ThreadPoolExecutor:
    """As many threads as workers, so that no run waits for one. They are started when first needed."""
    return ThreadPoolExecutor(spec.workers, thread_name_prefix=spec.name)


def _describe(change: Change) -> tuple[str, int]:
    """The reason and the priority of the runs that a change calls for (Q11)."""
    match change:
        case Added(initial=initial):
            return ("initial", LOW) if initial else ("added", NORMAL)
        case Updated(old=old, new=new):
            same = old.resource_version == new.resource_version and old.uid == new.uid
            return ("resync", LOW) if same else ("updated", NORMAL)
        case Deleted():
            return "deleted", NORMAL
