"""More than can be done, clients that dawdle and clients that leave, over real sockets."""

import asyncio
import json

import numpy as np
import pytest
from gated_endpoint import INFER, asked, asking, begun, gated, waiting

from windlass.serving import Batching, Limits

pytestmark = pytest.mark.realtime


async def raw(endpoint, head, content=b""):
    """A connection on which a request's head and part of its body have been sent."""
    host, port = endpoint.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {INFER} HTTP/1.1\r\nHost: test\r\n{head}\r\n\r\n".encode() + content)
    await writer.drain()
    return reader, writer


async def answered(reader):
    """The status line, headers and body of one response."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:-2])
    content = await reader.readexactly(int(headers["content-length"]))
    return int(head.split()[1]), headers, json.loads(content)


async def test_what_waits_is_computed_at_once_and_answered_to_each():
    """DB5, DB9, DB14: ids, requested outputs and rows are each request's own; the protocols share a batch."""
    async with gated(batching=Batching()) as (endpoint, session, model):
        first = asking(session, 1.0)
        await begun(model)
        second = asking(session, 2.0, 3.0, id="two")
        third = asking(session, 4.0, outputs=[{"name": "x"}])
        fourth = asyncio.create_task(session.post("/v1/models/gated:predict", json={"instances": [[5.0]]}))
        await waiting(endpoint, 3)
        model.gate.set()
        assert [(await one)[1]["outputs"][0]["data"] for one in (first, second, third)] == [[2], [4, 6], [8]]
        assert (second.result()[1]["id"], "two" in json.dumps(third.result()[1])) == ("two", False)
        async with await fourth as response:
            assert await response.json() == {"predictions": [[10.0]]}
        assert [len(call) for call in model.calls] == [1, 4]
        value = endpoint.metrics.registry.get_sample_value
        assert value("windlass_serving_execution_rows_sum", {"model": "gated", "version": "1"}) == 5
        assert value("windlass_serving_execution_rows_count", {"model": "gated", "version": "1"}) == 2
        assert value("windlass_serving_queue_duration_seconds_count", {"model": "gated", "version": "1"}) == 4


async def test_an_error_is_answered_to_its_request_alone():
    """DB12."""
    async with gated(batching=Batching()) as (endpoint, session, model):
        first = asking(session, 1.0)
        await begun(model)
        mates = [asking(session, value) for value in (2.0, 13.0, 3.0)]
        await waiting(endpoint, 3)
        model.gate.set()
        assert [(await one)[0] for one in (first, *mates)] == [200, 200, 500, 200]
        assert "ZeroDivisionError: thirteen" in mates[1].result()[1]["error"]


async def test_a_client_that_hangs_up_takes_its_work_along_and_nobody_elses():
    """DB10, DB17, DB21."""
    async with gated(batching=Batching()) as (endpoint, session, model):
        first = asking(session, 1.0)
        await begun(model)
        staying, leaving = asking(session, 2.0), asking(session, 3.0)
        await waiting(endpoint, 2)
        leaving.cancel()
        await waiting(endpoint, 1)
        model.gate.set()
        assert [(await one)[0] for one in (first, staying)] == [200, 200]
        assert model.calls == [[1.0], [2.0]]
        labels = {"model": "gated", "reason": "cancelled"}
        assert endpoint.metrics.registry.get_sample_value("windlass_serving_shed_total", labels) == 1


@pytest.mark.parametrize("batching", [None, Batching(rows_max=1)], ids=["one by one", "batching"])
async def test_a_full_queue_is_429_with_retry_after_and_the_body_is_not_waited_for(batching):
    """DB15."""
    async with gated(batching=batching, limits=Limits(requests_max=2)) as (endpoint, session, model):
        accepted = [asking(session, 1.0)]
        await begun(model)
        accepted += [asking(session, value) for value in (2.0, 3.0)]
        await waiting(endpoint, 2)
        status, content, headers = await asked(session, 4.0)
        assert (status, headers["Retry-After"], content) == (
            429, "1", {"error": "model 'gated': as many requests wait as may"},
        )  # fmt: skip
        reader, writer = await raw(endpoint, "Content-Type: application/json\r\nContent-Length: 1000")
        assert (await answered(reader))[0] == 429
        writer.close()
        model.gate.set()
        assert [(await one)[0] for one in accepted] == [200] * 3
        assert len(model.calls) == 3


async def test_a_flood_is_answered_one_way_or_the_other_and_the_bound_holds():
    """DB15."""
    async with gated(batching=Batching(rows_max=4), limits=Limits(requests_max=8)) as (endpoint, session, model):
        most = 0

        async def watch():
            nonlocal most
            while True:
                read = endpoint.metrics.registry.get_sample_value
                most = max(most, read("windlass_serving_queue_requests", {"model": "gated"}) or 0)
                await asyncio.sleep(0)

        watching = asyncio.create_task(watch())
        flood = [asking(session, 1.0 + index) for index in range(100)]
        await begun(model)
        await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)  # a refusal: the gate is shut
        model.gate.set()
        answers = await asyncio.gather(*flood)
        watching.cancel()
        accepted = [(index, content) for index, (status, content, _) in enumerate(answers) if status == 200]
        assert {status for status, _, _ in answers} == {200, 429}
        assert all(content["outputs"][0]["data"] == [2.0 + 2 * index] for index, content in accepted)
        assert 4 <= most <= 8
        assert sorted(np.concatenate(model.calls)) == sorted(1.0 + index for index, _ in accepted)
        assert all(len(call) <= 4 for call in model.calls)


async def test_a_deadline_of_the_client_is_504_while_the_thread_is_still_busy():
    """DB11, DB18."""
    async with gated(batching=Batching()) as (_, session, model):
        first = asking(session, 1.0)
        await begun(model)
        status, content, _ = await asked(session, 2.0, headers={"X-Request-Timeout-Ms": "500"})
        assert (status, content) == (504, {"error": "model 'gated': no answer within the time given"})
        assert not first.done()
        model.gate.set()
        assert (await first)[0] == 200
        assert model.calls == [[1.0]]


async def test_a_client_can_say_so_in_a_parameter():
    """DB18: in microseconds, as Triton's clients do."""
    async with gated(batching=Batching()) as (_, session, model):
        first = asking(session, 1.0)
        await begun(model)
        status, content, _ = await asked(session, 2.0, parameters={"timeout": 500_000})
        assert (status, content) == (504, {"error": "model 'gated': no answer within the time given"})
        status, content, _ = await asked(session, 2.0, parameters={"timeout": "soon"})
        assert (status, content["error"][:19]) == (400, "parameters: timeout")
        assert not first.done()
        model.gate.set()
        assert (await first)[0] == 200


async def test_a_priority_among_the_parameters_goes_first():
    async with gated() as (endpoint, session, model):
        first = asking(session, 1.0)
        await begun(model)
        later = asking(session, 2.0)
        await waiting(endpoint, 1)
        urgent = asking(session, 3.0, parameters={"priority": 1})
        await waiting(endpoint, 2)
        model.gate.set()
        assert [(await one)[0] for one in (first, later, urgent)] == [200, 200, 200]
        assert model.calls == [[1.0], [3.0], [2.0]]


async def test_the_servers_own_time_limit_holds_for_what_is_computed():
    async with gated(limits=Limits(timeout_seconds=0.5)) as (_, session, _model):
        assert (await asked(session, 1.0))[0] == 504


async def test_a_timeout_that_is_not_a_number_is_400():
    async with gated() as (_, session, _):
        status, content, _ = await asked(session, 0.0, headers={"X-Request-Timeout-Ms": "soon"})
        assert (status, content["error"][:20]) == (400, "X-Request-Timeout-Ms")


async def test_a_body_that_trickles_is_408_at_the_deadline_and_the_connection_is_closed():
    async with gated() as (endpoint, _, model):
        head = "Content-Type: application/json\r\nContent-Length: 1000\r\nX-Request-Timeout-Ms: 200"
        reader, writer = await raw(endpoint, head, b'{"inputs": ')
        status, headers, content = await answered(reader)
        assert (status, headers["connection"], content) == (408, "close", {"error": "the body did not arrive in time"})
        writer.close()
        assert model.calls == []


async def test_a_body_of_unknown_length_is_refused_when_it_is_too_large():
    async with gated(max_body_bytes=1000) as (_, session, _):

        async def endless():
            while True:
                yield b" " * 400

        async with session.post(INFER, data=endless(), headers={"Content-Type": "application/json"}) as response:
            assert (response.status, (await response.json())["error"]) == (
                413, "the body is larger than the limit of 1000 bytes",
            )  # fmt: skip


async def test_a_body_of_unknown_length_takes_its_room_as_it_comes():
    async with gated(all_bodies_bytes_max=1000) as (_, session, _model):

        async def chunks():
            for _ in range(5):
                yield b" " * 400

        async with session.post(INFER, data=chunks(), headers={"Content-Type": "application/json"}) as response:
            assert (response.status, (await response.json())["error"][:9]) == (429, "bodies of")


async def test_bodies_share_the_memory_that_there_is():
    async with gated(all_bodies_bytes_max=1500) as (endpoint, session, _):
        _, writer = await raw(endpoint, "Content-Type: application/json\r\nContent-Length: 1400", b"{")
        while True:
            status, content, headers = await asked(session, 0.0, id="x" * 200)
            if status == 429:
                break
        assert (content["error"], headers["Retry-After"]) == ("bodies of 1400 bytes are in memory already", "1")
        writer.close()
        while (await asked(session, 0.0, id="x" * 200))[0] != 200:  # noqa: ASYNC110  (the server lets go of it)
            await asyncio.sleep(0.005)


async def test_requests_at_once_are_bounded_whatever_they_ask():
    """DB20."""
    async with gated(requests_max=1) as (_, session, model):
        first = asking(session, 1.0)
        await begun(model)
        async with session.post("/v1/models/gated:predict", json={"instances": [[0.0]]}) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "1")
        async with session.get("/v2/health/live") as response:
            assert response.status == 200
        model.gate.set()
        assert (await first)[0] == 200
