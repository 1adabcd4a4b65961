"""The program itself: killed, orphaned, doubled, misled, it ends with the same model to the bit, or with none."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import attrs
import numpy as np
import pytest
from seeds import announced_seed

from windlass.operators.errors import DataError, TrainingDiverged
from windlass.operators.training.checkpoints import Identity, newest
from windlass.operators.training.exitcodes import TRY_AGAIN
from windlass.operators.training.files import sha256_of
from windlass.operators.training.runfolder import RunFolder
from windlass.operators.training.trainer import main, train

MODEL = ("model.npz", "model.onnx")


def model_of(folder: RunFolder):
    return tuple((folder.path / name).read_bytes() for name in MODEL)


def lines_of(folder: RunFolder):
    return [json.loads(line) for line in folder.progress_log.read_text().splitlines()]


def test_a_run_writes_its_split_its_progress_its_model_and_last_its_result(lab):
    config = lab.config()
    folder = lab.folder(config)

    assert main([str(folder.path), "--attempt", "1"]) == 0

    result = folder.result()
    assert list(range(1, 7)) == [line["epoch"] for line in lines_of(folder)]
    assert sha256_of(folder.model.read_bytes()) == result.model_sha256
    assert result.classes == (0, 1, 2)
    assert (result.progress.epoch, result.progress.epochs) == (6, 6)
    assert folder.begun(1)
    written = {entry.name: entry.stat().st_mtime_ns for entry in folder.path.iterdir() if entry.is_file()}
    assert max(written, key=written.get) == "result.json"


def test_a_run_that_has_its_result_is_not_trained_again(lab):
    folder = lab.folder(lab.config())
    main([str(folder.path), "--attempt", "1"])
    before = lines_of(folder)

    assert main([str(folder.path), "--attempt", "2"]) == 0

    assert before == lines_of(folder)


def test_the_labels_of_held_out_rows_cannot_reach_the_model(lab):
    """The strongest form of "training never reads them": with wrong held-out labels it trains to the same bytes."""
    rng = np.random.default_rng(5)
    columns = {
        "row": np.arange(300),
        "label": rng.integers(0, 3, 300),
        "a": rng.normal(size=300),
        "b": rng.normal(size=300),
    }
    honest = lab.folder(lab.config(data=lab.record(lab.write("honest", **columns))), "one")
    main([str(honest.path), "--attempt", "1"])
    held = json.loads(honest.split.read_text())["heldOut"]
    columns["label"] = np.where(np.isin(columns["row"], held), (columns["label"] + 1) % 3, columns["label"])
    forged = lab.folder(lab.config(data=lab.record(lab.write("forged", **columns))), "other")

    main([str(forged.path), "--attempt", "1"])

    assert 40 < len(held) < 110
    assert model_of(honest) == model_of(forged)


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_resuming_after_an_epoch_changes_no_bit_of_the_model(lab, stop, monkeypatch):
    config = lab.config()
    undisturbed, disturbed = lab.folder(config, "one"), lab.folder(config, "other")
    train(undisturbed, config)
    from windlass.operators.training import trainer

    def report(folder, progress):
        if progress.epoch == stop:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "report", report)
    with pytest.raises(KeyboardInterrupt):
        train(disturbed, config)
    monkeypatch.undo()

    train(disturbed, config)

    assert [*range(stop + 1, 7)] == [line["epoch"] for line in lines_of(disturbed)]
    assert model_of(undisturbed) == model_of(disturbed)


def test_a_damaged_newest_checkpoint_is_passed_over_and_changes_no_bit(lab, capsys, monkeypatch):
    config = lab.config()
    undisturbed, disturbed = lab.folder(config, "one"), lab.folder(config, "other")
    train(undisturbed, config)
    train(disturbed, config)
    (disturbed.path / "result.json").unlink()
    last = max(disturbed.checkpoints.iterdir())
    (last / "arrays.npz").write_bytes(b"")

    train(disturbed, config)

    assert f"checkpoint {last.name} is not used: arrays.npz is not what manifest.json says" in capsys.readouterr().err
    assert model_of(undisturbed) == model_of(disturbed)


def test_a_checkpoint_of_other_settings_is_not_resumed_from(lab):
    config = lab.config()
    folder = lab.folder(config)
    train(folder, config)
    changed = attrs.evolve(config, seed=4)
    folder = lab.folder(changed)

    train(folder, changed)

    fresh = lab.folder(changed, "fresh")
    train(fresh, changed)
    assert model_of(fresh) == model_of(folder)


@pytest.mark.realtime
def test_a_run_killed_at_random_moments_ends_with_the_same_bytes(lab):
    rng = random.Random(announced_seed())
    config = lab.config(settings=attrs.evolve(lab.config().settings, epochs=150, batch_size=2))
    undisturbed, disturbed = lab.folder(config, "one"), lab.folder(config, "other")
    train(undisturbed, config)
    identity = Identity(config.run, config.data.files_sha256, sha256_of(disturbed.config.read_bytes()))
    reached = 0

    for attempt in range(1, 9):
        process = lab.trainer(disturbed, attempt=attempt)
        for _ in range(rng.randrange(25)):  # none: it dies while it starts
            process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.01))
        process.kill()
        process.communicate()
        found, _ = newest(disturbed.checkpoints, identity)
        assert found is None or found.epoch >= reached, "a checkpoint was lost"
        reached = reached if found is None else found.epoch
    assert main([str(disturbed.path), "--attempt", "9"]) == 0

    assert model_of(undisturbed) == model_of(disturbed)
    epochs = [line["epoch"] for line in lines_of(disturbed)]
    assert epochs == sorted(set(epochs)), "an epoch was reported twice"


@pytest.mark.realtime
def test_a_second_trainer_writes_nothing_while_the_first_holds_the_lock(lab, monkeypatch):
    folder = lab.folder(lab.config())
    from windlass.operators.training import program

    monkeypatch.setattr(program, "_LOCK_SECONDS", 0.1)
    with folder.lock(timeout_seconds=1):
        before = sorted(os.listdir(folder.path))

        assert main([str(folder.path), "--attempt", "2"]) == TRY_AGAIN

        assert before == sorted(os.listdir(folder.path))
        assert not folder.begun(2)


@pytest.mark.realtime
def test_a_late_orphan_and_its_successor_never_write_at_once(lab):
    """The first is stopped in the middle, like an orphan that wakes late; the second waits for it, then resumes."""
    config = lab.config(settings=attrs.evolve(lab.config().settings, epochs=200, batch_size=2))
    folder = lab.folder(config)
    first = lab.trainer(folder, attempt=1)
    first.stdout.readline()
    first.send_signal(signal.SIGSTOP)
    second = lab.trainer(folder, attempt=2)
    time.sleep(1.0)
    assert not folder.begun(2), "the successor must wait for the lock"

    first.kill()
    first.communicate()
    _, told = second.communicate(timeout=30)

    assert second.returncode == 0, told
    undisturbed = lab.folder(config, "other")
    train(undisturbed, config)
    assert model_of(undisturbed) == model_of(folder)


PARENT = """
import os, subprocess, sys
given = [*sys.argv[2:], "--parent", str(os.getpid())]
child = subprocess.Popen(given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
input()
"""


@pytest.mark.realtime
def test_the_trainer_is_gone_soon_after_its_parent_was_killed(lab):
    config = lab.config(settings=attrs.evolve(lab.config().settings, epochs=100_000))
    folder = lab.folder(config)
    command = [sys.executable, "-P", "-m", "windlass.operators.training.trainer", str(folder.path), "--attempt", "1"]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, "-", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert int(parent.stdout.readline()) > 0

    parent.kill()
    parent.communicate()

    with folder.lock(timeout_seconds=5):
        pass
    assert folder.result() is None


@pytest.mark.realtime
def test_the_end_of_stdin_alone_ends_the_trainer(lab):
    config = lab.config(settings=attrs.evolve(lab.config().settings, epochs=100_000))
    folder = lab.folder(config)
    command = [sys.executable, "-P", "-m", "windlass.operators.training.trainer", str(folder.path), "--attempt", "1"]
    given = [*command, "--parent", str(os.getpid())]
    with subprocess.Popen(given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        child.stdout.readline()

        child.stdin.close()

        child.stdout.read()
        assert child.wait(10) == TRY_AGAIN


@pytest.mark.realtime
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_meant_for_its_parent_does_not_end_a_supervised_trainer(lab, number):
    config = lab.config(settings=attrs.evolve(lab.config().settings, epochs=60))
    folder = lab.folder(config)
    command = [sys.executable, "-P", "-m", "windlass.operators.training.trainer", str(folder.path), "--attempt", "1"]
    given = [*command, "--parent", str(os.getpid())]
    with subprocess.Popen(given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        child.stdout.readline()

        child.send_signal(number)

        child.stdout.read()
        assert child.wait(20) == 0
    assert folder.result() is not None


@pytest.mark.realtime
def test_a_trainer_whose_parent_is_already_gone_does_nothing(lab):
    folder = lab.folder(lab.config())
    command = [sys.executable, "-P", "-m", "windlass.operators.training.trainer", str(folder.path), "--attempt", "1"]

    assert subprocess.run([*command, "--parent", "1"], stdin=subprocess.DEVNULL, check=False).returncode == TRY_AGAIN

    assert not folder.begun(1)


def test_divergence_is_recorded_as_the_run_s_own_verdict(lab, capsys):
    config = lab.config(settings=attrs.evolve(lab.config().settings, learning_rate=1e6, l2=1e3))
    folder = lab.folder(config)

    assert main([str(folder.path), "--attempt", "1"]) == 1

    assert folder.failure().reason == "TrainingDiverged"
    assert folder.failure().message == capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(TrainingDiverged):
        train(folder, config)


def test_data_that_changed_since_it_was_pinned_is_refused(lab):
    config = lab.config()
    folder = lab.folder(attrs.evolve(config, data=attrs.evolve(config.data, table_id="another")))

    assert main([str(folder.path), "--attempt", "1"]) == 1

    assert folder.failure().reason == "TableIdMismatch"


def test_a_table_that_cannot_be_reached_is_no_verdict(lab, monkeypatch):
    folder = lab.folder(lab.config())
    from windlass.operators.training import trainer

    def unreachable(record):
        raise DataError("the network is down", reason="TableUnreachable")

    monkeypatch.setattr(trainer, "read_rows", unreachable)

    assert main([str(folder.path), "--attempt", "1"]) == TRY_AGAIN
    assert folder.failure() is None


@pytest.mark.parametrize("holdout", [1e-9, 1 - 1e-9])
def test_a_split_that_leaves_one_side_empty_is_refused_with_both_numbers(lab, holdout):
    config = lab.config(holdout=holdout)
    folder = lab.folder(config)

    assert main([str(folder.path), "--attempt", "1"]) == 1

    assert folder.failure().reason == "DataUnsuitable"
    assert "240 rows split with validation.holdout" in folder.failure().message


def test_a_folder_without_a_readable_configuration_fails_with_one_line(lab, capsys):
    folder = RunFolder(lab.path / "run")
    folder.prepare(b"{}")

    assert main([str(folder.path), "--attempt", "1"]) == 1

    assert capsys.readouterr().err.startswith("config.json is not a configuration of this trainer")
