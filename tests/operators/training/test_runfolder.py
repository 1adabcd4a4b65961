"""What a run's folder says, and who may write there."""

import json
import multiprocessing
import threading

import pytest
from lock_holder import hold

from windlass.operators.errors import RunFolderBusy
from windlass.operators.training.files import sha256_of
from windlass.operators.training.runfolder import Failure, Progress, RunFolder

RESULT = {
    "run": "r",
    "modelSha256": sha256_of(b"model"),
    "classes": [0, 1],
    "seconds": 1.5,
    "epoch": 2,
    "epochs": 2,
    "step": 20,
    "loss": 0.25,
    "accuracy": 0.75,
}


def with_result(tmp_path, content=b"model", **changes):
    (tmp_path / "model.onnx").write_bytes(content)
    (tmp_path / "result.json").write_text(json.dumps(RESULT | changes))
    return RunFolder(tmp_path).result()


def test_preparing_again_with_the_same_bytes_changes_nothing(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.prepare(b"{}")
    before = folder.config.stat()

    folder.prepare(b"{}")

    assert before.st_mtime_ns == folder.config.stat().st_mtime_ns
    assert before.st_ino == folder.config.stat().st_ino


def test_the_lock_keeps_another_thread_out_and_is_free_afterwards(tmp_path):
    folder = RunFolder(tmp_path)
    held, release = threading.Event(), threading.Event()
    holder = threading.Thread(target=hold, args=(tmp_path, held, release))
    holder.start()
    assert held.wait(5)

    with pytest.raises(RunFolderBusy, match="locked by another process"), folder.lock(timeout_seconds=0.05):
        raise AssertionError("two holders")

    release.set()
    with folder.lock(timeout_seconds=5):
        pass
    holder.join()


@pytest.mark.realtime
async def test_a_killed_process_frees_the_lock(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    holder = context.Process(target=hold, args=(tmp_path, held, release))
    holder.start()
    assert held.wait(20)
    with pytest.raises(RunFolderBusy), RunFolder(tmp_path).lock(timeout_seconds=0):
        raise AssertionError("two holders")

    holder.kill()

    with RunFolder(tmp_path).lock(timeout_seconds=5):
        pass
    holder.join()


def test_an_attempt_has_begun_once_it_held_the_lock(tmp_path):
    folder = RunFolder(tmp_path)
    assert not folder.begun(1)

    folder.mark_begun(1)

    assert folder.begun(1)
    assert not folder.begun(2)


def test_a_result_tells_the_model_and_the_progress(tmp_path):
    result = with_result(tmp_path)

    assert ("r", sha256_of(b"model"), (0, 1)) == (result.run, result.model_sha256, result.classes)
    assert Progress(2, 2, 20, 0.25, 0.75) == result.progress


def test_a_result_without_its_model_is_none(tmp_path):
    assert with_result(tmp_path) is not None
    assert with_result(tmp_path, b"another model") is None
    (tmp_path / "model.onnx").unlink()
    assert RunFolder(tmp_path).result() is None


@pytest.mark.parametrize("field", ["epoch", "epochs", "step", "loss", "accuracy"])
def test_a_result_that_lacks_a_number_is_none(tmp_path, field):
    assert with_result(tmp_path, **{field: "many"}) is None


def test_a_failure_reads_back(tmp_path):
    assert RunFolder(tmp_path).failure() is None
    (tmp_path / "failure.json").write_text('{"reason": "TrainingDiverged", "message": "too fast"}')

    assert Failure("TrainingDiverged", "too fast") == RunFolder(tmp_path).failure()


def test_removing_takes_everything_and_may_be_repeated(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.prepare(b"{}")

    folder.remove()
    folder.remove()

    assert not folder.path.exists()
