"""Every way to a server ends in a connection or in words of the network, and what was given up leaves nothing open."""

import asyncio
import contextlib
import socket
import ssl

import pytest
import uvloop
from certificates import Authority
from silent_tls import sockets_to
from tunnels import tunnel

from windlass.informers.http.address import Address
from windlass.informers.http.dialing import Dialer
from windlass.informers.http.pool import Pool
from windlass.informers.http.reasons import NoAnswer

pytestmark = pytest.mark.realtime

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
PATIENCE = 20.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def served_by(authority, names="IP:127.0.0.1,DNS:localhost"):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("/CN=server", names=names))
    return context


@contextlib.asynccontextmanager
async def answering(tls=None):
    async def talk(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


async def body(dialer):
    pool = Pool(dialer)
    try:
        connection = await pool.ask(GET, PATIENCE, whole=True, safe=True)
        return connection.take()
    finally:
        await pool.close()


def trusting(authority):
    return ssl.create_default_context(cafile=authority.ca_file)


async def test_a_name_with_several_addresses_is_tried_at_each_of_them():
    async with answering() as port:  # on 127.0.0.1 alone; localhost may be ::1, too
        assert await body(Dialer(Address("http", "localhost", port))) == b"ok"


async def test_nobody_at_any_address_of_a_name_is_said_in_one_word():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NoAnswer, match=r"^Connection refused$") as caught:
        await body(Dialer(Address("http", "localhost", port)))
    assert caught.value.sent is False


async def test_a_peer_that_never_answers_the_handshake_is_left_in_time(authority):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dialer = Dialer(Address("https", "127.0.0.1", listener.getsockname()[1]), trusting(authority), seconds=0.2)
        with pytest.raises(NoAnswer, match=r"^Connection timeout$") as caught:
            await body(dialer)
    assert caught.value.sent is False


@pytest.mark.parametrize("own_tls", [False, True], ids=["http", "https"])
async def test_a_tunnel_leads_to_the_server_and_hears_no_request(authority, own_tls, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))  # who a proxy is, the system's authorities say
    async with (
        answering(served_by(authority)) as port,
        tunnel(tls=served_by(authority) if own_tls else None) as (url, asked),
    ):
        proxy = Address.parse(url.replace("//", "//ada:secret@"))
        assert await body(Dialer(Address("https", "127.0.0.1", port), trusting(authority), proxy=proxy)) == b"ok"
    (head,) = asked
    assert head.splitlines()[0] == b"CONNECT 127.0.0.1:%d HTTP/1.1" % port
    assert b"Proxy-Authorization: Basic YWRhOnNlY3JldA==\r\n" in head, "base64 of ada:secret"


async def test_a_proxy_that_opens_no_tunnel_is_named_with_its_answer(authority):
    async with tunnel(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as (url, _):
        dialer = Dialer(Address("https", "cluster.example", 443), trusting(authority), proxy=Address.parse(url))
        where = url.removeprefix("http://")
        with pytest.raises(NoAnswer, match=f"the proxy {where} answered 407 to CONNECT cluster.example:443") as caught:
            await body(dialer)
    assert caught.value.sent is False


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there_is_named(authority, scheme):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Address("http", "127.0.0.1", listener.getsockname()[1])
    tls = trusting(authority) if scheme == "https" else None
    dialer = Dialer(Address(scheme, "cluster.example", 443), tls, proxy=proxy)
    words = f"the proxy {proxy.authority} cannot be reached: Connection refused"
    with pytest.raises(NoAnswer, match=words):
        await body(dialer)


async def test_a_proxy_that_hangs_up_is_named(authority):
    async with tunnel(b"") as (url, _):
        dialer = Dialer(Address("https", "cluster.example", 443), trusting(authority), proxy=Address.parse(url))
        with pytest.raises(NoAnswer, match=r"the proxy .* cannot be reached: the connection was closed before"):
            await body(dialer)


async def test_a_server_behind_a_tunnel_is_not_trusted_for_the_tunnels_sake(authority, tmp_path):
    async with answering(served_by(authority)) as port, tunnel() as (url, _):
        dialer = Dialer(Address("https", "127.0.0.1", port), trusting(Authority(tmp_path)), proxy=Address.parse(url))
        with pytest.raises(NoAnswer, match=r"^certificate verify failed: "):
            await body(dialer)


@pytest.mark.parametrize("way", ["plain", "TLS", "tunnel"])
def test_every_way_leads_there_on_uvloop_as_well(authority, way):
    async def asked():
        tls = way != "plain"
        async with answering(served_by(authority) if tls else None) as port, tunnel() as (url, _):
            dialer = Dialer(
                Address("https" if tls else "http", "127.0.0.1", port),
                trusting(authority) if tls else None,
                proxy=Address.parse(url) if way == "tunnel" else None,
            )
            return await body(dialer)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(asked()) == b"ok"


@pytest.mark.parametrize("name", [".example", "a..b"])
def test_a_name_that_no_certificate_can_have_is_refused(authority, name):
    with pytest.raises(ValueError, match="is no name"):
        Dialer(Address("https", "127.0.0.1", 1), trusting(authority), tls_name=name)


@pytest.mark.parametrize(("scheme", "given"), [("https", False), ("http", True)])
def test_nothing_goes_out_in_plain_that_was_meant_for_tls(authority, scheme, given):
    with pytest.raises(ValueError, match="expected a TLS context for https and none for http"):
        Dialer(Address(scheme, "a", 1), trusting(authority) if given else None)


async def test_a_wait_that_is_cancelled_in_any_turn_of_the_loop_leaves_no_socket(authority):
    """Around the end of a handshake TLS would say farewell, with nobody to wait for the peer's."""
    async with answering(served_by(authority)) as port:
        turn, done = 0, False
        while not done:
            turn += 1
            pool = Pool(Dialer(Address("https", "127.0.0.1", port), trusting(authority)))
            asking = asyncio.ensure_future(pool.ask(GET, PATIENCE, whole=True, safe=True))
            for _ in range(turn):
                await asyncio.sleep(0)
            done = asking.done()
            asking.cancel()
            await asyncio.wait([asking])
            await pool.close()
            await asyncio.sleep(0)
            assert sockets_to(port) == [], f"after turn {turn}"
    assert turn > 5
