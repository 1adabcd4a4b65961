"""model.json: what it must say, and that nothing unverified is handed out."""

import contextlib
import hashlib
import json
import os
import threading

import pytest

from windlass.serving.errors import ModelError
from windlass.serving.policy import Batching, Limits
from windlass.serving.repository.description import read_description, read_verified

GOOD = {"format": "onnx", "file": "model.onnx", "sha256": hashlib.sha256(b"content").hexdigest()}


def write(folder, **changes):
    content = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    (folder / "model.json").write_text(json.dumps(content))
    return folder


def test_everything_is_read(tmp_path):
    write(tmp_path, labels=["0", "1"], metadata={"job": "default/digits", "accuracy": 0.97}, newer_field=1)
    description = read_description(tmp_path)
    assert (description.format, description.file, description.labels) == ("onnx", "model.onnx", ("0", "1"))
    assert description.metadata == {"job": "default/digits", "accuracy": 0.97}


def test_what_may_wait_and_how_it_is_batched_is_read(tmp_path):
    plain = read_description(write(tmp_path)).policy
    assert (plain.limits, plain.batching) == (Limits(), None)
    limits, batching = {"requests_max": 8, "timeout_seconds": 2}, {"rows_max": 16, "rows_preferred": [4, 8]}
    policy = read_description(write(tmp_path, limits=limits, batching=batching)).policy
    assert policy.limits == Limits(requests_max=8, timeout_seconds=2.0)
    assert policy.batching == Batching(rows_max=16, rows_preferred=(4, 8))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"format": None}, "missing required field format", id="no format"),
        pytest.param({"file": 1}, "file: expected string, got integer", id="file is a number"),
        pytest.param({"sha256": "abc"}, "sha256", id="short digest"),
        pytest.param({"sha256": None}, "sha256", id="no digest"),
        pytest.param({"labels": "0,1"}, "labels: expected array", id="labels in one string"),
        pytest.param({"file": "../secret"}, "plain file name", id="file above"),
        pytest.param({"file": "/etc/passwd"}, "plain file name", id="absolute file"),
        pytest.param({"file": ".."}, "plain file name", id="the folder above"),
        pytest.param({"file": ""}, "plain file name", id="empty"),
        pytest.param({"batching": {"rows_max": 0}}, r"batching: rows_max: expected at least 1, found 0", id="no rows"),
        pytest.param({"batching": {"max_rows": 1}}, "batching: object contains unknown field max_rows", id="unknown"),
        pytest.param({"isolaton": "process"}, "isolaton: unknown; expected isolation", id="misspelt"),
        pytest.param({"Limits": {}}, "Limits: unknown; expected limits", id="capital"),
        pytest.param({"limits": {"bytes_max": "1M"}}, r"limits\.bytes_max: expected integer, got string", id="unit"),
    ],
)
def test_a_bad_description_is_refused_by_field(tmp_path, changes, why):
    with pytest.raises(ModelError, match=rf"model\.json: .*{why}"):
        read_description(write(tmp_path, **changes))


def test_a_description_that_is_not_json_is_refused(tmp_path):
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(ModelError, match=r"model\.json: body: not JSON"):
        read_description(tmp_path)


def test_content_with_the_right_digest_is_read(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"content")
    assert read_verified(tmp_path, read_description(write(tmp_path, sha256=GOOD["sha256"].upper()))) == b"content"


def test_content_with_another_digest_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"contents")
    with pytest.raises(ModelError, match=r"its SHA-256 is .* but model\.json says"):
        read_verified(tmp_path, read_description(write(tmp_path)))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"'model\.onnx', which is not in the folder"):
        read_verified(tmp_path, read_description(write(tmp_path)))


@pytest.mark.parametrize("name", ["model.json", "model.onnx"])
def test_a_pipe_in_a_folder_is_refused_and_holds_nobody_up(tmp_path, name):
    write(tmp_path)
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)

    def write_something():
        with contextlib.suppress(OSError):
            (tmp_path / name).write_bytes(b"{}")

    threading.Thread(target=write_something, daemon=True).start()  # whoever waits for a writer gets one, and fails
    with pytest.raises(ModelError, match=f"^{name}: expected a regular file"):
        read_verified(tmp_path, read_description(tmp_path))
