"""Sockets are closed by whoever owns them, and `end` waits for that: not for ever, and not for those in the making."""

import asyncio
import socket

import pytest

from windlass.informers.sockets import Sockets

pytestmark = pytest.mark.realtime

ADDRESS = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0))


class Telling(asyncio.Protocol):
    def __init__(self, lost):
        self.lost = lost

    def connection_lost(self, error):
        self.lost.set()


async def test_ending_closes_the_socket_under_its_transport():
    sockets = Sockets()
    opened = sockets.open(ADDRESS)
    lost = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        opened.connect(listener.getsockname())
        opened.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: Telling(lost), sock=opened)
        assert len(sockets) == 1
        await sockets.end()
    assert opened.fileno() == -1
    assert lost.is_set()
    assert repr(sockets) == "<Sockets open=0>"


async def test_ending_does_not_wait_for_ever_for_an_owner_that_does_nothing():
    sockets = Sockets()
    with socket.create_server(("127.0.0.1", 0)) as listener, sockets.open(ADDRESS) as opened:
        opened.connect(listener.getsockname())
        await asyncio.wait_for(sockets.end(), 20)
        assert opened.recv(1) == b""


async def test_a_socket_that_is_not_connected_is_left_to_its_owner():
    sockets = Sockets()
    with sockets.open(ADDRESS) as opened:
        await sockets.end()
        assert opened.fileno() >= 0
