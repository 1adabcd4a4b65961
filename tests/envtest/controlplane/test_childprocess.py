import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from windlass.envtest.controlplane.childprocess import ChildProcess

SHELL = Path("/bin/sh")


def start(tmp_path, script):
    return ChildProcess.start(SHELL, ["-c", script], log=tmp_path / "log")


async def until(condition, seconds=10):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.realtime
async def test_exit_code_is_none_while_the_program_runs_and_its_own_afterwards(tmp_path):
    child = start(tmp_path, "sleep 0.2; exit 7")
    assert child.running
    assert child.exit_code is None
    await until(lambda: not child.running)
    assert child.exit_code == 7


@pytest.mark.realtime
async def test_both_outputs_are_in_the_log_and_its_tail_is_the_last_lines(tmp_path):
    child = start(tmp_path, "echo first; echo second >&2; echo third")
    await until(lambda: not child.running)
    assert child.log_tail() == "first\nsecond\nthird"
    assert child.log_tail(lines=1) == "third"


@pytest.mark.realtime
async def test_log_tail_of_a_large_log_with_broken_text_is_still_text(tmp_path):
    child = start(tmp_path, "true")
    await until(lambda: not child.running)
    child.log.write_bytes(b"\xff line\n" * 100_000)
    assert child.log_tail(lines=2) == "\ufffd line\n\ufffd line"


@pytest.mark.realtime
async def test_a_second_start_adds_to_the_log_of_the_first(tmp_path):
    for _ in range(2):
        child = start(tmp_path, "echo again")
        await until(lambda: not child.running)  # noqa: B023
    assert child.log_tail() == "again\nagain"


@pytest.mark.realtime
async def test_stop_lets_a_program_end_in_its_own_way(tmp_path):
    child = start(tmp_path, "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done")
    await until(lambda: "up" in child.log_tail())
    await child.stop(10)
    assert child.exit_code == 3
    assert child.log_tail() == "up\nbye"


@pytest.mark.realtime
async def test_stop_kills_a_program_that_does_not_end_in_time(tmp_path):
    child = start(tmp_path, "trap '' TERM; echo up; while :; do sleep 0.01; done")
    await until(lambda: "up" in child.log_tail())
    await child.stop(0.2)
    assert child.exit_code == -signal.SIGKILL


@pytest.mark.realtime
async def test_a_cancelled_stop_leaves_no_process(tmp_path):
    child = start(tmp_path, "trap '' TERM; echo up; while :; do sleep 0.01; done")
    await until(lambda: "up" in child.log_tail())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await child.stop(60)
    assert child.exit_code == -signal.SIGKILL


@pytest.mark.realtime
async def test_stopping_and_killing_what_has_ended_does_nothing(tmp_path):
    child = start(tmp_path, "exit 5")
    await until(lambda: not child.running)
    await child.stop(1)
    child.kill()
    assert child.exit_code == 5


@pytest.mark.realtime
async def test_a_program_that_does_not_exist_ends_at_once_and_says_so(tmp_path):
    child = ChildProcess.start(tmp_path / "absent", [], log=tmp_path / "log")
    await until(lambda: not child.running)
    assert child.exit_code != 0
    assert "absent" in child.log_tail()


@pytest.mark.realtime
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
async def test_a_child_dies_with_a_parent_that_was_killed(tmp_path):
    program = (
        "import sys, time; from pathlib import Path\n"
        "from windlass.envtest.controlplane.childprocess import ChildProcess\n"
        "child = ChildProcess.start(Path('/bin/sleep'), ['600'], log=Path(sys.argv[1]))\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, tmp_path / "log"]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: ASYNC220
    try:
        child = int(parent.stdout.readline())
        await until(lambda: b"sleep" in Path(f"/proc/{child}/cmdline").read_bytes()[:12])
    finally:
        parent.kill()
        parent.communicate()
    await until(lambda: not alive(child))
