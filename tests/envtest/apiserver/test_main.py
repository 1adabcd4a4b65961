import asyncio
import signal
import socket
import sys

import aiohttp
import pytest
import yaml

from windlass.envtest.apiserver.__main__ import main


@pytest.mark.realtime
async def test_the_program_serves_until_it_is_told_to_stop(tmp_path):
    config = tmp_path / "config"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "windlass.envtest.apiserver", "--kubeconfig", config, "--token", "t"),
        stdout=asyncio.subprocess.PIPE,
    )
    line = (await process.stdout.readline()).decode()
    url = yaml.safe_load(config.read_text())["clusters"][0]["cluster"]["server"]
    assert line == f"serving at {url}\n"
    async with aiohttp.ClientSession() as session, session.get(url + "/readyz") as response:
        assert await response.text() == "ok"
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(3):
        assert await process.wait() == 0


def test_an_occupied_port_is_one_line_and_a_failure(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["--port", str(taken.getsockname()[1])]) == 1
    assert capsys.readouterr().err.startswith("error: the API server cannot listen on 127.0.0.1:")
