"""What an attempt's object and the run's folder say together (A7, A9, A11)."""

import json

import attrs
import pytest
from attempts import RUN, job

from windlass.operators.training.executors.contract import Active, Broken, Done, Fault, Lost, NotStarted
from windlass.operators.training.executors.exits import Exit
from windlass.operators.training.executors.objects import AtWork, Ended, Finished, Left, Waiting, conclude, left_in
from windlass.operators.training.files import sha256_of
from windlass.operators.training.runfolder import Failure, Progress, RunFolder, TrainingResult
from windlass.operators.training.types import ChildReference

CHILD = ChildReference("batch/v1", "Job", "digits-0123456789ab-2", "job-uid")
PROGRESS = Progress(1, 3, 10, 0.5, 0.9)
RESULT = TrainingResult(RUN.id, "sha", (0, 1), PROGRESS, 1.0, RUN.op_id)
NOTHING = Left()
KNOWN = attrs.evolve(RUN, child=CHILD)
READINGS = [Waiting("x"), AtWork(), Finished(), Ended(Exit(1)), Ended(Exit(None, "Evicted"))]


@pytest.mark.parametrize("reading", [None, *READINGS], ids=repr)
def test_a_result_is_a_result_whatever_became_of_the_object(reading):
    child = None if reading is None else job()

    assert Done(RESULT) == conclude(RUN, child, reading, Left(RESULT))


@pytest.mark.parametrize("reading", [None, *READINGS], ids=repr)
def test_a_recorded_failure_is_final(reading):
    child = None if reading is None else job()

    assert Broken(Fault("Bad", "why")) == conclude(RUN, child, reading, Left(Failure("Bad", "why")))


def test_no_object_on_record_and_none_there_is_an_attempt_that_was_not_started():
    assert NotStarted() == conclude(RUN, None, None, NOTHING)


@pytest.mark.parametrize(
    ("run", "left"), [(KNOWN, Left(step=7)), (RUN, Left(begun=True, step=7))], ids=["on record", "its trainer began"]
)
def test_an_object_that_is_gone_is_lost_and_counts_against_nothing(run, left):
    found = conclude(run, None, None, left)

    assert isinstance(found, Lost)
    assert (found.counted, found.resume_step, found.exit.reason) == (False, 7, "Deleted")


def test_an_object_at_work_is_put_on_record_with_what_it_waits_for():
    assert Active(None, CHILD, "x") == conclude(RUN, job(), Waiting("x"), NOTHING)
    assert Active(PROGRESS, CHILD) == conclude(RUN, job(), AtWork(), Left(progress=PROGRESS))


def test_progress_of_the_object_itself_goes_before_that_of_the_folder():
    own = attrs.evolve(PROGRESS, step=20)

    assert own == conclude(RUN, job(), AtWork(own), Left(progress=PROGRESS)).progress


@pytest.mark.parametrize("reading", READINGS, ids=repr)
def test_an_object_on_its_way_out_is_waited_for(reading):
    """A10: until it is gone it may write."""
    found = conclude(KNOWN, job(deletionTimestamp="2026-01-01T00:00:00Z"), reading, NOTHING)

    assert isinstance(found, Active)
    assert "is being deleted" in found.waiting


def test_an_end_is_lost_or_broken_as_its_exit_says():
    lost = conclude(RUN, job(), Ended(Exit(137)), Left(step=7))
    taken = conclude(RUN, job(), Ended(Exit(137, "Evicted")), Left(step=7))
    broken = conclude(RUN, job(), Ended(Exit(3, "", "Pod a: no disk")), NOTHING)
    late = conclude(RUN, job(), Ended(Exit(None, "DeadlineExceeded", "too slow")), NOTHING)

    assert (lost.counted, lost.resume_step, lost.exit) == (True, 7, Exit(137))
    assert (taken.counted, taken.exit.reason) == (False, "Evicted")
    assert broken.fault == Fault("TrainerFailed", "Job digits-0123456789ab-2 ended: exit code 3: Pod a: no disk")
    assert late.fault.reason == "DeadlineExceeded"


def test_success_without_a_result_is_a_failure():
    found = conclude(RUN, job(), Finished(), NOTHING)

    assert found.fault == Fault("TrainerFailed", "Job digits-0123456789ab-2 ended without writing a result")


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(tmp_path / RUN.id)
    made.prepare(b"{}")
    made.model.write_bytes(b"model")
    return made


def write_result(folder, **changes):
    told = {"run": RUN.id, "attempt": RUN.op_id, "modelSha256": sha256_of(b"model"), "classes": [0, 1]}
    told |= attrs.asdict(PROGRESS) | changes
    (folder.path / "result.json").write_text(json.dumps(told))


def test_a_result_counts_if_this_attempt_of_this_run_wrote_it(folder):
    write_result(folder)

    assert left_in(folder, RUN, over=False).record.model_sha256 == sha256_of(b"model")


@pytest.mark.parametrize(
    "changes", [{"run": "other"}, {"attempt": "of attempt 1"}, {"attempt": ""}, {"modelSha256": "x"}]
)
def test_a_result_of_anything_else_says_nothing(folder, changes):
    """A11."""
    write_result(folder, **changes)

    assert left_in(folder, RUN, over=False).record is None


@pytest.mark.parametrize(("attempt", "counts"), [(RUN.op_id, True), ("of attempt 1", False)])
def test_a_failure_counts_if_this_attempt_wrote_it(folder, attempt, counts):
    """A11."""
    (folder.path / "failure.json").write_text(json.dumps({"reason": "Bad", "message": "why", "attempt": attempt}))

    assert counts == (left_in(folder, RUN, over=False).record is not None)


def test_progress_is_that_of_this_attempt_alone(folder):
    """A11: an earlier attempt that writes on does not move the bar."""
    lines = [{**attrs.asdict(PROGRESS), "step": step, "attempt": whose} for step, whose in
             ((10, RUN.op_id), (20, RUN.op_id), (900, "of attempt 1"), (901, ""))]  # fmt: skip
    folder.progress_log.write_text("".join(f"{json.dumps(line)}\n" for line in lines) + '{"half a li')

    assert left_in(folder, RUN, over=False).progress.step == 20


def test_a_long_log_is_read_from_its_end(folder):
    line = json.dumps({**attrs.asdict(PROGRESS), "attempt": RUN.op_id})
    folder.progress_log.write_text(f"{line}\n" * 5000 + line.replace('"step": 10', '"step": 77') + "\n")

    assert left_in(folder, RUN, over=False).progress.step == 77


def test_the_step_to_go_on_from_is_looked_for_only_when_the_attempt_is_over(folder):
    """Digests of large checkpoints take their time."""
    saved = folder.checkpoints / "0000000007"
    saved.mkdir(parents=True)
    (saved / "w.bin").write_bytes(b"weights")
    manifest = {"run": RUN.id, "dataSha256": RUN.data.files_sha256, "configSha256": sha256_of(b"{}"), "step": 7}
    manifest["files"] = {"w.bin": {"size": 7, "sha256": sha256_of(b"weights")}}
    (saved / "manifest.json").write_text(json.dumps(manifest))

    assert left_in(folder, RUN, over=True).step == 7
    assert left_in(folder, RUN, over=False).step == 0
