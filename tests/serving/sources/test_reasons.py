"""What is said of a file that could not be read speaks of the network, and never in the words of a library."""

import contextlib
import errno
import os
import re
import socket
import threading

import pytest

from windlass.serving.sources import remote
from windlass.serving.sources.reasons import reason_of

pytestmark = pytest.mark.realtime
FOREIGN = re.compile("host |ssl:|_ssl|payload|message|TransferEncoding|ContentLength|Error|HTTP/|\n")


@contextlib.contextmanager
def answering(answer):
    """The port of a server that says the same to everybody and hangs up."""

    def serve():
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                with peer, contextlib.suppress(OSError):
                    peer.recv(4096)
                    peer.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def read(uri):
    return b"".join(remote.chunks(uri, 0))


@pytest.mark.parametrize(
    ("scheme", "answer", "reason"),
    [
        pytest.param("http", b"", "the connection was closed before the answer", id="hung up"),
        pytest.param(
            "http",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
            "the connection was cut within the file",
            id="cut",
        ),
        pytest.param(
            "http",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
            "the connection was cut within the file",
            id="cut chunk",
        ),
        pytest.param("http", b"SSH-2.0 another\r\n\r\n", "the answer cannot be read as HTTP", id="not HTTP"),
        pytest.param("https", b"HTTP/1.1 400 Bad Request\r\n\r\n", "TLS failed: wrong version number", id="not TLS"),
        pytest.param(
            "http", b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "reading it is not permitted", id="refused"
        ),
        pytest.param("http", b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "the server answered 500", id="broken"),
        pytest.param("http", b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "there is no such file", id="none"),
    ],
)
def test_an_answer_that_is_no_file_is_told_in_our_words(scheme, answer, reason):
    with answering(answer) as port:
        uri = f"{scheme}://127.0.0.1:{port}/model"
        with pytest.raises(remote.FetchFailed) as caught:
            read(uri)
    assert str(caught.value) == f"{uri}: {reason}"
    assert not FOREIGN.search(reason)


def test_the_size_of_a_file_that_nobody_may_read_is_not_that_of_one_that_is_not_there():
    with (
        answering(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n") as port,
        pytest.raises(remote.FetchFailed, match=r"/model: reading it is not permitted$"),
    ):
        remote.size_of(f"http://127.0.0.1:{port}/model")


def test_the_innermost_error_of_the_system_is_told_in_its_words():
    inner = ConnectionResetError(errno.ECONNRESET, "read: whatever")
    outer = RuntimeError("a library's words")
    outer.__context__ = inner

    assert reason_of(outer) == os.strerror(errno.ECONNRESET)


def test_what_a_store_says_of_its_refusal_is_kept():
    assert reason_of(OSError(errno.EIO, "the bucket\n is asleep")) == "the bucket is asleep"


def test_what_the_network_has_no_part_in_has_no_reason():
    assert reason_of(RuntimeError("a library's words")) == ""
