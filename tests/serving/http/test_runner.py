"""Bytes that are not quite HTTP."""

import asyncio
import json
import zlib

import pytest

from windlass.serving import Endpoint, LinearModel, ModelRepository

pytestmark = pytest.mark.realtime

POST = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: a\r\n"
CUT = zlib.compress(b"{}")[:-2]


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        pytest.param(b"\x16\x03\x01 nonsense\r\n\r\n", "", id="not HTTP"),
        pytest.param(POST + b"Content-Length: -1\r\n\r\n", "Content-Length", id="length"),
        pytest.param(POST + b"X: " + b"a" * 9000 + b"\r\n\r\n", "more than 8190 bytes", id="long header"),
        pytest.param(
            POST + b"Content-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(CUT) + CUT, "deflate", id="cut off"
        ),
    ],
)
async def test_what_cannot_be_read_is_refused_in_json_and_the_connection_closed(sent, why):
    """R10, B7."""
    async with Endpoint(ModelRepository(), port=0) as endpoint:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(endpoint.url.rpartition(":")[2]))
        writer.write(sent)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        assert head.split()[1] in (b"400", b"404")
        assert b"Content-Type: application/json" in head
        error = json.loads(body)["error"]
        assert why in error or "there is no model 'm'" in error
        assert "\n" not in error


@pytest.mark.parametrize("encoding", [CUT, zlib.compress(b"{}")[:4], b"\x00"])
async def test_a_body_that_breaks_after_its_request_has_begun_is_refused_and_not_waited_for(encoding):
    """B7: the handler waits for the body already when the bytes arrive that nobody can read."""
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    async with Endpoint(repository, port=0) as endpoint:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(endpoint.url.rpartition(":")[2]))
        writer.write(POST.replace(b"/m/", b"/linear/") + b"Content-Encoding: deflate\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n" % len(encoding))
        in_flight = endpoint.metrics.registry.get_sample_value
        while not in_flight("windlass_serving_requests_in_flight"):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        writer.write(encoding)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        assert (head.split()[1], b"Connection: close" in head) == (b"400", True)
        assert "body" in json.loads(body)["error"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gunzip"])
@pytest.mark.parametrize("pause", [0, 0.05], ids=["in one packet", "in two"])
async def test_a_false_encoding_is_not_in_the_servers_log(encoding, pause, caplog):
    """Each client could fill it with aiohttp's tracebacks."""
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    async with Endpoint(repository, port=0) as endpoint:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(endpoint.url.rpartition(":")[2]))
        writer.write(POST.replace(b"/m/", b"/linear/") + f"Content-Encoding: {encoding}\r\n".encode())
        writer.write(b"Content-Length: 2\r\nConnection: close\r\n\r\n")
        await asyncio.sleep(pause)
        writer.write(b"{}")
        head, _, _ = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        assert head.split()[1] == (b"415" if encoding == "gunzip" else b"400")
        assert caplog.messages == []
