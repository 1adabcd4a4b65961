"""Reconcilers in threads: the loop turns on, and no key is worked twice at once. Real threads, so real time."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from windlass.controller.context import Context
from windlass.controller.errors import RunOver
from windlass.controller.offloading import BlockingContext, offloaded
from windlass.controller.request import Request, Result
from windlass.informers.builtins import Pod
from windlass.informers.errors import Conflict
from windlass.informers.keys import Key

pytestmark = pytest.mark.realtime

REQUEST = Request(Key("ns", "a"), "test", "run-1")


class FakeContext:
    """Each verb tells in which thread it ran, and with what."""

    def __init__(self):
        self.request = REQUEST
        self.log = SimpleNamespace()
        self.calls = []
        self.release = asyncio.Event()

    def __getattr__(self, verb):
        async def call(*arguments, **options):
            self.calls.append((verb, arguments, options, threading.current_thread()))
            if verb == "delete":
                raise Conflict(409, "Conflict", "the uid is another")
            if verb == "apply":
                await self.release.wait()
            return verb

        return call

    def event(self, obj, **options):
        self.calls.append(("event", (obj,), options, threading.current_thread()))


async def run(reconcile, context=None):
    with ThreadPoolExecutor(1) as executor:
        return await offloaded(reconcile, executor)(context or FakeContext(), REQUEST)


async def test_the_function_runs_in_another_thread_and_its_result_comes_back():
    def reconcile(ctx, request):
        assert request is REQUEST
        assert threading.current_thread() is not threading.main_thread()
        return Result.after(5)

    assert await run(reconcile) == Result.after(5)


async def test_every_verb_is_performed_on_the_loop_and_answered_in_the_thread():
    context = FakeContext()
    context.release.set()

    def reconcile(ctx, request):
        assert repr(ctx) == "<BlockingContext ns/a run-1>"
        assert ctx.get(Pod, request.key) == "get"
        assert ctx.list(Pod, namespace="ns") == "list"
        assert ctx.apply({}, owner=None) == "apply"
        assert ctx.create({}) == "create"
        assert ctx.create_or_patch(Pod, request.key, dict.clear) == "create_or_patch"
        assert ctx.status("obj", phase="Ready") == "status"
        assert ctx.add_finalizer("obj", "f") == "add_finalizer"
        assert ctx.remove_finalizer("obj", "f") == "remove_finalizer"
        ctx.event("obj", reason="R", message="m")
        with pytest.raises(Conflict):
            ctx.delete(Pod, request.key, uid="u")

    await run(reconcile, context)
    assert {call[3] for call in context.calls} == {threading.main_thread()}
    options = {verb: options for verb, _, options, _ in context.calls}
    assert options["status"] == {"on_conflict": "raise", "phase": "Ready"}
    assert options["event"]["reason"] == "R"


def test_it_offers_every_verb_of_the_context():
    """All but what belongs to coroutines: `api`, which threads must not touch, and `offload`, where it already is."""
    verbs = {name for name in vars(Context) if not name.startswith("_")} - {"services", "api", "offload"}
    offered = {name for name in vars(BlockingContext) if not name.startswith("_")} | {"request", "log"}
    assert verbs <= offered


async def test_the_loop_turns_while_the_function_blocks():
    turns = 0

    async def turn():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.005)

    turning = asyncio.create_task(turn())
    await run(lambda ctx, request: time.sleep(0.2))
    turning.cancel()
    assert turns > 10


async def test_when_the_deadline_passes_the_next_call_raises_and_only_then_is_the_run_over():
    """C9, Q3: code that does not listen runs on, so its key must stay taken."""
    context = FakeContext()
    ended = []

    def reconcile(ctx, request):
        while not ctx.over:
            time.sleep(0.005)
        try:
            ctx.get(Pod, request.key)
        except RunOver as error:
            ended.append(str(error))
            time.sleep(0.05)
            ended.append("returned")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await run(reconcile, context)
    assert ended == ["the run of ns/a is over: return, and it will be tried again", "returned"]
    assert context.calls == []


async def test_a_call_under_way_ends_when_the_deadline_passes():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await run(lambda ctx, request: ctx.apply({}))


async def test_context_variables_reach_the_thread():
    import contextvars

    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("set")
    seen = []
    await run(lambda ctx, request: seen.append(variable.get()))
    assert seen == ["set"]
