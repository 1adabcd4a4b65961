"""What a trainer of somebody else's is told by its folder, and what is heard of it (A7, A10, A11)."""

import json

import attrs
import pytest
from attempts import RUN, spec

from windlass.operators.errors import DataError
from windlass.operators.training.executors.environment import config_of
from windlass.operators.training.executors.foreign import left_in, prepare
from windlass.operators.training.files import read_json, sha256_of
from windlass.operators.training.runfolder import Progress, RunFolder

PROGRESS = Progress(1, 3, 10, 0.5, 0.9)
CONFIG = config_of(spec(), RUN)


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


UNREADABLE = {
    "garbage": (b"\x00 no result", "expected a JSON object, found '\\x00 no result'"),
    "half of it": (b'{"run": "r"}', "expected epoch, epochs, step, loss and accuracy, all of them numbers"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_result_that_cannot_be_read_is_told_with_what_is_wrong_with_it(folder, case):
    content, said = UNREADABLE[case]
    (folder.path / "result.json").write_bytes(content)

    left = left_in(folder, RUN, over=True)

    assert (left.record, left.without_result) == (None, f"with a result.json that is not readable: {said}")
    assert left_in(folder, RUN, over=False).fault == "", "half a file is no fault while somebody writes"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"run": "other"}, f"run: expected {RUN.id}, found 'other'"),
        ({"attempt": "first"}, f"attempt: expected {RUN.op_id}, found 'first'"),
        ({"modelSha256": "x"}, "modelSha256: expected the digest of the model that is there, "),
        ({"classes": ["a"]}, "expected whole numbers as classes and a number as seconds, found ['a'] and 0"),
        ({"seconds": "long"}, "expected whole numbers as classes and a number as seconds, found [0, 1] and 'long'"),
    ],
)
def test_a_result_of_the_wrong_words_names_them(folder, changes, said):
    write_result(folder, **changes)

    assert said in left_in(folder, RUN, over=True).without_result


def test_a_result_without_its_model_and_none_at_all_are_told_apart(folder):
    assert left_in(folder, RUN, over=True).without_result == "without writing a result"
    write_result(folder)
    folder.model.unlink()

    assert left_in(folder, RUN, over=True).without_result.endswith("modelSha256: model.onnx is not there")


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


def test_a_folder_is_made_ready_with_configuration_split_and_token(lab):
    run = attrs.evolve(RUN, data=lab.record(lab.blobs()))
    folder = RunFolder(lab.path / run.id)

    prepare(folder, run, CONFIG)

    held_out = read_json(folder.split)["heldOut"]
    assert folder.config.read_bytes() == CONFIG
    assert (folder.path / "attempt").read_text() == run.op_id
    assert 0 < len(held_out) < 240


def test_the_next_attempt_takes_over_the_token_and_leaves_the_rest(lab):
    """A10: from then on the one before may not commit."""
    run = attrs.evolve(RUN, data=lab.record(lab.blobs()))
    folder = RunFolder(lab.path / run.id)
    prepare(folder, run, CONFIG)
    before = folder.split.read_bytes()

    prepare(folder, attrs.evolve(run, op_id="next", attempt=3), CONFIG)

    assert ((folder.path / "attempt").read_text(), before) == ("next", folder.split.read_bytes())


def test_a_split_without_rows_on_one_side_is_refused(lab):
    run = attrs.evolve(RUN, data=lab.record(lab.blobs(rows=2)))
    config = json.dumps(json.loads(CONFIG) | {"holdout": 1e-9}).encode()

    with pytest.raises(DataError, match="both sides need at least one"):
        prepare(RunFolder(lab.path / run.id), run, config)
