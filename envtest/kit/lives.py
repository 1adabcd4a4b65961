"""A life is a program's time in this process: when it ends, nothing of the program runs any more, not even a `finally`.

That is what `kill -9` does to a process. Here it is done to tasks: each task that was begun within a life is stepped
through a wrapper, which stops stepping it. Its frames are never unwound, also not by the garbage collector, which would
run the `finally` blocks as it frees them; so a life that was ended costs its memory until this process ends.

What a life cannot end: threads and processes that the program has started. What they do after the end is on their own
account, but for a thread that tells of an effect: there it is unwound.
"""

import asyncio
import contextvars
import ctypes
import functools
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from windlass.envtest.errors import EnvtestError

__all__ = ("Ended", "Life", "mortality")

T = TypeVar("T")

_LIFE: "contextvars.ContextVar[Life | None]" = contextvars.ContextVar("windlass_life", default=None)
_BURIAL_SECONDS = 10.0
_pin = ctypes.pythonapi.Py_IncRef
_pin.argtypes = [ctypes.py_object]
_pin.restype = None


class Ended(BaseException):
    """In a thread of a life that is over: it goes no further. Nothing in the program should catch it."""


class Life:
    """Begun by `begin`, within `mortality()`; ended by `end`, from anywhere on the loop, also from within itself."""

    def __init__(self) -> None:
        self.over = False
        self.ended = asyncio.Event()
        self.doomed: Callable[[str, str], bool] | None = None  # whether it ends at this moment of this effect
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()  # effects may meet their moments in several threads
        self._tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._bodies: weakref.WeakSet[_Mortal[Any]] = weakref.WeakSet()

    def begin(self, main: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """A task of this life. The tasks that it starts, and theirs, belong to the life, too."""
        context = contextvars.copy_context()
        context.run(_LIFE.set, self)
        return asyncio.get_running_loop().create_task(main, context=context)

    @staticmethod
    def current() -> "Life | None":
        """The life that the caller belongs to, a task or what it has put into a thread."""
        return _LIFE.get()

    def meets(self, moment: str, effect: str) -> bool:
        """Whether the life is over at this moment of an effect, or ends with it. From any thread."""
        with self._lock:
            return self.over or (self.doomed is not None and self.doomed(moment, effect))

    def pass_in_thread(self, moment: str, effect: str) -> None:
        """Go on past the moment. Raises Ended where the life is over, once the loop knows it, too."""
        if not self.meets(moment, effect):
            return
        known = threading.Event()
        self._loop.call_soon_threadsafe(self.end)
        self._loop.call_soon_threadsafe(known.set)
        known.wait(_BURIAL_SECONDS)
        raise Ended(f"{moment} {effect}")

    async def pass_on_loop(self, moment: str, effect: str) -> None:
        """Go on past the moment, or never return where the life is over."""
        if self.meets(moment, effect):
            self.end()
            await self.limbo()

    def end(self) -> None:
        """From now on no task of this life takes another step."""
        if self.over:
            return
        self.over = True
        for body in list(self._bodies):
            _pin(body.inner)
        self.ended.set()

    async def limbo(self) -> None:
        """Where the task that has ended its own life stays: it never returns."""
        await asyncio.get_running_loop().create_future()

    async def bury(self) -> None:
        """After the end: let the loop forget the tasks, so that it does not wait for them when it closes."""
        dead = [task for task in self._tasks if not task.done()]
        for task in dead:
            for callback, _ in list(getattr(task, "_callbacks", None) or ()):
                if not _is_asyncios_own(callback):  # the program's: it must not hear of anything any more
                    task.remove_done_callback(callback)
            task.cancel()
        if dead:
            _, left = await asyncio.wait(dead, timeout=_BURIAL_SECONDS)
            if left:  # the loop could never be closed
                raise EnvtestError(f"tasks of a killed program cannot be ended: {left}")

    def adopt(self, coroutine: Coroutine[Any, Any, T]) -> "_Mortal[T]":
        """What the loop is to step instead of `coroutine`."""
        body = _Mortal(coroutine, self)
        self._bodies.add(body)
        return body

    def enrol(self, task: "asyncio.Task[Any]") -> None:
        """The task belongs to this life."""
        self._tasks.add(task)


class _Mortal(Coroutine[Any, Any, T]):
    """Steps a coroutine for as long as its life lasts; then it only waits, and ends by being cancelled."""

    def __init__(self, inner: Coroutine[Any, Any, T], life: Life) -> None:
        self.inner = inner
        self._life = life

    def send(self, value: Any) -> Any:
        if self._life.over:
            return next(iter(asyncio.get_running_loop().create_future().__await__()))
        with _unregistered_generators():
            return self.inner.send(value)

    def throw(self, *error: Any) -> Any:
        if self._life.over:
            raise error[0]
        with _unregistered_generators():
            return self.inner.throw(*error)

    def close(self) -> None:
        if not self._life.over:
            self.inner.close()

    def __await__(self) -> Generator[Any, Any, T]:
        raise TypeError("a task's coroutine is stepped by its task")

    def __getattr__(self, name: str) -> Any:  # cr_frame and the like, for those who describe tasks
        return getattr(self.inner, name)


def _is_asyncios_own(callback: Any) -> bool:
    """Whether tasks and groups of tasks wait for one another by it."""
    while isinstance(callback, functools.partial):
        callback = callback.func
    if isinstance(getattr(callback, "__self__", None), asyncio.Future):
        return True
    module = getattr(callback, "__module__", None) or type(callback).__module__
    return module.partition(".")[0] in ("asyncio", "_asyncio")


@contextmanager
def _unregistered_generators() -> Iterator[None]:
    """A loop that closes unwinds the asynchronous generators that it knows: let it not know those of a life."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=None)
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(firstiter=hooks.firstiter)


@contextmanager
def mortality() -> Iterator[None]:
    """While entered, tasks of the running loop that begin within a life end with it; others are as they were."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    make: Callable[..., Any] = before if before is not None else _plain_task

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        context = options.get("context")
        life = _LIFE.get() if context is None else context.get(_LIFE)
        if life is None:
            return make(loop, coroutine, **options)
        task = make(loop, life.adopt(coroutine), **options)
        life.enrol(task)
        return task

    loop.set_task_factory(factory)
    try:
        yield
    finally:
        loop.set_task_factory(before)


def _plain_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
    return asyncio.Task(coroutine, loop=loop, **options)
