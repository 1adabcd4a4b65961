"""Sockets are closed by whoever owns them, and `end` waits for that: not for ever, and not for those in the making."""

import asyncio
import socket
import ssl

import pytest
from certificates import Authority
from silent_tls import silent_tls, sockets_to

from windlass.operators.sockets import Sockets, session

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


async def test_no_socket_outlives_a_session_whose_request_was_cancelled(tmp_path):
    """TLS says farewell and waits for the peer's: whoever ended the loop then left the socket to the collector."""
    authority = Authority(tmp_path)
    trust = ssl.create_default_context(cafile=authority.ca_file)
    with silent_tls(authority) as (port, asked):
        async with session(60) as opened:
            request = asyncio.ensure_future(opened.get(f"https://127.0.0.1:{port}/", ssl=trust))
            while not asked.is_set():  # noqa: ASYNC110 - a thread's event
                await asyncio.sleep(0.01)
            request.cancel()
            await asyncio.wait([request])
        assert sockets_to(port) == []


async def test_a_session_ends_its_requests_in_time():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with session(0.05) as opened:
            with pytest.raises(TimeoutError):
                await opened.get(f"http://127.0.0.1:{listener.getsockname()[1]}/")
