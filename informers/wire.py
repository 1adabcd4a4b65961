"""A wire stands between the clients of a cluster and its server: tests watch and disturb exchanges by it.

It works on requests and streams as values, so it is the same on any server and under any operator. In production there
is none, and then nothing of this is run.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from windlass.informers.client import Stream
    from windlass.informers.requests import Request

__all__ = ("Onward", "Source", "Wire")

Onward: TypeAlias = "Callable[[], AbstractAsyncContextManager[Stream]]"
"""Sends the request on; entered, the server has answered (an ApiError or ConnectionFailed is raised by entering)."""


class Source(Protocol):
    """Where the bytes of an answer come from."""

    async def read(self, silence_seconds: float) -> bytes:
        """The next bytes, as many as there are; b"" at the clean end.

        Raises TimeoutError when nothing comes for so long, another OSError when the connection breaks.
        """


class Wire(Protocol):
    """What `Cluster.wire` may be. One may stand before another."""

    def carry(self, request: "Request", onward: "Onward") -> "AbstractAsyncContextManager[Stream]":
        """The answer to the request: `onward()` for the server's own. Each attempt is carried anew.

        Raises ApiError and ConnectionFailed alone, as the client does.
        """
