"""Every socket that was opened here is closed when `end` returns.

The HTTP library forgets a connection whose request is cancelled or runs out of time, and TLS then waits for the other
side's farewell, with nobody to own the wait. Should the event loop end before that, the garbage collector finds the
socket.

This module does not know what is said over a socket.
"""

import asyncio
import socket
from weakref import WeakSet

import aiohttp

__all__ = ("Sockets",)

_END_SECONDS_MAX = 1.0


class Sockets:
    """Opens sockets for transports, and remembers them. Of one event loop."""

    def __init__(self) -> None:
        self._opened: WeakSet[socket.socket] = WeakSet()

    def open(self, address: aiohttp.AddrInfoType) -> socket.socket:
        """A new socket for the address, not connected. Raises OSError."""
        opened = socket.socket(address[0], address[1], address[2])
        self._opened.add(opened)
        return opened

    async def end(self) -> None:
        """Hang up on every peer, and wait until the transports have noticed: a millisecond, at most a second.

        Closing the descriptors is theirs to do: the loop still waits on them. A socket that is still being connected
        belongs to a running request and is left to it.
        """
        loop = asyncio.get_running_loop()
        connected = [opened for opened in self._opened if _hang_up(opened)]
        deadline = loop.time() + _END_SECONDS_MAX
        while any(opened.fileno() >= 0 for opened in connected) and loop.time() < deadline:  # noqa: ASYNC110 - closing tells nobody
            await asyncio.sleep(0.001)

    def __len__(self) -> int:
        """How many are open."""
        return sum(opened.fileno() >= 0 for opened in self._opened)

    def __repr__(self) -> str:
        return f"<Sockets open={len(self)}>"


def _hang_up(opened: socket.socket) -> bool:
    """Whether there was somebody to hang up on."""
    try:
        opened.shutdown(socket.SHUT_RDWR)
    except OSError:  # not connected, or closed
        return False
    return True
