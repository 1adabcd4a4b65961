"""Log lines for machines."""

import json
import logging
from datetime import UTC, datetime

import pytest

from windlass.controller.logs import JsonFormatter, RunLog
from windlass.controller.request import Request
from windlass.informers.keys import Key


def line(record):
    text = JsonFormatter().format(record)
    assert "\n" not in text
    return json.loads(text)


def record(message="hello %s", *arguments, **extra):
    made = logging.LogRecord("windlass.controller", logging.WARNING, __file__, 1, message, arguments, None)
    made.created = datetime(2026, 8, 1, 12, 0, 0, 250_000, tzinfo=UTC).timestamp()
    vars(made).update(extra)
    return made


def test_a_record_is_one_object_on_one_line():
    assert line(record("hello %s", "world\nand all")) == {
        "time": "2026-08-01T12:00:00.250+00:00",
        "level": "warning",
        "logger": "windlass.controller",
        "message": "hello world\nand all",
    }


def test_a_runs_facts_are_fields_of_their_own_and_extras_come_along():
    found = line(record("m", attempt=3, reconcile_id="id-1", key="ns/a", controller="pods", reason="added"))
    assert list(found)[4:] == ["controller", "key", "reason", "reconcile_id", "attempt"]
    assert (found["key"], found["attempt"]) == ("ns/a", 3)


def test_an_extra_hides_nothing_and_need_not_be_json():
    found = line(record("m", time="mine", thing=Key("ns", "a"), moment=datetime(2026, 8, 1, tzinfo=UTC)))
    assert found["time"] == "2026-08-01T12:00:00.250+00:00"
    assert (found["time_"], found["moment"]) == ("mine", "2026-08-01 00:00:00+00:00")


def test_an_error_comes_with_its_traceback_in_the_same_line():
    try:
        raise ValueError("no")
    except ValueError as error:
        made = record("failed")
        made.exc_info = (type(error), error, error.__traceback__)
    assert line(made)["error"].endswith("ValueError: no")


@pytest.mark.parametrize("level", [logging.DEBUG, logging.ERROR])
def test_what_a_reconciler_logs_carries_its_run(caplog, level):
    """C15: by the id, the lines of one run are found among those of all."""
    with caplog.at_level(logging.DEBUG):
        log = RunLog(logging.getLogger("windlass.controller"), "pods", Request(Key("ns", "a"), "added", "id-1"))
        log.log(level, "looking", extra={"shard": 7})
    (made,) = caplog.records
    found = line(made)
    assert {name: found[name] for name in ("controller", "key", "reason", "reconcile_id", "shard")} == {
        "controller": "pods",
        "key": "ns/a",
        "reason": "added",
        "reconcile_id": "id-1",
        "shard": 7,
    }
