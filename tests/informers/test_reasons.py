"""What reaches users speaks of the network, and never in the words of the HTTP library."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from windlass.informers import requests
from windlass.informers.builtins import Pod
from windlass.informers.client import Client, Timeouts
from windlass.informers.cluster import Cluster
from windlass.informers.errors import ConnectionFailed
from windlass.informers.http.reasons import reason_of
from windlass.informers.keys import Key

GET = requests.get(Pod, Key("default", "a"))


@asynccontextmanager
async def answering(answer):
    """The port of a server that says the same to everybody and hangs up."""

    async def listen(reader, writer):
        await reader.readline()
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("scheme", "answer", "reason"),
    [
        pytest.param("http", b"", "the connection was closed before the answer", id="hung up"),
        pytest.param("http", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "was cut within the answer", id="cut"),
        pytest.param(
            "http",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
            "was cut within the answer",
            id="cut chunk",
        ),
        pytest.param("http", b"SSH-2.0 I am another\r\n\r\n", "the answer cannot be read as HTTP: ", id="not HTTP"),
        pytest.param("https", b"HTTP/1.1 400 Bad Request\r\n\r\n", "TLS failed: ", id="not TLS"),
    ],
)
async def test_an_answer_that_is_none_is_told_in_our_words(scheme, answer, reason):
    async with answering(answer) as port:
        cluster = Cluster(server=f"{scheme}://127.0.0.1:{port}")
        async with Client(cluster, timeouts=Timeouts(5.0, 5.0)) as client:
            with pytest.raises(ConnectionFailed) as caught:
                await client.send(GET)
    told = str(caught.value)
    assert reason in told
    assert not [word for word in ("host", "ssl:", "payload", "message=", "TransferEncoding", "\n") if word in told]


@pytest.mark.realtime
async def test_a_port_where_nobody_listens_refuses_the_connection():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with Client(Cluster(server=f"http://127.0.0.1:{port}")) as client:
        with pytest.raises(ConnectionFailed, match=f"no answer from http://127.0.0.1:{port}: Connection refused$"):
            await client.send(GET)


def test_a_name_that_nobody_knows_keeps_the_resolvers_words():
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert reason_of(error) == "Name or service not known"


def test_an_error_without_words_is_named_by_its_class():
    assert [reason_of(error) for error in (TimeoutError(), RuntimeError(), OSError())] == [
        "timeout",
        "RuntimeError",
        "OSError",
    ]


def test_the_words_of_a_system_error_are_the_systems():
    assert reason_of(OSError(110, "Connect call failed ('10.0.0.1', 443)")) == "Connection timed out"
    assert reason_of(OSError(104, "read: whatever")) == "Connection reset by peer"
