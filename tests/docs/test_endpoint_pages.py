"""What the pages on a safe and visible endpoint let their readers type gives what they say."""

import asyncio
import contextlib
import os
import re
import signal
import ssl
import sys
from pathlib import Path

import aiohttp
import pytest
from certificates import Authority
from programs import running

pytestmark = pytest.mark.realtime(limit=120)

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"
BLOCKS = re.compile(r"```(sh|text)\n(.*?)```", re.DOTALL)
MARK = "=== the next block ==="


def own_address():
    """An address of the loopback network that no other process of the machine uses, so that ports may be as written."""
    number = os.getpid()
    return f"127.{100 + (number >> 16) % 100}.{(number >> 8) % 256}.{number % 256}"


def session_of(page):
    """The page's commands in their order, and what each of them is said to print, or None."""
    commands, answers = [], []
    for kind, text in BLOCKS.findall((HOW_TO / f"{page}.md").read_text()):
        if kind == "sh":
            commands.append(text)
            answers.append(None)
        else:
            answers[-1] = text
    return commands, answers


@pytest.mark.parametrize("page", ["secure-endpoint", "observe-endpoint"])
async def test_what_a_reader_types_gives_what_the_page_says(page, tmp_path):
    commands, answers = session_of(page)
    address = own_address()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "windlass"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m windlass.cli.main "$@" --host {address}\n')
    program.chmod(0o755)
    marked = "\n".join(f"{command}\necho; echo '{MARK}'" for command in commands)
    bash = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"trap 'kill $(jobs -p)' EXIT\n{marked}".replace("127.0.0.1", address)),
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = await bash.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(bash.pid, signal.SIGKILL)
    printed = out.decode().split(MARK)
    assert len(commands) >= 4
    assert len(printed) == len(commands) + 1, err.decode()
    for command, said, found in zip(commands, answers, printed, strict=False):
        if said is not None:
            assert found.strip() == said.replace("127.0.0.1", address).strip(), f"{command}\n{err.decode()}"


async def test_the_program_with_rules_of_its_own_lets_readers_look_and_writers_ask(tmp_path):
    certificate, key = Authority(tmp_path).issue("/CN=models", names="IP:127.0.0.1")
    certificate.rename(tmp_path / "tls.crt")
    key.rename(tmp_path / "tls.key")
    tokens = {"ann": "ann-0123456789abcdef", "bob": "bob-0123456789abcdef"}
    (tmp_path / "tokens").write_text(f"ann {tokens['ann']} writers\nbob {tokens['bob']} readers\n")
    context = ssl.create_default_context(cafile=tmp_path / "tests.crt")
    body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [2.5]}]}
    async with running(str(HOW_TO / "secured.py"), "0", cwd=tmp_path) as program:
        url = (await program.line("https://")).strip()
        async with aiohttp.ClientSession(url) as session:

            async def status(method, path, name, **kwargs):
                headers = {"Authorization": f"Bearer {tokens[name]}"}
                async with session.request(method, path, headers=headers, ssl=context, **kwargs) as response:
                    return response.status

            assert await status("GET", "/v2/models/linear", "bob") == 200
            assert await status("POST", "/predict", "bob", json={"x": 2.5}) == 200
            assert await status("POST", "/v2/models/linear/infer", "bob", json=body) == 403
            assert await status("POST", "/v2/models/linear/infer", "ann", json=body) == 200


async def test_the_application_serves_its_own_routes_and_ours_and_ends_in_order(tmp_path):
    async with running(str(HOW_TO / "mounted.py"), "0", cwd=tmp_path) as program:
        url = (await program.line("Running on")).split()[3]
        async with aiohttp.ClientSession(url) as session:
            async with session.get("/") as response:
                assert await response.text() == "hello\n"
            async with session.post("/models/predict", json={"x": 2.5}) as response:
                assert await response.json() == {"prediction": -0.5}
            async with session.get("/models/metrics") as response:
                assert 'windlass_serving_requests_total{code="200",model="linear"' in await response.text()
        program.interrupt()
        assert (await program.end(seconds=20)).code == 0
