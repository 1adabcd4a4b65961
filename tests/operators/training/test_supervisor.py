"""One owner for every trainer process, and no process without an owner."""

import asyncio
import contextlib
import os
import signal
import sys

import pytest

from windlass.informers.keys import Key
from windlass.operators.training.supervisor import Exited, Idle, Supervisor, Working

pytestmark = pytest.mark.realtime
KEY = Key("default", "digits")

PRELUDE = "import sys, time, json, os\n"
LINE = '{"epoch": %d, "epochs": 9, "step": 1, "loss": 0.5, "accuracy": 0.5}'


@contextlib.asynccontextmanager
async def supervised(tmp_path, monkeypatch, **programs):
    """A supervisor at work, with modules of these sources to start."""
    for name, source in programs.items():
        (tmp_path / f"{name}.py").write_text(PRELUDE + source)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    woken = []
    supervisor = Supervisor(woken.append, progress_seconds=0.0)
    task = asyncio.create_task(supervisor.run())
    try:
        yield supervisor, woken
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition):
    while not condition():  # noqa: ASYNC110  # a process tells no event
        await asyncio.sleep(0.01)


async def test_an_exit_is_kept_with_its_code_and_its_last_words(tmp_path, monkeypatch):
    source = "print('first', file=sys.stderr); print('last  \\n', file=sys.stderr); sys.exit(3)"
    async with supervised(tmp_path, monkeypatch, program=source) as (supervisor, woken):
        assert Idle() == supervisor.state("r")

        await supervisor.start(KEY, "r", attempt=2, module="program", folder=tmp_path)

        assert Working(2) == supervisor.state("r")
        await until(lambda: isinstance(supervisor.state("r"), Exited))
        assert Exited(2, 3, "last") == supervisor.state("r")
        assert KEY in woken


async def test_progress_is_shown_and_wakes_the_job_and_other_words_are_ignored(tmp_path, monkeypatch):
    source = f"""
print('hello'); print('[1]'); print({LINE % 4!r}); print('x' * 200_000); print({LINE % 5!r}, flush=True)
time.sleep(60)
"""
    async with supervised(tmp_path, monkeypatch, program=source) as (supervisor, woken):
        await supervisor.start(KEY, "r", attempt=1, module="program", folder=tmp_path)

        await until(lambda: (progress := supervisor.state("r").progress) is not None and progress.epoch == 5)

        assert woken.count(KEY) == 2


async def test_progress_wakes_no_oftener_than_asked(tmp_path, monkeypatch):
    source = f"[print({LINE % 1!r}, flush=True) for _ in range(500)]"
    async with supervised(tmp_path, monkeypatch, program=source) as (supervisor, woken):
        supervisor._progress_seconds = 60.0
        await supervisor.start(KEY, "r", attempt=1, module="program", folder=tmp_path)

        await until(lambda: isinstance(supervisor.state("r"), Exited))

        assert len(woken) == 2, "one for the first line, one for the end"


async def test_starting_a_run_that_is_at_work_starts_nothing(tmp_path, monkeypatch):
    source = "open(os.path.join(sys.argv[1], f'pid-{os.getpid()}'), 'w'); print('{}', flush=True); time.sleep(60)"
    async with supervised(tmp_path, monkeypatch, program=source) as (supervisor, _):
        await asyncio.gather(
            *(supervisor.start(KEY, "r", attempt=1, module="program", folder=tmp_path) for _ in range(3))
        )
        await supervisor.start(KEY, "r", attempt=1, module="program", folder=tmp_path)
        await until(lambda: list(tmp_path.glob("pid-*")))
        await asyncio.sleep(0.3)

        assert len(list(tmp_path.glob("pid-*"))) == 1


async def test_stopping_ends_the_process_and_forgets_it_and_may_be_repeated(tmp_path, monkeypatch):
    async with supervised(tmp_path, monkeypatch, program="time.sleep(60)") as (supervisor, _):
        await supervisor.start(KEY, "r", attempt=1, module="program", folder=tmp_path)

        await supervisor.stop("r")
        await supervisor.stop("r")

        assert Idle() == supervisor.state("r")


async def test_a_process_killed_by_someone_else_is_told_by_its_signal(tmp_path, monkeypatch):
    source = "os.kill(os.getpid(), 9)"
    async with supervised(tmp_path, monkeypatch, program=source) as (supervisor, _):
        await supervisor.start(KEY, "r", attempt=1, module="program", folder=tmp_path)
        await until(lambda: isinstance(supervisor.state("r"), Exited))

        assert Exited(1, -signal.SIGKILL, "") == supervisor.state("r")


async def test_no_process_is_left_when_the_supervisor_ends(tmp_path, monkeypatch):
    source = (
        "open(os.path.join(sys.argv[1], 'pid'), 'w').write(str(os.getpid())); print('{}', flush=True); time.sleep(60)"
    )
    async with supervised(tmp_path, monkeypatch, program=source) as (supervisor, _):
        await supervisor.start(KEY, "r", attempt=1, module="program", folder=tmp_path)
        await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    pid = int((tmp_path / "pid").read_text())

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_the_child_is_given_its_parent_and_a_stdin_that_ends_with_us(tmp_path, monkeypatch):
    source = "print(' '.join(sys.argv[2:]), sys.stdin.isatty(), sys.flags.safe_path, file=sys.stderr)"
    async with supervised(tmp_path, monkeypatch, program=source) as (supervisor, _):
        await supervisor.start(KEY, "r", attempt=7, module="program", folder=tmp_path)
        await until(lambda: isinstance(supervisor.state("r"), Exited))

        assert f"--attempt 7 --parent {os.getpid()} False True" == supervisor.state("r").last_line


async def test_the_child_is_out_of_reach_of_the_terminal_s_signals(tmp_path, monkeypatch):
    source = "print(os.getsid(0) == os.getpid(), file=sys.stderr)"
    async with supervised(tmp_path, monkeypatch, program=source) as (supervisor, _):
        await supervisor.start(KEY, "r", attempt=1, module="program", folder=tmp_path)
        await until(lambda: isinstance(supervisor.state("r"), Exited))

        assert supervisor.state("r").last_line == "True"


async def test_a_start_waits_for_the_supervisor_to_be_at_work(tmp_path, monkeypatch):
    (tmp_path / "program.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    supervisor = Supervisor(lambda key: None)
    start = asyncio.create_task(supervisor.start(KEY, "r", attempt=1, module="program", folder=tmp_path))
    await asyncio.sleep(0.05)
    assert not start.done()

    task = asyncio.create_task(supervisor.run())
    await start
    await until(lambda: isinstance(supervisor.state("r"), Exited))

    assert repr(supervisor) == "<Supervisor working=0 ended=1>"
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_what_a_trainer_says_beside_its_progress_is_kept_in_its_run(tmp_path, monkeypatch):
    source = f"""
print('to stdout'); print({LINE % 4!r}, flush=True)
print('  to stderr', file=sys.stderr)
"""
    async with supervised(tmp_path, monkeypatch, program=source) as (supervisor, _):
        await supervisor.start(KEY, "r", attempt=3, module="program", folder=tmp_path)
        await until(lambda: isinstance(supervisor.state("r"), Exited))

    assert sorted((tmp_path / "logs" / "3.log").read_text().splitlines()) == ["  to stderr", "to stdout"]
