"""Connections are kept while both sides want that, made when there is none, and gone when the pool is closed."""

import asyncio
import random
import ssl
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256

import attrs
import pytest
from certificates import Authority
from scripted_cluster import until
from seeds import announced_seed

from windlass.informers.http import pool as pools
from windlass.informers.http.address import Address
from windlass.informers.http.dialing import Dialer
from windlass.informers.http.pool import Pool
from windlass.informers.http.reasons import NoAnswer

pytestmark = pytest.mark.realtime

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PATIENCE = 20.0


@attrs.define
class Peer:
    """A server that answers the n-th request of all with the n-th line of its script, and hangs up after None.

    A number is answered with the digest of so many bytes of a body, which it is slow to read.
    """

    script: list
    asked: list = attrs.field(factory=list)
    """Which connection each request came over."""
    writers: list = attrs.field(factory=list)

    async def talk(self, reader, writer):
        self.writers.append(writer)
        number = len(self.writers)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.asked.append(number)
                answer = self.script.pop(0)
                if answer is None:
                    break
                if isinstance(answer, int):
                    await asyncio.sleep(0.05)
                    digest = sha256(await reader.readexactly(answer)).hexdigest().encode()
                    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(digest), digest)
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=["plain", "TLS 1.2", "TLS 1.3"])
def between(request, authority):
    """A pool and the peer whose script is given."""
    context = None
    if request.param != "plain":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*authority.issue("/CN=server", names="IP:127.0.0.1"))
        context.maximum_version = ssl.TLSVersion[request.param.replace(" ", "v").replace(".", "_")]

    @asynccontextmanager
    async def opened(*script):
        peer = Peer(list(script))
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(await asyncio.start_server(peer.talk, "127.0.0.1", 0, ssl=context))
            port = server.sockets[0].getsockname()[1]
            trust = None if context is None else ssl.create_default_context(cafile=authority.ca_file)
            pool = Pool(Dialer(Address("http" if trust is None else "https", "127.0.0.1", port), trust))
            stack.push_async_callback(pool.close)
            yield pool, peer

    return opened


async def body(pool, *, safe=True, silence=PATIENCE):
    connection = await pool.ask(GET, silence, whole=True, safe=safe)
    try:
        return connection.take()
    finally:
        connection.finish()


async def test_one_connection_carries_exchanges_that_follow_each_other(between):
    async with between(OK, OK, OK) as (pool, peer):
        assert [await body(pool) for _ in range(3)] == [b"ok"] * 3
        assert peer.asked == [1, 1, 1]
        assert repr(pool).endswith("connections=1 idle=1>")


async def test_exchanges_at_the_same_time_have_a_connection_each(between):
    async with between(OK, OK, OK) as (pool, peer):
        assert await asyncio.gather(*(body(pool) for _ in range(3))) == [b"ok"] * 3
        assert sorted(peer.asked) == [1, 2, 3]


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", OK + b"HTTP/1.1 408 Late\r\n\r\n"],
    ids=["close", "more than was asked for"],
)
async def test_a_connection_that_is_not_to_be_trusted_is_not_used_again(between, answer):
    async with between(answer, OK) as (pool, peer):
        assert [await body(pool), await body(pool)] == [b"ok"] * 2
        assert peer.asked == [1, 2]


async def test_a_server_that_speaks_without_being_asked_is_left(between):
    async with between(OK, OK) as (pool, peer):
        await body(pool)
        peer.writers[0].write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        await until(lambda: not len(pool))
        assert await body(pool) == b"ok"
        assert peer.asked == [1, 2]


async def test_a_server_that_hangs_up_while_the_connection_rests_is_not_noticed_by_the_next_request(between):
    async with between(OK, OK) as (pool, peer):
        await body(pool)
        peer.writers[0].close()
        await until(lambda: not len(pool))
        assert await body(pool, safe=False) == b"ok"
        assert peer.asked == [1, 2]


async def test_a_server_that_hangs_up_on_a_rested_connection_is_asked_again_what_may_be_asked_twice(between):
    """RFC 9112, 9.3.1: it may have performed a request that it did not answer."""
    async with between(OK, None, OK) as (pool, peer):
        await body(pool)
        assert await body(pool) == b"ok"
        assert peer.asked == [1, 1, 2]
    async with between(OK, None, OK) as (pool, peer):
        await body(pool)
        with pytest.raises(NoAnswer, match="the connection was closed before the answer"):
            await body(pool, safe=False)
        assert peer.asked == [1, 1]


async def test_a_new_connection_that_is_hung_up_on_is_an_answer(between):
    async with between(None, OK) as (pool, peer):
        with pytest.raises(NoAnswer, match="the connection was closed before the answer"):
            await body(pool)
        assert peer.asked == [1]


async def test_an_answer_that_has_begun_is_not_asked_for_again(between):
    async with between(OK, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nha", OK) as (pool, peer):
        await body(pool)
        asking = asyncio.ensure_future(body(pool))
        await until(lambda: len(peer.asked) == 2)
        peer.writers[0].close()
        with pytest.raises(NoAnswer, match="the connection was cut within the answer"):
            await asking
        assert peer.asked == [1, 1]


async def test_bytes_that_came_before_a_break_are_handed_out_before_it_is_told(between):
    async with between(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nha") as (pool, peer):
        connection = await pool.ask(GET, PATIENCE, whole=False, safe=True)
        peer.writers[0].close()
        await until(connection.over.done)
        assert await connection.read(PATIENCE) == b"ha"
        for _ in range(2):  # and each time
            with pytest.raises(NoAnswer, match="the connection was cut within the answer"):
                await connection.read(PATIENCE)


async def test_silence_is_counted_from_the_last_byte(between):
    async with between(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n") as (pool, peer):
        asking = asyncio.ensure_future(body(pool, silence=0.4))
        await until(lambda: peer.asked)
        for _ in range(4):
            await asyncio.sleep(0.2)
            peer.writers[0].write(b"a")
            assert not asking.done()
        with pytest.raises(TimeoutError):
            await asking


async def test_a_shorter_silence_after_a_longer_one_is_noticed(between):
    async with between(OK, b"") as (pool, _):
        await body(pool, silence=3600.0)
        with pytest.raises(TimeoutError):
            await body(pool, silence=0.05)


async def test_a_reader_that_does_not_read_stops_the_server_and_misses_nothing(between):
    size = 2**25  # more than the kernel's buffers hold
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"a" * size
    async with between(answer) as (pool, _):
        connection = await pool.ask(GET, PATIENCE, whole=False, safe=True)
        await until(lambda: connection.waiting_bytes > 2**19)
        for _ in range(50):
            await asyncio.sleep(0)
        assert connection.waiting_bytes < 2**21
        read = 0
        while part := await connection.read(PATIENCE):
            read += len(part)
        assert read == size


async def test_an_answer_left_unread_does_not_silence_the_next_on_its_connection(between):
    size = 2**19 + 1000  # complete with the piece that is one too many to go on reading
    async with between(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"a" * size, OK) as (pool, _):
        connection = await pool.ask(GET, PATIENCE, whole=False, safe=True)
        await until(lambda: connection.waiting_bytes == size)
        connection.finish()
        connection = await pool.ask(GET, PATIENCE, whole=False, safe=False)
        assert await connection.read(PATIENCE) == b"ok"


async def test_the_whole_of_an_answer_may_be_waited_for_after_its_head(between):
    size = 2**22
    async with between(b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n" % size + b"a" * size) as (pool, _):
        connection = await pool.ask(GET, PATIENCE, whole=False, safe=True)
        await until(lambda: connection.waiting_bytes > 2**19)
        await connection.whole(PATIENCE)
        assert len(connection.take()) == size


async def test_a_request_that_was_answered_before_it_was_read_ends_the_connection(between):
    async with between(OK, OK) as (pool, peer):
        connection = await pool.ask(GET + b"a" * 2**25, PATIENCE, whole=True, safe=False)
        connection.finish()
        assert not connection.open
        assert await body(pool) == b"ok"
        assert peer.asked == [1, 2]


async def test_a_body_that_the_socket_does_not_take_at_once_arrives_whole(between):
    sent = random.Random(announced_seed()).randbytes(2**24)
    async with between(len(sent), OK) as (pool, peer):
        connection = await pool.ask(GET + sent, PATIENCE, whole=True, safe=False)
        assert connection.take() == sha256(sent).hexdigest().encode()
        connection.finish()
        assert await body(pool) == b"ok"
        assert peer.asked == [1, 1], "nothing is left of it in the connection"


async def test_a_connection_does_not_rest_for_ever(between, monkeypatch):
    monkeypatch.setattr(pools, "IDLE_SECONDS", 0.05)
    async with between(OK, OK, OK) as (pool, peer):
        await asyncio.gather(body(pool), body(pool))
        await until(lambda: not len(pool))
        assert await body(pool) == b"ok"
        assert peer.asked[-1] == 3


async def test_a_retired_pool_keeps_nothing_and_lets_exchanges_go_on(between):
    async with between(OK, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha", OK) as (pool, peer):
        await asyncio.gather(body(pool))
        connection = await pool.ask(GET, PATIENCE, whole=False, safe=True)
        pool.retire()
        peer.writers[0].write(b"lf")
        assert await connection.read(PATIENCE) + await connection.read(PATIENCE) in (b"half", b"ha")
        connection.finish()
        await until(lambda: not len(pool))


async def test_closing_ends_what_is_under_way(between):
    async with between(b"") as (pool, peer):
        asking = asyncio.ensure_future(body(pool))
        await until(lambda: peer.asked)
        await pool.close()
        assert not len(pool)
        with pytest.raises(NoAnswer):
            await asking


async def test_a_connection_that_is_made_after_the_pool_was_closed_is_closed_at_once(between):
    async with between(OK) as (pool, peer):
        asking = asyncio.ensure_future(body(pool))
        await asyncio.sleep(0)
        await pool.close()
        with pytest.raises(NoAnswer, match="the client was closed") as caught:
            await asking
        assert caught.value.sent is False
        assert not peer.asked


async def test_the_answer_to_head_has_no_body_and_ends_the_connection(between):
    async with between(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", OK) as (pool, peer):
        connection = await pool.ask(GET.replace(b"GET", b"HEAD"), PATIENCE, whole=True, safe=True)
        assert (connection.status, connection.take()) == (200, b"")
        connection.finish()
        assert await body(pool) == b"ok"
        assert peer.asked == [1, 2]


async def test_a_second_reader_is_refused_and_the_first_goes_on(between):
    async with between(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n") as (pool, peer):
        connection = await pool.ask(GET, PATIENCE, whole=False, safe=True)
        reading = asyncio.ensure_future(connection.read(PATIENCE))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task waits for this answer already"):
            await connection.read(PATIENCE)
        peer.writers[0].write(b"ok")
        assert await reading == b"ok"
