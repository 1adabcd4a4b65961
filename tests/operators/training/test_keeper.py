"""A command keeps the run's lock with all that it starts, and ends with its keeper (A9, A10)."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from windlass.operators.errors import RunFolderBusy
from windlass.operators.training import keeper
from windlass.operators.training.runfolder import RunFolder
from windlass.operators.training.sessions import end_session, members


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(tmp_path / "run")
    made.prepare(b"{}")
    return made


@pytest.fixture
def keep(folder):
    """Starts the real program with a command."""
    with contextlib.ExitStack() as stack:

        def start(*command, parent=None, **environment):
            told = {"command": command, "environment": environment}
            (folder.path / "command.json").write_text(json.dumps(told))
            arguments = [str(folder.path), "--attempt", "1", "--parent", str(os.getpid() if parent is None else parent)]
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "windlass.operators.training.keeper", *arguments], text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
            stack.enter_context(process)
            stack.callback(end_session, process.pid)
            return process

        yield start


def finish(process):
    """What it said, once it has ended by itself: `communicate` would close its stdin, and so end it."""
    process.wait()
    return process.stdout.read(), process.stderr.read()


def until(condition, *, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_busy(folder):
    try:
        with folder.lock(timeout_seconds=0):
            return False
    except RunFolderBusy:
        return True


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("exit 75", 75), ("kill -9 $$", 137), ("kill -15 $$", 143)]
)
def test_the_exit_code_is_the_command_s_own_or_tells_the_signal(folder, keep, script, code):
    process = keep("sh", "-c", script)

    finish(process)

    assert code == process.returncode
    assert folder.begun(1)


def test_a_command_that_cannot_be_started_says_so(folder, keep):
    process = keep("/nosuch/program")

    _, said = finish(process)

    assert process.returncode == 127
    assert "/nosuch/program" in said


def test_the_command_has_the_environment_and_speaks_through(folder, keep):
    process = keep("sh", "-c", "echo $GREETING; echo oops >&2", GREETING="hello")

    assert finish(process) == ("hello\n", "oops\n")


def test_a_busy_run_is_tried_again_later_and_the_command_not_started(folder, monkeypatch):
    monkeypatch.setattr(keeper, "_LOCK_SECONDS", 0.0)
    with folder.lock(timeout_seconds=0):
        told = {"command": ["touch", str(folder.path / "started")], "environment": {}}
        (folder.path / "command.json").write_text(json.dumps(told))
        monkeypatch.setattr(keeper.threading.Thread, "start", lambda _: None)
        monkeypatch.setattr(keeper.signal, "signal", lambda *_: None)

        assert keeper.main([str(folder.path), "--attempt", "1", "--parent", str(os.getppid())]) == 75

    assert not (folder.path / "started").exists()


def test_one_whose_parent_is_gone_already_starts_nothing(folder, keep):
    process = keep("touch", str(folder.path / "started"), parent=1)

    finish(process)

    assert process.returncode == 75
    assert not (folder.path / "started").exists()


def test_what_the_command_leaves_behind_ends_with_it(folder, keep):
    """Nothing that could still write outlives the attempt."""
    process = keep("sh", "-c", "sleep 600 & echo started; exit 0")

    finish(process)

    assert process.returncode == 0
    assert members(process.pid) == []


def test_everything_ends_when_whoever_wanted_it_is_gone(folder, keep):
    process = keep("sh", "-c", "sleep 600; true")
    until(lambda: len(members(process.pid)) >= 3)
    assert is_busy(folder)

    process.stdin.close()

    process.wait()
    until(lambda: not members(process.pid))
    assert not is_busy(folder)


def test_a_keeper_that_was_killed_leaves_the_run_locked_by_what_it_kept(folder, keep):
    """A10: nobody else starts while that may write; whoever stops the run ends it."""
    process = keep("sh", "-c", "sleep 600; true")
    until(lambda: len(members(process.pid)) >= 3)

    process.kill()
    process.wait()

    assert is_busy(folder)
    end_session(process.pid)
    until(lambda: not is_busy(folder))


def test_a_polite_signal_to_the_whole_group_leaves_the_end_to_the_parent(folder, keep):
    process = keep("sh", "-c", "trap '' TERM; echo ready; sleep 600; true")
    assert process.stdout.readline() == "ready\n"

    os.kill(process.pid, signal.SIGTERM)

    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    end_session(process.pid)
    finish(process)
