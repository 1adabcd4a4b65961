"""The controller loop, statement by statement, over a cache that tests push changes into."""

import asyncio
import logging
import random
from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace

import attrs
import msgspec
import pytest

from windlass.controller.context import Services
from windlass.controller.controller import Controller
from windlass.controller.errors import ManagerError, TerminalError
from windlass.controller.handlers import map_self
from windlass.controller.predicates import DEFAULT, generation_changed
from windlass.controller.queue import LOW, NORMAL
from windlass.controller.request import Result
from windlass.controller.scheme import Scheme
from windlass.controller.sources import Channel
from windlass.controller.spec import ControllerSpec, WatchSpec
from windlass.informers.backoff import Backoff
from windlass.informers.builtins import ConfigMap, Pod
from windlass.informers.errors import Conflict, InformerStopped, NotSynced
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.store import Added, Deleted, Updated

A, B = Key("ns", "a"), Key("ns", "b")
API = SimpleNamespace(client=None)


def make(name="a", rv="1", **metadata):
    body = {"metadata": {"name": name, "namespace": "ns", "uid": name, "resourceVersion": rv, **metadata}}
    return Object.parse(msgspec.json.encode({"apiVersion": "v1", "kind": "Pod", **body}))


class FakeInformer:
    """Synced from the start unless told otherwise; `emit` is the watch."""

    def __init__(self, resource, *, synced=True):
        self.resource = resource
        self.synced = asyncio.Event()
        self.handlers = {}
        self.failure = None
        if synced:
            self.synced.set()

    def add_handler(self, handler, *, name):
        self.handlers[name] = handler
        registration = SimpleNamespace(has_synced=self.synced.is_set(), remove=lambda: self.handlers.pop(name))
        self.registration = registration
        return registration

    async def ready(self):
        if self.failure is not None:
            raise self.failure
        await self.synced.wait()

    def why(self):
        return "403 Forbidden"

    def emit(self, change):
        for handler in list(self.handlers.values()):
            handler(change)


class FakeCache:
    def __init__(self, *, synced=True):
        self.synced = synced
        self.informers = {}
        self.caught_up_calls = []
        self.behind = {}

    def informer(self, resource):
        return self.informers.setdefault(resource, FakeInformer(resource, synced=self.synced))

    async def caught_up(self, resource, key, timeout):
        self.caught_up_calls.append((resource, key))
        try:
            async with asyncio.timeout(timeout):
                await asyncio.sleep(self.behind.get(key, 0.0))
        except TimeoutError:
            return False
        return True

    def writing(self, resource, key):
        return nullcontext()


class Bench:
    """A controller of pods that runs, its cache, and the record of its runs."""

    def __init__(self, reconcile, *, synced=True, watches=None, **spec):
        self.cache = FakeCache(synced=synced)
        self.runs = []
        self.ids = []

        async def recording(ctx, request):
            self.runs.append(request.key)
            self.ids.append(request.reconcile_id)
            return await reconcile(ctx, request)

        watches = watches or (WatchSpec(Pod, map_self, (DEFAULT,)),)
        self.controller = Controller(ControllerSpec(name="pods", reconcile=recording, watches=watches, **spec))
        self.services = Services(
            self.cache, Scheme(), SimpleNamespace(), "tests", lambda: datetime(2026, 8, 1, tzinfo=UTC)
        )

    @property
    def queue(self):
        return self.controller.queue

    @property
    def statistics(self):
        return self.controller.statistics

    def emit(self, change, resource=Pod):
        self.cache.informer(resource).emit(change)

    async def start(self):
        self.controller.attach(self.cache)
        self.task = asyncio.create_task(self.controller.run(self.services, API))
        await asyncio.sleep(0)

    async def __aenter__(self):
        await self.start()
        await self.controller.ready()
        return self

    async def __aexit__(self, *_):
        self.controller.stop()
        await self.task


async def done(ctx, request):
    return Result.done()


def failing(error, *, times=1):
    """A reconciler that raises `error` the first `times` times."""
    left = [times]

    async def reconcile(ctx, request):
        if left[0]:
            left[0] -= 1
            raise error

    return reconcile


def now():
    return asyncio.get_running_loop().time()


async def test_a_change_wakes_its_key():
    async with Bench(done) as bench:
        bench.emit(Added(make("a")))
        await asyncio.sleep(1)
        assert bench.runs == [A]
        assert bench.statistics.results["success"] == 1


async def test_an_error_is_retried_with_backoff_and_success_resets_it():
    """C1, C5."""
    async with Bench(failing(ValueError("no"), times=3)) as bench:
        bench.queue.add(A)
        await asyncio.sleep(0.0349)
        assert len(bench.runs) == 3  # at 0, 5 and 15 ms; the last comes at 35 ms
        assert bench.queue.failures(A) == 3
        await asyncio.sleep(0.001)
        assert len(bench.runs) == 4
        assert bench.queue.failures(A) == 0
        assert bench.statistics.results == {"success": 1, "error": 3, "requeue": 0, "requeue_after": 0}
        assert bench.statistics.errors == 3


async def test_after_resets_the_backoff_and_waits_its_own_time():
    """C3."""
    results = [Result.again(), Result.after(60.0), Result.done()]

    async def reconcile(ctx, request):
        return results[len(bench.runs) - 1]

    async with Bench(reconcile) as bench:
        bench.queue.add(A)
        await asyncio.sleep(59.9)
        assert len(bench.runs) == 2
        assert bench.queue.failures(A) == 0
        await asyncio.sleep(0.2)
        assert len(bench.runs) == 3
        assert bench.statistics.results == {"success": 1, "error": 0, "requeue": 1, "requeue_after": 1}


async def test_again_is_rate_limited_and_does_not_reset_the_backoff():
    """C4."""

    async def reconcile(ctx, request):
        return Result.again() if len(bench.runs) < 4 else None

    async with Bench(reconcile) as bench:
        bench.queue.add(A)
        await asyncio.sleep(0.03)
        assert bench.queue.failures(A) == 3
        await asyncio.sleep(1)
        assert len(bench.runs) == 4
        assert bench.statistics.errors == 0


async def test_a_terminal_error_is_not_retried_but_an_event_still_runs_the_key():
    """C6; the counter of failures stays as it was (C5)."""
    errors = [ValueError("first"), TerminalError("this spec can never work")]

    async def reconcile(ctx, request):
        if errors:
            raise errors.pop(0)

    async with Bench(reconcile) as bench:
        bench.queue.add(A)
        await asyncio.sleep(3600)
        assert len(bench.runs) == 2
        assert (bench.statistics.errors, bench.statistics.terminal_errors) == (2, 1)
        assert bench.queue.failures(A) == 1
        bench.emit(Updated(make(), make(rv="2", generation=2)))
        await asyncio.sleep(1)
        assert len(bench.runs) == 3


async def test_a_key_is_queued_again_before_it_is_given_back():
    """C7: at no moment is it neither queued nor running."""
    async with Bench(failing(ValueError("no"), times=100), retry=Backoff(1.0, 1.0, 1.0, 0.0)) as bench:
        original = bench.queue.done

        def checked(key):
            assert bench.queue.schedule.waiting == 1
            original(key)

        bench.queue.done = checked
        bench.queue.add(A)
        await asyncio.sleep(10.5)
        assert len(bench.runs) == 11


class RustPanic(BaseException):
    """As libraries written in Rust raise when they meet a bug of their own: no Exception."""


@pytest.mark.parametrize(
    "error", [KeyError("x"), AttributeError("x"), AssertionError(), SystemExit(3), RustPanic("x")], ids=repr
)
async def test_a_mistake_in_a_reconciler_concerns_one_key_and_is_counted_apart(error):
    """C8, scenario 38."""

    async def reconcile(ctx, request):
        if request.key == A:
            raise error

    async with Bench(reconcile, workers=1) as bench:
        bench.queue.add(A)
        bench.queue.add(B)
        await asyncio.sleep(0.001)
        assert bench.runs == [A, B]
        assert bench.statistics.panics == 1
        assert bench.statistics.errors == 1


async def test_an_expected_error_is_no_panic():
    async with Bench(failing(Conflict(409, "Conflict", "changed meanwhile"))) as bench:
        bench.queue.add(A)
        await asyncio.sleep(1)
        assert (bench.statistics.panics, bench.statistics.errors) == (0, 1)


async def test_a_cancelled_future_inside_a_reconciler_is_an_error_of_that_key():
    """C8: it must not look as if the worker were being stopped."""

    async def reconcile(ctx, request):
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async with Bench(reconcile, workers=1, retry=Backoff(100.0, 1.0, 100.0, 0.0)) as bench:
        bench.queue.add(A)
        bench.queue.add(B)
        await asyncio.sleep(1)
        assert bench.runs == [A, B]
        assert bench.statistics.errors == 2


async def test_an_exception_group_is_an_error_of_its_key():
    async def reconcile(ctx, request):
        async with asyncio.TaskGroup() as group:
            group.create_task(failing(ValueError("inner"))(ctx, request))

    async with Bench(reconcile, retry=Backoff(100.0, 1.0, 100.0, 0.0)) as bench:
        bench.queue.add(A)
        await asyncio.sleep(1)
        assert bench.statistics.errors == 1


async def test_a_run_past_its_deadline_is_ended_and_counted():
    """C9, scenario 39."""

    async def reconcile(ctx, request):
        if len(bench.runs) == 1:
            await asyncio.sleep(1000)

    async with Bench(reconcile, deadline_seconds=30.0) as bench:
        bench.queue.add(A)
        await asyncio.sleep(31)
        assert bench.statistics.timeouts == 1
        assert len(bench.runs) == 2


async def test_a_shorter_time_limit_of_the_reconciler_is_not_counted_as_the_deadline():
    """C9."""

    async def reconcile(ctx, request):
        async with asyncio.timeout(1):
            await asyncio.sleep(1000)

    async with Bench(reconcile, deadline_seconds=30.0, retry=Backoff(100.0, 1.0, 100.0, 0.0)) as bench:
        bench.queue.add(A)
        await asyncio.sleep(50)
        assert (bench.statistics.timeouts, bench.statistics.errors) == (0, 1)


async def test_a_worker_that_is_cancelled_is_not_counted_as_a_deadline():
    """C9."""

    async def reconcile(ctx, request):
        await asyncio.sleep(1000)

    bench = Bench(reconcile, deadline_seconds=30.0)
    await bench.start()
    bench.queue.add(A)
    await asyncio.sleep(1)
    bench.task.cancel()
    await asyncio.wait([bench.task])
    assert bench.task.cancelled()
    assert (bench.statistics.timeouts, bench.statistics.errors) == (0, 0)


async def test_nothing_runs_before_every_handler_has_been_told_of_the_whole_first_list():
    """C10, scenario 40: neither when the informer is synced and the handler is not yet."""
    watches = (WatchSpec(Pod, map_self, (DEFAULT,)), WatchSpec(ConfigMap, map_self, (DEFAULT,)))
    bench = Bench(done, synced=False, watches=watches)
    await bench.start()
    bench.emit(Added(make("a"), initial=True))
    bench.cache.informer(Pod).synced.set()
    bench.cache.informer(Pod).registration.has_synced = True
    bench.cache.informer(ConfigMap).synced.set()
    await asyncio.sleep(10)
    assert bench.runs == []
    assert not bench.controller.is_ready
    bench.cache.informer(ConfigMap).registration.has_synced = True
    await bench.controller.ready()
    await asyncio.sleep(1)
    assert bench.runs == [A]
    bench.controller.stop()
    await bench.task


async def test_lists_that_do_not_come_in_time_are_an_error_that_names_them_and_why():
    """C11, C19, scenario 41."""
    bench = Bench(done, synced=False, sync_timeout_seconds=120.0)
    await bench.start()
    waiter = asyncio.create_task(bench.controller.ready())
    with pytest.raises(NotSynced, match=r"pods cannot start: after 120 s .* list of pods\.v1 \(403 Forbidden\)"):
        await bench.task
    assert now() == pytest.approx(120.0)
    with pytest.raises(ManagerError, match="ended before it was ready"):
        await waiter


async def test_a_store_that_fails_before_it_is_complete_fails_the_controller_at_once():
    """C19: whoever waits for it is told, and hangs no longer than the store lived."""
    bench = Bench(done, synced=False)
    bench.cache.informer(Pod).failure = InformerStopped("pods.v1: the informer ended")
    await bench.start()
    waiter = asyncio.create_task(bench.controller.ready())
    with pytest.raises(InformerStopped, match="pods"):
        await bench.task
    with pytest.raises(ManagerError, match="ended before it was ready"):
        await waiter
    assert (now(), bench.runs) == (0.0, [])


async def test_being_stopped_while_waiting_for_the_lists_is_no_error():
    """C11."""
    bench = Bench(done, synced=False)
    await bench.start()
    bench.task.cancel()
    await asyncio.wait([bench.task])
    assert bench.task.cancelled()


async def test_a_controller_runs_once():
    """C12."""
    bench = Bench(done)
    async with bench:
        with pytest.raises(ManagerError, match="the controller pods has been started before"):
            bench.controller.attach(bench.cache)


async def test_ready_before_the_start_is_an_error():
    with pytest.raises(ManagerError, match="has not been started"):
        await Bench(done).controller.ready()


async def test_sources_begin_with_the_workers_and_what_they_said_before_is_not_lost():
    """C13."""
    channel = Channel("early")
    channel.put(A)
    async with Bench(done, sources=(channel,)) as bench:
        channel.put(B)
        await asyncio.sleep(1)
        assert bench.runs == [A, B]


async def test_a_controller_that_waits_for_leadership_has_its_sources_run_once_and_loses_nothing():
    """C13: they are warm while it waits; being let in does not start them again."""

    class Counting:
        name = "counting"
        started = 0

        async def run(self, wake):
            self.started += 1
            wake(A, "warm")
            await asyncio.Event().wait()

    source = Counting()
    bench = Bench(done, sources=(source,))
    bench.controller.hold()
    async with bench:
        bench.emit(Added(make("b"), False))
        await asyncio.sleep(3600)
        assert (source.started, bench.runs, len(bench.queue)) == (1, [], 2)
        bench.controller.open()
        await asyncio.sleep(1)
        assert (source.started, sorted(bench.runs)) == (1, [A, B])


async def test_a_source_that_fails_fails_the_controller():
    class Broken:
        name = "broken"

        async def run(self, enqueue):
            raise ConnectionError("broker gone")

    bench = Bench(done, sources=(Broken(),))
    await bench.start()
    with pytest.raises(ExceptionGroup) as caught:
        await bench.task
    assert caught.group_contains(ConnectionError, match="broker gone")


async def test_stopping_lets_running_keys_end_and_drops_the_others():
    """C14, C20."""

    async def reconcile(ctx, request):
        await asyncio.sleep(10)
        finished.append(request.key)

    finished = []
    bench = Bench(reconcile, workers=1)
    await bench.start()
    for key in (A, B):
        bench.queue.add(key)
    await asyncio.sleep(1)
    bench.controller.stop()
    await asyncio.sleep(1)
    assert not bench.task.done()
    await bench.task
    assert finished == [A]
    assert now() == pytest.approx(10.0)
    assert bench.cache.informer(Pod).handlers == {}


async def test_each_run_has_an_id_of_its_own_also_when_it_is_a_retry():
    """C15."""
    async with Bench(failing(ValueError("no"), times=5)) as bench:
        bench.queue.add(A)
        await asyncio.sleep(1)
        assert len(set(bench.ids)) == 6


async def test_a_runs_log_records_carry_its_facts(caplog):
    """C15."""

    async def reconcile(ctx, request):
        ctx.log.info("looking", extra={"looked_at": 3})

    with caplog.at_level(logging.INFO, "windlass.controller"):
        async with Bench(reconcile) as bench:
            bench.queue.add(A, reason="owned pods.v1 updated")
            await asyncio.sleep(1)
    (record,) = [one for one in caplog.records if one.msg == "looking"]
    assert (record.controller, record.key, record.reason) == ("pods", "ns/a", "owned pods.v1 updated")
    assert record.reconcile_id == bench.ids[0]
    assert record.looked_at == 3


def test_all_counters_are_there_before_the_first_run():
    """C16."""
    statistics = Bench(done).statistics
    assert statistics.results == {"success": 0, "error": 0, "requeue": 0, "requeue_after": 0}
    assert statistics.run_seconds.count == statistics.errors == statistics.panics == statistics.timeouts == 0


async def test_a_deleted_object_is_reconciled_by_its_key():
    """C17: the reconciler is called, and finds nothing."""
    async with Bench(done) as bench:
        bench.emit(Deleted(make("a")))
        await asyncio.sleep(1)
        assert bench.runs == [A]


async def test_workers_bound_how_many_distinct_keys_run_and_waiting_keys_stay_deduplicated():
    """C18, scenario 42."""
    running, peak = set(), []

    async def reconcile(ctx, request):
        assert request.key not in running
        running.add(request.key)
        peak.append(len(running))
        await asyncio.sleep(1)
        running.remove(request.key)

    async with Bench(reconcile, workers=3) as bench:
        for _ in range(5):
            for name in "abcdefgh":
                bench.queue.add(Key("ns", name))
        assert bench.statistics.active_workers == 0
        await asyncio.sleep(0.5)
        assert bench.statistics.active_workers == 3
        await asyncio.sleep(10)
        assert len(bench.runs) == 8
        assert max(peak) == 3


@pytest.mark.parametrize(
    ("change", "reason", "priority"),
    [
        (Added(make(), initial=True), "initial", LOW),
        (Added(make()), "added", NORMAL),
        (Updated(make(), make(rv="2", labels={"a": "b"})), "updated", NORMAL),
        (Updated(make(), make()), "resync", LOW),
        (Updated(make(), make(rv="1", uid="other")), "updated", NORMAL),
        (Deleted(make()), "deleted", NORMAL),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_reason_and_priority_follow_from_the_change(change, reason, priority):
    """Q11, table 1.6: initial lists and resyncs wait behind what somebody has just done."""
    bench = Bench(done, watches=(WatchSpec(Pod, map_self, (DEFAULT,), role="owned pods.v1 "),))
    bench.controller.attach(bench.cache)
    bench.emit(change)
    item = bench.queue.get_nowait()
    assert (item.reason, item.priority) == (f"owned pods.v1 {reason}", priority)


async def test_a_priority_is_kept_over_retries():
    """controller-runtime#3157."""
    bench = Bench(failing(ValueError("no")), retry=Backoff(10.0, 1.0, 10.0, 0.0))
    async with bench:
        bench.queue.add(A, priority=LOW)
        await asyncio.sleep(1)
        bench.controller.stop()
    assert bench.runs == [A]
    wake = Bench(failing(ValueError("no")))
    wake.controller.attach(wake.cache)
    wake.queue.add(A, priority=LOW)
    await wake.controller._process(await wake.queue.get(), wake.services, API)
    wake.queue.done(A)
    assert (await wake.queue.get()).priority == LOW


async def test_a_full_queue_of_runs_that_wait_for_nothing_does_not_starve_the_loop():
    """L12: between two turns of another task each worker runs one key at most."""
    async with Bench(done, workers=4) as bench:
        for number in range(1000):
            bench.queue.add(Key("ns", str(number)))
        await asyncio.sleep(0)
        turns = []
        while len(bench.runs) < 1000:
            before = len(bench.runs)
            await asyncio.sleep(0)
            turns.append(len(bench.runs) - before)
        assert max(turns) <= 4


@pytest.mark.parametrize("workers", [1, 3])
async def test_a_key_that_is_always_awake_has_its_turn_like_every_other(workers):
    """Fairness, scenario 43: what wakes itself goes to the end of the line, and no other key waits longer for it."""

    async def reconcile(ctx, request):
        if request.key == A:
            bench.queue.add(A)
        await asyncio.sleep(0.01)

    bench = Bench(reconcile, workers=workers)
    others = [Key("ns", f"k{number}") for number in range(50)]
    async with bench:
        bench.queue.add(A)
        await asyncio.sleep(1)
        bench.runs.clear()
        for key in others:
            bench.queue.add(key)
        await asyncio.sleep(1)
    first = {key: bench.runs.index(key) for key in others}
    assert max(first.values()) <= len(others) + workers, "all of them within one round"
    assert sorted(others, key=first.get) == others


async def test_predicates_keep_changes_from_waking_keys():
    bench = Bench(done, watches=(WatchSpec(Pod, map_self, (generation_changed,)),))
    async with bench:
        bench.emit(Updated(make(generation=1), make(rv="2", generation=1, labels={"a": "b"})))
        await asyncio.sleep(1)
        assert bench.runs == []


async def test_kinds_that_are_only_read_are_cached_without_waking():
    async with Bench(done, reads=(ConfigMap,)) as bench:
        assert bench.cache.informer(ConfigMap).handlers == {}
        assert ConfigMap in bench.cache.informers


async def test_a_key_runs_again_only_after_the_cache_has_caught_up_with_its_writes():
    """F9."""

    async def reconcile(ctx, request):
        with ctx.api.observer.writing(Pod, B):
            pass

    async with Bench(reconcile) as bench:
        bench.cache.behind[B] = 3.0
        bench.queue.add(A)
        await asyncio.sleep(1)
        bench.queue.add(A)
        await asyncio.sleep(1)
        assert len(bench.runs) == 1
        await asyncio.sleep(2.1)
        assert len(bench.runs) == 2
        assert bench.cache.caught_up_calls == [(Pod, B)]
        assert bench.statistics.stale_starts == 0


async def test_a_cache_that_does_not_catch_up_holds_a_key_for_a_bounded_time_in_all():
    """F9: five seconds, however many writes there were; then it runs, and that is counted."""

    async def reconcile(ctx, request):
        for name in "bcd":
            with ctx.api.observer.writing(Pod, Key("ns", name)):
                pass

    async with Bench(reconcile, caught_up_seconds=5.0) as bench:
        for name in "bcd":
            bench.cache.behind[Key("ns", name)] = 1000.0
        bench.queue.add(A)
        await asyncio.sleep(0)
        bench.queue.add(A)
        await asyncio.sleep(5.1)
        assert len(bench.runs) == 2
        assert bench.statistics.stale_starts == 3


async def test_what_a_key_wrote_is_forgotten_when_the_key_never_runs_again():
    """F9: objects that are gone must not pile up."""

    async def reconcile(ctx, request):
        with ctx.api.observer.writing(Pod, request.key):
            pass

    async with Bench(reconcile) as bench:
        for number in range(50):
            bench.queue.add(Key("ns", str(number)))
        await asyncio.sleep(601)
        bench.queue.add(A)
        await asyncio.sleep(1)
        assert list(bench.controller._written) == [A]


async def test_a_reconciler_that_returns_something_else_is_told_so():
    async def reconcile(ctx, request):
        return 5.0

    async with Bench(reconcile, retry=Backoff(100.0, 1.0, 100.0, 0.0)) as bench:
        bench.queue.add(A)
        await asyncio.sleep(1)
        (failed,) = bench.statistics.last_errors
        assert failed.error == "TypeError: a reconciler returns a Result or None, found 5.0"
        assert (failed.key, failed.time) == ("ns/a", "2026-08-01T00:00:00+00:00")


async def test_only_the_last_errors_are_kept():
    async with Bench(failing(ValueError("no"), times=10**6), retry=Backoff(1.0, 1.0, 1.0, 0.0)) as bench:
        bench.queue.add(A)
        await asyncio.sleep(100)
        assert bench.statistics.errors == 101 - 1
        assert len(bench.statistics.last_errors) == 20


async def test_the_requests_reason_is_the_first_that_woke_the_key():
    reasons = []

    async def reconcile(ctx, request):
        reasons.append(request.reason)
        return Result.after(10) if len(reasons) == 1 else None

    async with Bench(reconcile) as bench:
        bench.queue.add(A, reason="added")
        bench.queue.add(A, reason="updated")
        await asyncio.sleep(11)
        assert reasons == ["added", "timer"]


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_happens_the_last_version_of_every_object_is_reconciled_in_the_end(seed):
    """No wake-up is lost among changes, failures, timers, deadlines and slow caches; no key ever runs twice at once."""
    rng = random.Random(seed)
    newest: dict[Key, int] = {}
    done_with: dict[Key, int] = {}
    running: set[Key] = set()

    async def reconcile(ctx, request):
        key = request.key
        assert key not in running
        running.add(key)
        try:
            seen = newest[key]
            if rng.random() < 0.3:
                with ctx.api.observer.writing(Pod, key):
                    await asyncio.sleep(rng.random())
                bench.cache.behind[key] = rng.choice([0.0, 0.5, 7.0])
            await asyncio.sleep(rng.choice([0.0, 0.01, 1.0, 40.0]))
            match rng.choice(["done", "done", "after", "again", "error", "conflict", "future"]):
                case "after":
                    done_with[key] = seen
                    return Result.after(rng.choice([0.0, 3.0, 90.0]))
                case "again":
                    return Result.again()
                case "error":
                    raise ValueError("no")
                case "conflict":
                    raise Conflict(409, "Conflict", "changed meanwhile")
                case "future":
                    future = asyncio.get_running_loop().create_future()
                    future.cancel()
                    await future
            done_with[key] = seen
            return None
        finally:
            running.discard(key)

    async with Bench(reconcile, workers=3, deadline_seconds=30.0) as bench:
        for version in range(2, 120):
            key = Key("ns", rng.choice("abcdef"))
            old, newest[key] = newest.get(key), version
            if old is None:
                bench.emit(Added(make(key.name, rv=str(version)), initial=rng.random() < 0.5))
            else:
                labels = {"version": str(version)}
                bench.emit(Updated(make(key.name, rv=str(old)), make(key.name, rv=str(version), labels=labels)))
            await asyncio.sleep(rng.choice([0.0, 0.0, 0.1, 5.0]))
        async with asyncio.timeout(7 * 24 * 3600):
            while done_with != newest:  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(10.0)


def test_its_representation_tells_of_its_queue():
    assert repr(Bench(done).controller) == "<Controller pods <WorkQueue pods ready=0 waiting=0 running=0>>"


def test_a_spec_is_a_value():
    spec = Bench(done).controller.spec
    assert attrs.evolve(spec, workers=1).workers == 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        spec.workers = 3


# Where the time went.


async def test_the_report_tells_queue_cache_run_write_and_retry_apart():
    """M11: a run of 2 s that writes for 0.5 s, fails at first, and whose write takes 3 s to come back."""
    created = {"creationTimestamp": "2026-07-31T23:59:58Z"}

    async def reconcile(ctx, request):
        await asyncio.sleep(1.5)
        with ctx.api.observer.writing(Pod, request.key):
            await asyncio.sleep(0.5)
        if len(bench.runs) == 1:
            raise Conflict(409, "Conflict", "somebody was faster")

    bench = Bench(
        reconcile,
        workers=1,
        retry=Backoff(base_seconds=1.0, jitter=0.0),
        clock=lambda: datetime(2026, 8, 1, tzinfo=UTC),
    )
    bench.cache.behind[A] = 3.0
    async with bench:
        bench.emit(Added(make("a", **created), False))
        bench.queue.add(B)
        await asyncio.sleep(60)
    first, second = bench.controller.latency.runs(A)
    (other,) = bench.controller.latency.runs(B)
    assert (first.result, first.writes, first.attempt, first.reason) == ("error", 1, 0, "added")
    assert first.seconds == {"arrival": 2.0, "queue": 0.0, "run": 1.5, "write": 0.5}
    assert (second.result, second.attempt, second.reason) == ("success", 1, "retry")
    assert other.seconds == pytest.approx({"queue": 2.0, "run": 1.5, "write": 0.5})
    assert second.seconds == pytest.approx({"queue": 1.0, "cache": 3.0, "run": 1.5, "write": 0.5, "retry": 7.0})
    assert bench.controller.runs == {}
