"""The log of what requests carried: on disk, within its bounds, and never in anybody's way."""

import json
import os
import threading
import time

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from windlass.serving import EndpointError, LinearModel, LoadedModel
from windlass.serving.telemetry import payloads
from windlass.serving.telemetry.call import Call
from windlass.serving.telemetry.payloads import PayloadLog, PayloadOptions


def call(inputs, outputs=None):
    found = Call(0.0, trace_id="0af7651916cd43dd8448eb211c80319c")
    found.keeps = True
    found.ask(LoadedModel("digits", "3", LinearModel()), inputs, now=0.0)
    if outputs is not None:
        found.answer(outputs)
    return found


def row(*values, dtype="<f4"):
    return {"x": np.array([values], dtype=dtype)}


class Log:
    """A log in a folder, and what it has written."""

    def __init__(self, folder, **options):
        self.options = PayloadOptions(folder / "payloads.jsonl", **options)
        self.registry = CollectorRegistry()
        self.log = PayloadLog(self.options, self.registry)

    def __enter__(self):
        self.log.start()
        return self

    def __exit__(self, *_):
        self.log.stop()

    def put(self, *calls):
        for one in calls:
            self.log.put(one, protocol="http", status=200)

    def lines(self):
        return [json.loads(line) for line in self.options.file.read_text().splitlines()]

    def count(self, outcome):
        return self.registry.get_sample_value("windlass_serving_payloads_total", {"outcome": outcome})


def test_a_request_is_a_line_with_what_it_carried(tmp_path):
    with Log(tmp_path) as log:
        log.put(call(row(1.5, 2.5), {"y": np.array([7], dtype="<i8")}))
    (found,) = log.lines()
    assert found.pop("time").endswith("+00:00")
    assert found == {
        "protocol": "http", "status": 200, "model": "digits", "version": "3",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "inputs": {"x": {"datatype": "FP32", "shape": [1, 2], "data": [1.5, 2.5]}},
        "outputs": {"y": {"datatype": "INT64", "shape": [1], "data": [7]}},
    }  # fmt: skip
    assert log.count("written") == 1


def test_a_redacted_tensor_is_described_and_never_written(tmp_path):
    secret = np.array([b"4111 1111 1111 1111"], dtype=object)
    with Log(tmp_path, redact=("card",)) as log:
        log.put(call({"card": secret, "x": np.ones(1)}, {"card": secret}))
    (found,) = log.lines()
    assert found["inputs"]["card"] == found["outputs"]["card"] == {"datatype": "BYTES", "shape": [1], "redacted": True}
    assert found["inputs"]["x"]["data"] == [1.0]
    assert "4111" not in log.options.file.read_text()


def test_a_long_tensor_is_cut_and_what_json_cannot_say_is_said_in_words(tmp_path):
    values = {
        "long": np.arange(5000), "odd": np.array([np.nan, np.inf, -np.inf]), "half": np.array([0.5], dtype="<f2"),
        "bytes": np.array([b"\xff\n", "text"], dtype=object), "truth": np.array([True]),
    }  # fmt: skip
    with Log(tmp_path, elements_max=10) as log:
        log.put(call(values))
    (found,) = log.lines()
    assert found["inputs"]["long"] == {"datatype": "INT64", "shape": [5000], "data": list(range(10)), "cut": True}
    assert [found["inputs"][name]["data"] for name in ("odd", "half", "bytes", "truth")] == [
        ["nan", "inf", "-inf"], [0.5], ["\\xff\n", "text"], [True],
    ]  # fmt: skip


@pytest.mark.parametrize("bound", [{"waiting_max": 3}, {"waiting_bytes_max": 3 * 4000}], ids=["entries", "bytes"])
def test_what_does_not_fit_into_the_queue_is_dropped_and_counted_and_nobody_waits(tmp_path, monkeypatch, bound):
    gate, begun = threading.Event(), threading.Event()
    rendered = payloads.rendered

    def slowly(entry, options):
        begun.set()
        assert gate.wait(30)
        return rendered(entry, options)

    monkeypatch.setattr(payloads, "rendered", slowly)
    with Log(tmp_path, **bound) as log:
        log.put(call({"x": np.zeros(500)}))
        assert begun.wait(30)
        # The disk hangs: each of these returns, or the test would not.
        log.put(*(call({"x": np.zeros(500)}) for _ in range(100)))
        assert log.count("dropped") == 98
        gate.set()
    assert (log.count("written"), len(log.lines())) == (3, 3)


def test_after_it_was_full_there_is_room_again(tmp_path):
    with Log(tmp_path, waiting_max=1) as log:
        for done in range(1, 51):
            log.put(call(row(1.0)))
            while log.count("written") < done:
                threading.Event().wait(0.001)
    assert (len(log.lines()), log.count("dropped")) == (50, 0)


def test_the_file_is_turned_over_and_the_oldest_goes(tmp_path):
    with Log(tmp_path, file_bytes_max=2000, files_max=2) as log:
        log.put(*(call(row(float(number))) for number in range(100)))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["payloads.jsonl", "payloads.jsonl.1", "payloads.jsonl.2"]
    for name in names:
        text = (tmp_path / name).read_text()
        assert len(text) <= 2000
        assert all(json.loads(line) for line in text.splitlines())
    assert log.lines()[-1]["inputs"]["x"]["data"] == [99.0]


def test_only_the_owner_may_read_it_and_an_older_file_is_continued(tmp_path):
    for _ in range(2):
        with Log(tmp_path) as log:
            log.put(call(row(1.0)))
    assert len(log.lines()) == 2
    assert os.stat(log.options.file).st_mode & 0o077 == 0


def test_a_disk_that_fails_is_told_once_and_what_comes_later_is_tried_again(tmp_path, monkeypatch, caplog):
    write = payloads._File.write

    def broken(self, text):
        raise OSError(28, "No space left on device")

    with Log(tmp_path) as log:
        monkeypatch.setattr(payloads._File, "write", broken)
        log.put(call(row(1.0)), call(row(2.0)))
        while log.count("failed") < 2:
            threading.Event().wait(0.001)
        monkeypatch.setattr(payloads._File, "write", write)
        log.put(call(row(3.0)))
    assert [found["inputs"]["x"]["data"] for found in log.lines()] == [[3.0]]
    assert caplog.text.count("cannot be written; said once") == 1


def test_an_error_of_the_file_reaches_the_log_and_not_the_terminal(tmp_path, capsys):
    """The handler of the standard library would print it."""
    with Log(tmp_path) as log:
        handler = payloads._File(log.options.file)
        handler.stream.close()
        with pytest.raises(ValueError, match="closed file"):
            handler.write("x")
    assert capsys.readouterr().err == ""


def test_a_file_that_cannot_be_written_ends_the_start(tmp_path):
    with (
        pytest.raises(EndpointError, match=r"the payload log .*missing.* cannot be written"),
        Log(tmp_path / "missing"),
    ):
        pass


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fraction": 1.5}, r"payloads\.fraction"),
        ({"fraction": float("nan")}, "fraction"),
        ({"files_max": 0}, "files_max"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_by_their_names(tmp_path, options, says):
    with pytest.raises(EndpointError, match=says):
        PayloadOptions(tmp_path / "x", **options)


@pytest.mark.parametrize("successor", [False, True], ids=["nothing", "a new file"])
def test_a_file_that_was_moved_away_is_not_written_on(tmp_path, successor):
    """As logrotate does it; the disk of one that was deleted would fill up unseen."""
    with Log(tmp_path) as log:
        log.put(call(row(1.0)))
        while not log.count("written"):
            time.sleep(0.001)
        log.options.file.rename(tmp_path / "old")
        if successor:
            log.options.file.touch()
        log.put(call(row(2.0)))
    assert [one["inputs"]["x"]["data"] for one in log.lines()] == [[2.0]]
    assert len((tmp_path / "old").read_text().splitlines()) == 1
    assert log.count("failed") == 0
