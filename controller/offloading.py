"""A reconciler that computes or blocks runs in a thread of its own, and its key is not let go before the thread ends.

`manager.controller(reconcile, …, offload=True)` takes a plain function `(ctx, request) -> Result | None`. Its `ctx` is
a `BlockingContext`: the verbs of `Context` as plain calls, each performed on the loop while the thread waits. That is
all it may use of the manager: neither `ctx.api` nor the cache may be touched from a thread.

Guarantees: no key is ever run twice at once (Q3). When the run's deadline passes, or the manager cancels it, the thread
cannot be ended from outside (C9): its next call of `ctx` raises `RunOver`, and the key stays taken until it returns.
Caveats: threads share one interpreter lock. The loop keeps turning, but pure Python does not get faster; give work that
fills a core to a process: `await ctx.offload(function, …, executor=ProcessPoolExecutor())`.
"""

import asyncio
import builtins
import concurrent.futures
import contextvars
import functools
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal, ParamSpec, Protocol, TypeVar, overload

from windlass.controller.context import Context
from windlass.controller.errors import RunOver
from windlass.controller.lease import FencingToken
from windlass.controller.recorder import EventType
from windlass.controller.request import Request, Result
from windlass.controller.subject import AnyObject
from windlass.controller.threads import run_in_thread
from windlass.controller.upserts import Mutate, Upserted
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.resources import Kind, Resource
from windlass.informers.typed import CustomResource

__all__ = ("BlockingContext", "BlockingReconciler", "offloaded")

T = TypeVar("T", bound=CustomResource)
P = ParamSpec("P")
R = TypeVar("R")


class BlockingReconciler(Protocol):
    """A plain function `(ctx, request) -> Result | None`, for `offload=True`."""

    def __call__(self, ctx: "BlockingContext", request: Request, /) -> Result | None:
        """One run."""


class BlockingContext:
    """One run's view of the cluster, from the run's own thread. Errors are those of `Context`, and `RunOver`."""

    def __init__(self, context: Context, loop: asyncio.AbstractEventLoop) -> None:
        self.request = context.request
        self.log: logging.LoggerAdapter[logging.Logger] = context.log
        self._context = context
        self._loop = loop
        # Both threads: which call is under way, and whether there may be more.
        self._lock = threading.Lock()
        self._call: concurrent.futures.Future[Any] | None = None
        self._over = False

    @property
    def over(self) -> bool:
        """Whether the run's time is over. Long computations should look at it now and then, and return."""
        return self._over

    @property
    def fencing_token(self) -> FencingToken | None:
        """As `Context.fencing_token`."""

        async def ask() -> FencingToken | None:
            return self._context.fencing_token

        return self._await(ask)

    @property
    def dry_run(self) -> bool:
        """As `Context.dry_run`."""
        return self._context.dry_run

    @overload
    def get(self, kind: type[T], key: Key) -> T | None: ...
    @overload
    def get(self, kind: Resource, key: Key) -> Object | None: ...

    def get(self, kind: Kind, key: Key) -> AnyObject | None:
        """As `Context.get`."""
        get: Callable[[Kind, Key], Coroutine[Any, Any, AnyObject | None]] = self._context.get
        return self._await(get, kind, key)

    @overload
    def list(
        self, kind: type[T], *, namespace: str | None = None, owner: AnyObject | None = None
    ) -> builtins.list[T]: ...
    @overload
    def list(
        self, kind: Resource, *, namespace: str | None = None, owner: AnyObject | None = None
    ) -> builtins.list[Object]: ...

    def list(self, kind: Kind, *, namespace: str | None = None, owner: AnyObject | None = None) -> Sequence[AnyObject]:
        """As `Context.list`."""
        return self._await(self._context.list, kind, namespace=namespace, owner=owner)

    def apply(self, body: Mapping[str, Any], *, owner: AnyObject | None = None) -> Object:
        """As `Context.apply`."""
        return self._await(self._context.apply, body, owner=owner)

    def create(self, body: Mapping[str, Any], *, owner: AnyObject | None = None) -> Object:
        """As `Context.create`."""
        return self._await(self._context.create, body, owner=owner)

    def create_or_patch(self, kind: Kind, key: Key, mutate: Mutate, *, owner: AnyObject | None = None) -> Upserted:
        """As `Context.create_or_patch`; `mutate` is called on the loop and should be quick."""
        return self._await(self._context.create_or_patch, kind, key, mutate, owner=owner)

    def delete(self, kind: Kind, key: Key, *, uid: str | None = None) -> bool:
        """As `Context.delete`."""
        return self._await(self._context.delete, kind, key, uid=uid)

    def status(self, obj: AnyObject, /, *, on_conflict: Literal["raise", "retry"] = "raise", **changes: object) -> bool:
        """As `Context.status`."""
        return self._await(self._context.status, obj, on_conflict=on_conflict, **changes)

    def event(
        self,
        obj: AnyObject,
        *,
        reason: str,
        message: str,
        type: EventType = "Normal",  # noqa: A002  # the field's own name
        dedupe: str | None = None,
    ) -> None:
        """As `Context.event`, without a way to wait for it."""

        async def record() -> None:
            self._context.event(obj, reason=reason, message=message, type=type, dedupe=dedupe)

        self._await(record)

    def add_finalizer(self, obj: AnyObject, name: str) -> bool:
        """As `Context.add_finalizer`."""
        return self._await(self._context.add_finalizer, obj, name)

    def remove_finalizer(self, obj: AnyObject, name: str) -> bool:
        """As `Context.remove_finalizer`."""
        return self._await(self._context.remove_finalizer, obj, name)

    def end(self) -> None:
        """Let the call under way, and every later one, raise RunOver."""
        with self._lock:
            self._over = True
            if self._call is not None:
                self._call.cancel()

    def __repr__(self) -> str:
        return f"<BlockingContext {self.request.key} {self.request.reconcile_id}>"

    def _await(self, verb: Callable[P, Coroutine[Any, Any, R]], *args: P.args, **kwargs: P.kwargs) -> R:
        with self._lock:
            if self._over:
                raise RunOver(self.request.key)
            call: concurrent.futures.Future[R] = asyncio.run_coroutine_threadsafe(verb(*args, **kwargs), self._loop)
            self._call = call
        try:
            return call.result()
        except (concurrent.futures.CancelledError, asyncio.CancelledError):
            raise RunOver(self.request.key) from None
        finally:
            self._call = None


def offloaded(
    reconcile: BlockingReconciler, executor: concurrent.futures.Executor
) -> Callable[[Context, Request], Coroutine[Any, Any, Result | None]]:
    """The reconciler that runs `reconcile` in the executor's threads."""

    async def run(context: Context, request: Request) -> Result | None:
        blocking = BlockingContext(context, asyncio.get_running_loop())
        call = functools.partial(contextvars.copy_context().run, reconcile, blocking, request)
        return await run_in_thread(call, executor, on_cancel=blocking.end)

    return run
