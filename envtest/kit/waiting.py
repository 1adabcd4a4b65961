"""A test waits for a condition and never for a time; the time is only how long it may take."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

from windlass.informers.errors import NotFound

__all__ = ("eventually",)

T = TypeVar("T")

_LOOK_SECONDS = 0.01


async def eventually(question: Callable[[], T | Awaitable[T]], *, seconds: float = 20.0) -> T:
    """Ask until the answer is true, as `if` means it, and return it. NotFound is an answer that is not true.

    Raises AssertionError with the last answer when that takes longer than `seconds`.
    """
    __tracebackhide__ = True
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            found: object = question()
            if inspect.isawaitable(found):
                found = await found
        except NotFound as error:
            found, shown = None, str(error)
        else:
            shown = repr(found)
        if found:
            return cast("T", found)
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not true after {seconds:g} s; the last answer: {shown}")
        await asyncio.sleep(_LOOK_SECONDS)
