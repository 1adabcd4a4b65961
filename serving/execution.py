"""A model runs on the event loop only when it was measured to be faster there than a thread hop is worth.

Everything else runs in a thread.

A hop to a thread costs 60-75 µs, more than a whole small request, so a model that answers within `INLINE_SECONDS` is
cheaper inline; one that takes longer would hold up every other connection and the liveness probe (R1). Which it is,
is measured at warm-up by size of input: see `warmup.py`. The number of requests that wait for a thread is bounded;
beyond it they are refused at once (R11).
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from windlass.serving.errors import ModelFailed, Overloaded, ServingError
from windlass.serving.model import LoadedModel, checked, size
from windlass.serving.tensors import Array

__all__ = ("INLINE_SECONDS", "Execution")

INLINE_SECONDS = 300e-6


class Execution:
    """Runs models.

    `threads` run at once (default 4); `waiting_max` more may wait for one (default 256), then Overloaded.

    Cancelling `run` withdraws work that no thread has begun; work that has begun ends in its thread and its result is
    dropped (DB21).
    """

    def __init__(self, *, threads: int = 4, waiting_max: int = 256) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="windlass-model")
        self._limit = threads + waiting_max
        self._submitted = 0

    def __repr__(self) -> str:
        return f"<Execution in_threads={self._submitted} limit={self._limit}>"

    async def run(self, model: LoadedModel, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """The model's outputs, checked against its description. Raises ModelFailed or Overloaded."""
        if size(inputs) <= model.inline_elements:
            return _predict(model, inputs)
        if self._submitted >= self._limit:
            raise Overloaded(f"model {model.name!r}: {self._submitted} requests are computed or wait already")
        future = self._pool.submit(_predict, model, inputs)
        self._submitted += 1
        loop = asyncio.get_running_loop()
        # Counted until the thread is done with it, not until the client is: an abandoned computation still occupies
        # its thread.
        future.add_done_callback(lambda _: _call_soon(loop, self._one_less))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Give up waiting work; a thread that still computes ends on its own."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _one_less(self) -> None:
        self._submitted -= 1


def _call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    # A thread may outlive the loop that asked for it.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)


def _predict(model: LoadedModel, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    try:
        return checked(model, model.model.predict(inputs))
    except ServingError:
        raise
    except Exception as error:
        raise ModelFailed(
            f"model {model.name!r} version {model.version} failed: {type(error).__name__}: {error}"
        ) from error
