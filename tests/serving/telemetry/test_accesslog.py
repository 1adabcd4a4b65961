import json
import logging
import random

import pytest
from seeds import announced_seed

from windlass.serving import LinearModel, LoadedModel
from windlass.serving.telemetry.accesslog import ACCESS_LOGGER, AccessLog, Seen, line
from windlass.serving.telemetry.call import Call

GOOD = Seen("http", "POST", "/predict", 200)


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, ACCESS_LOGGER)
    return lambda: [json.loads(record.getMessage()) for record in caplog.records if record.name == ACCESS_LOGGER]


def test_a_line_says_how_long_what_took_and_leaves_out_what_is_not_known():
    call = Call(10.0, trace_id="0af7651916cd43dd8448eb211c80319c")
    call.ask(LoadedModel("digits", "3", LinearModel()), {}, now=10.001)
    call.execute(10.25, rows=4)
    call.end(10.5)
    call.caller = "ann"
    found = json.loads(line(call, Seen("grpc", "ModelInfer", "/x", "OK", request_bytes=7), ended=11.0))
    assert found.pop("time").endswith("+00:00")
    assert found == {
        "protocol": "grpc", "method": "ModelInfer", "path": "/x", "status": "OK", "duration_ms": 1000.0,
        "caller": "ann", "model": "digits", "version": "3", "queue_ms": 249.0, "execute_ms": 250.0, "rows": 4,
        "request_bytes": 7, "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }  # fmt: skip
    assert set(json.loads(line(Call(0.0), GOOD, ended=1.0))) == {
        "time", "protocol", "method", "path", "status", "duration_ms",
    }  # fmt: skip


def test_a_share_of_what_succeeds_is_logged_and_all_that_fails(lines):
    log = AccessLog(0.1, rng=random.Random(announced_seed()))
    for _ in range(1000):
        log.write(Call(0.0), GOOD, ended=1.0)
    # 1000 draws at 0.1: outside of these bounds less often than once in ten million runs.
    assert 50 < len(lines()) < 155
    before = len(lines())
    for status in (400, 404, 429, 499, 500, 503, "CANCELLED", "UNAVAILABLE"):
        AccessLog(0.0).write(Call(0.0), Seen("http", "POST", "/predict", status), ended=1.0)
    assert len(lines()) == before + 8


def test_the_ends_of_the_share_are_exact(lines):
    for _ in range(100):
        AccessLog(0.0).write(Call(0.0), GOOD, ended=1.0)
    assert lines() == []
    for _ in range(100):
        AccessLog(1.0).write(Call(0.0), GOOD, ended=1.0)
    assert len(lines()) == 100


def test_what_a_client_sends_can_neither_break_a_line_nor_fill_the_disk(lines):
    path = '/\n{"status": 200}' + "x" * 10_000
    AccessLog(1.0).write(Call(0.0), Seen("http", "GET", path, 404, agent="y" * 10_000), ended=1.0)
    (found,) = lines()
    assert found["path"].startswith('/\n{"status": 200}')
    assert len(found["path"]) == len(found["agent"]) == 300
