"""A connection carries one exchange at a time: a request goes out as bytes, and its answer is waited for.

Bytes that have come are handed out even when the connection broke behind them; the break is told after them. Whoever
waits is told of silence: one timer a connection, which moves when it fires and not with each byte.

This module does not know names, TLS or how a connection comes about.
"""

import asyncio
from collections.abc import Callable
from enum import IntEnum
from typing import Final, cast

from windlass.informers.http.reader import Reader
from windlass.informers.http.reasons import NoAnswer, reason_of

__all__ = ("Connection",)

_HIGH: Final = 2**19  # bytes that nobody has taken: more are not read from the socket


class _Goal(IntEnum):
    HEAD = 0
    PART = 1
    WHOLE = 2


class Connection(asyncio.Protocol):
    """One way to a server, of one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = Reader()
        self._busy = False
        self._broken: NoAnswer | None = None
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._goal = _Goal.HEAD
        self._silence_seconds = 0.0
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.over: asyncio.Future[None] = self._loop.create_future()
        """Done when the connection is gone, whatever its reason."""
        self.idle_since = 0.0
        """When its last exchange ended, by the loop's clock."""
        self.rested: Callable[[Connection], None] | None = None
        """Told when an exchange has ended and there can be another."""

    @property
    def status(self) -> int:
        """The answer's status."""
        return self._reader.status

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The answer's head, as it came."""
        return self._reader.fields

    @property
    def waiting_bytes(self) -> int:
        """How much of the body is here and was not handed out."""
        return self._reader.size

    @property
    def transport(self) -> asyncio.Transport:
        """What the bytes go over."""
        assert self._transport is not None, "a connection is handed out once it is made"
        return self._transport

    @property
    def open(self) -> bool:
        """Whether a request can be sent. Nothing is known of a peer that is about to hang up."""
        return self._transport is not None and not self._transport.is_closing() and self._broken is None

    def send(self, request: bytes) -> None:
        """Begin an exchange."""
        self._busy = True
        self._reader.begin(bodiless=request.startswith(b"HEAD "))
        self.transport.write(request)

    async def head(self, silence_seconds: float) -> None:
        """Wait until `status` and `fields` are those of the answer.

        Raises NoAnswer, and TimeoutError when nothing comes for so long.
        """
        await self._reach(_Goal.HEAD, silence_seconds)

    async def read(self, silence_seconds: float) -> bytes:
        """The next bytes of the body, as many as there are; b"" at its end. Raises as `head` does."""
        if not self._reader.size:
            await self._reach(_Goal.PART, silence_seconds)
        part = self._reader.take()
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        return part

    async def whole(self, silence_seconds: float) -> None:
        """Wait until all of the answer is here: for as long as it comes. Raises as `head` does."""
        await self._reach(_Goal.WHOLE, silence_seconds)

    def take(self) -> bytes:
        """What is here of the body, and was not handed out."""
        return self._reader.take()

    def finish(self) -> None:
        """End the exchange. Unless it was complete, and the server stays, that is the end of the connection."""
        self._busy = False
        self.idle_since = self._loop.time()
        clean = self._reader.reusable and not self._paused  # nobody would go on reading
        if not (self.open and clean) or self.transport.get_write_buffer_size():
            self.abort()
        elif self.rested is not None:
            self.rested(self)

    def go_on(self, transport: asyncio.Transport) -> None:
        """Speak over this from here on: TLS, or what a proxy has opened."""
        self._busy = False
        self._transport = transport
        self._reader = Reader()

    def abort(self) -> None:
        """Hang up at once: TLS would wait for a farewell that nobody waits for."""
        if self._transport is not None:
            self._transport.abort()

    def _reached(self, goal: _Goal) -> bool:
        reader = self._reader
        if reader.complete:
            return True
        if goal is _Goal.WHOLE:
            return False
        return reader.size > 0 if goal is _Goal.PART else reader.status > 0

    async def _reach(self, goal: _Goal, silence_seconds: float) -> None:
        if self._waiter is not None:
            raise RuntimeError("another task waits for this answer already")
        while not self._reached(goal):
            if self._broken is not None:
                raise NoAnswer(str(self._broken)) from self._broken.__cause__
            if goal is _Goal.WHOLE and self._paused:
                self._paused = False
                self.transport.resume_reading()
            self._goal = goal
            self._silence_seconds = silence_seconds
            self._waiter = self._loop.create_future()
            self._heard()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def _heard(self) -> None:
        """Silence begins anew."""
        self._deadline = self._loop.time() + self._silence_seconds
        if self._timer is not None and self._timer.when() > self._deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() >= self._deadline:
            self._waiter.set_exception(TimeoutError())
        else:
            self._timer = self._loop.call_at(self._deadline, self._look)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _break(self, broken: NoAnswer) -> None:
        if self._broken is None:
            self._broken = broken
        self._wake()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by class

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if not self._busy:  # nobody has asked for it: a farewell in words, or no HTTP server at all
            self.abort()
            return
        try:
            self._reader.feed(data)
        except NoAnswer as error:
            self._break(error)
            self.abort()
            return
        if self._reached(self._goal):
            self._wake()
        elif self._waiter is not None:
            self._deadline = self._loop.time() + self._silence_seconds
        if self._reader.size > _HIGH and not self._paused and self._goal is not _Goal.WHOLE:
            self._paused = True
            self.transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio."""
        if self._timer is not None:
            self._timer.cancel()
        if error is None:
            self._reader.end()
        if self._reader.status:
            reason = "the connection was cut within the answer"
        else:
            reason = "the connection was closed before the answer" if error is None else reason_of(error)
        broken = NoAnswer(reason)
        broken.__cause__ = error
        self._break(broken)
        if not self.over.done():
            self.over.set_result(None)

    def __repr__(self) -> str:
        state = "over" if self.over.done() else "busy" if self._busy else "idle"
        return f"<Connection {state}>"
