"""A question is asked once however many requests wait for its answer, and answers are kept for a while, within bounds.

What judges is somebody else, such as a Kubernetes API server: a flood of requests, or of invented tokens, must become
neither a flood there nor a table that grows here. A token is kept as its digest. What failed is not kept.
"""

import asyncio
import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, Protocol, TypeVar

import attrs

from windlass.serving.access.callers import Authenticator, Authorizer, Caller
from windlass.serving.errors import NotReady, Overloaded

__all__ = ("Remembered", "Reviewed", "Reviews")

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Reviews(Authenticator, Authorizer, Protocol):
    """Who judges both callers and what they may do."""


@attrs.frozen
class _Answer(Generic[V]):
    value: V
    until: float


class Remembered(Generic[K, V]):
    """Answers by key, each for `keep_seconds`, at most `entries_max` of them; the longest unused goes first.

    At most `asking_max` questions are open at once, each for `timeout_seconds`; beyond that `get` raises Overloaded or
    NotReady.
    """

    def __init__(
        self, *, keep_seconds: float, timeout_seconds: float, entries_max: int = 4096, asking_max: int = 64
    ) -> None:
        self._keep_seconds = keep_seconds
        self._timeout_seconds = timeout_seconds
        self._entries_max = entries_max
        self._asking_max = asking_max
        self._answers: OrderedDict[K, _Answer[V]] = OrderedDict()
        self._asking: dict[K, asyncio.Task[V]] = {}

    def __len__(self) -> int:
        return len(self._answers)

    async def get(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        """The answer for the key, from `ask` unless it is known. Raises what `ask` raises."""
        known = self._answers.get(key)
        if known is not None and asyncio.get_running_loop().time() < known.until:
            self._answers.move_to_end(key)
            return known.value
        asking = self._asking.get(key)
        if asking is None:
            if len(self._asking) >= self._asking_max:
                raise Overloaded(f"{len(self._asking)} callers are being judged already")
            asking = asyncio.create_task(self._ask(key, ask), name="windlass-serving-review")
            self._asking[key] = asking
            asking.add_done_callback(lambda ended: self._ended(key, ended))
        # Whoever asked first may hang up; the others still wait for the same answer.
        return await asyncio.shield(asking)

    async def close(self) -> None:
        """Give up the questions that are open."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        if asking:
            await asyncio.wait(asking)

    async def _ask(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                value = await ask()
        except TimeoutError as error:
            raise NotReady(f"who may ask was not found out within {self._timeout_seconds:g} s") from error
        self._answers[key] = _Answer(value, asyncio.get_running_loop().time() + self._keep_seconds)
        self._answers.move_to_end(key)
        while len(self._answers) > self._entries_max:
            self._answers.popitem(last=False)
        return value

    def _ended(self, key: K, ended: asyncio.Task[V]) -> None:
        del self._asking[key]
        with contextlib.suppress(asyncio.CancelledError):
            ended.exception()  # looked at, also when everybody who waited has hung up


class Reviewed:
    """Authenticator and authorizer over somebody else's reviews, remembered for `keep_seconds` (default 10).

    So long may a token go on being taken after it was revoked, and a permission after it was withdrawn.
    """

    def __init__(self, reviews: Reviews, *, keep_seconds: float = 10.0, timeout_seconds: float = 5.0) -> None:
        self._reviews = reviews
        self._callers: Remembered[bytes, Caller | None] = Remembered(
            keep_seconds=keep_seconds, timeout_seconds=timeout_seconds
        )
        self._permits: Remembered[tuple[object, ...], bool] = Remembered(
            keep_seconds=keep_seconds, timeout_seconds=timeout_seconds
        )

    async def caller(self, token: str) -> Caller | None:
        """Whose the token is."""
        digest = hashlib.sha256(token.encode(errors="surrogateescape")).digest()
        return await self._callers.get(digest, lambda: self._reviews.caller(token))

    async def permits(self, caller: Caller, *, verb: str, path: str) -> bool:
        """Whether the caller may."""
        key = (caller.name, caller.groups, verb, path)
        return await self._permits.get(key, lambda: self._reviews.permits(caller, verb=verb, path=path))

    async def close(self) -> None:
        """Give up the reviews that are under way."""
        await self._callers.close()
        await self._permits.close()
