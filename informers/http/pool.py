"""A pool gives out connections: the one that rested last, or a new one. There are as many as are asked for at once.

Every connection that was made here is gone when `close` returns.
"""

import asyncio
from typing import Final

from windlass.informers.http.connection import Connection
from windlass.informers.http.dialing import Dialer
from windlass.informers.http.reasons import NoAnswer

__all__ = ("IDLE_SECONDS", "Pool")

IDLE_SECONDS: Final = 30.0
"""How long a connection rests before it is closed."""
_END_SECONDS_MAX: Final = 1.0


class Pool:
    """Connections to one server, of one event loop."""

    def __init__(self, dialer: Dialer) -> None:
        self.dialer = dialer
        self.loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []  # the longest rested first
        self._made: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._retired = False

    async def ask(self, request: bytes, silence_seconds: float, *, whole: bool, safe: bool) -> Connection:
        """A connection that has the answer's head, or all of it. Whoever has read what it wants calls its `finish`.

        A server may hang up on a connection that rests, just when it is used again. A request that is `safe` (RFC 9110,
        9.2.1), so that it does not matter whether the server has performed it, is then sent over another one. Raises
        NoAnswer, and TimeoutError for silence.
        """
        while True:
            connection = self._at_rest()
            fresh = connection is None
            if connection is None:
                connection = await self._new()
            try:
                connection.send(request)
                await (connection.whole if whole else connection.head)(silence_seconds)
            except NoAnswer:
                connection.abort()
                if fresh or not safe or connection.status:
                    raise
            except BaseException:
                connection.abort()
                raise
            else:
                return connection

    def retire(self) -> None:
        """Keep nothing any longer; exchanges that are under way go on."""
        self._retired = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in self._idle:
            connection.abort()
        self._idle = []

    async def close(self) -> None:
        """Hang up, and wait until the transports have noticed: some turns of the loop, at most a second."""
        self.retire()
        for connection in self._made:
            connection.abort()
        if self._made:
            await asyncio.wait([connection.over for connection in self._made], timeout=_END_SECONDS_MAX)

    async def _new(self) -> Connection:
        connection = await self.dialer.dial()
        if self._retired:
            connection.abort()
            raise NoAnswer("the client was closed", sent=False)
        self._made.add(connection)
        connection.rested = self._rest
        connection.over.add_done_callback(lambda _: self._made.discard(connection))
        return connection

    def _rest(self, connection: Connection) -> None:
        if self._retired:
            connection.abort()
            return
        self._idle.append(connection)
        if self._timer is None:
            self._timer = self.loop.call_at(connection.idle_since + IDLE_SECONDS, self._sweep)

    def _at_rest(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.open:
                return connection
        return None

    def _sweep(self) -> None:
        self._timer = None
        latest = self.loop.time() - IDLE_SECONDS
        rested = [connection for connection in self._idle if connection.idle_since <= latest]
        self._idle = self._idle[len(rested) :]
        for connection in rested:
            connection.abort()
        if self._idle:
            self._timer = self.loop.call_at(self._idle[0].idle_since + IDLE_SECONDS, self._sweep)

    def __len__(self) -> int:
        return len(self._made)

    def __repr__(self) -> str:
        return f"<Pool {self.dialer.address} connections={len(self._made)} idle={len(self._idle)}>"
