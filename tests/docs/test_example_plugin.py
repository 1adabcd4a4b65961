"""The example of an executor plugin, installed as its readers would install it, found by its entry point, and run."""

import asyncio
import os
import sys
import textwrap

import pytest
from packages import install

from windlass.controller.errors import ExecutorNotFound
from windlass.controller.executors import executors

pytestmark = pytest.mark.realtime(limit=120)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return install("executor-plugin", tmp_path_factory.mktemp("plugin"))


@pytest.fixture
def plugin(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    for name in ("command", "windlass_command_executor"):
        executors._loaded.pop(f"windlass_command_executor:{name.upper()}", None)
    yield sys.modules.get("windlass_command_executor") or __import__("windlass_command_executor")
    executors._loaded.pop("windlass_command_executor:COMMAND", None)
    sys.modules.pop("windlass_command_executor", None)


async def test_before_it_is_installed_the_name_is_unknown():
    with pytest.raises(ExecutorNotFound, match="there is no executor named 'command'; known executors: "):
        executors.get("command")


async def test_an_installed_package_is_found_without_being_imported_and_described(plugin):
    assert "command" in executors.names()
    info = executors.info("command")
    assert (info.version, info.capabilities) == ("1.2.0", {"cancel", "resume"})
    assert info.origin == "windlass_command_executor:COMMAND of the package windlass-command-executor"


async def observed(executor, handle, state):
    async with asyncio.timeout(20):
        while (found := await executor.observe(handle)).state != state:  # noqa: ASYNC110  # another process's state
            await asyncio.sleep(0.02)
    return found


async def test_work_runs_once_however_often_it_is_started(plugin, tmp_path):
    executor = executors.get("command")
    job = plugin.Command("count", "echo run >> runs; exit 3", tmp_path)
    plan = executor.render(job)
    assert plan == executor.render(job)
    assert (await executor.observe(plan.folder)).state == "absent"
    handles = await asyncio.gather(*[executor.start(plan) for _ in range(5)])
    assert set(handles) == {plan.folder}
    assert (await observed(executor, plan.folder, "done")).exit_code == 3
    await executor.start(plan)
    assert (plan.folder / "runs").read_text() == "run\n"


async def test_work_can_be_cancelled_any_number_of_times(plugin, tmp_path):
    executor = executors.get("command")
    handle = await executor.start(executor.render(plugin.Command("long", "sleep 60", tmp_path)))
    assert (await executor.observe(handle)).state == "running"
    await executor.cancel(handle)
    await executor.cancel(handle)
    assert (await executor.observe(handle)).state == "lost"


async def test_work_is_resumed_by_a_process_that_comes_after(plugin, installed, tmp_path):
    """The first process is killed while the work runs; the second one starts the same plan and finds it."""
    program = textwrap.dedent(
        """
        import asyncio, os, pathlib, signal, sys
        from windlass.controller.executors import executors
        from windlass_command_executor import Command

        async def main():
            executor = executors.get("command")
            plan = executor.render(Command("long", "echo run >> runs; sleep 1", pathlib.Path(sys.argv[1])))
            await executor.start(plan)
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
        """
    )
    path = os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), env={**os.environ, "PYTHONPATH": path}
    )
    assert await process.wait() == -9
    executor = executors.get("command")
    plan = executor.render(plugin.Command("long", "echo run >> runs; sleep 1", tmp_path))
    handle = await executor.start(plan)
    assert (await observed(executor, handle, "done")).exit_code == 0
    assert (plan.folder / "runs").read_text() == "run\n"
