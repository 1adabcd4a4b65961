"""The tutorial on serving, followed by its letter: each command says what the page says it does."""

import asyncio
import itertools
import re
import shutil
import sys
from pathlib import Path

import pytest
from peers import peer_program
from programs import WINDLASS, run, running
from servers import absent

pytestmark = pytest.mark.realtime(limit=150)

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial"
PAGE = (TUTORIAL / "serving-a-model.md").read_text()
BLOCKS = [block for kind, block in re.findall(r"^```(\w*)\n(.*?)\n```$", PAGE, re.DOTALL | re.MULTILINE) if not kind]
SAID = dict(reversed(list(itertools.pairwise(BLOCKS))))  # what the page shows after a command, at its first use


async def shell(command):
    process = await asyncio.create_subprocess_exec("sh", "-c", command, stdout=asyncio.subprocess.PIPE)
    return (await process.communicate())[0].decode().strip()


async def program(interpreter, name, address):
    path = str(TUTORIAL / "serving" / name)
    process = await asyncio.create_subprocess_exec(interpreter, path, address, stdout=asyncio.subprocess.PIPE)
    written = (await process.communicate())[0].decode().strip()
    assert process.returncode == 0
    return written


async def test_the_model_is_published_served_asked_and_replaced_as_the_page_says(tmp_path):
    if shutil.which("curl") is None:
        absent("curl", "apt-get install curl")
    publish = str(TUTORIAL / "serving" / "publish.py")
    published = await run(publish, cwd=tmp_path)
    assert (published.out.strip(), published.code) == (SAID["python publish.py"], 0)

    (serve,) = [block for block in BLOCKS if block.startswith("windlass serve")]
    arguments = (*serve.replace("9000", "0").split()[1:], "--port", "0")
    async with running(*WINDLASS, *arguments, cwd=tmp_path) as endpoint:
        url = (await endpoint.line("endpoint")).split()[-1]
        grpc_address = (await endpoint.line("gRPC")).split()[-1]
        await ready(url, 1)
        commands = [block for block in BLOCKS if block.startswith("curl")]
        assert len(commands) == 4
        for command in commands[:3]:
            assert await shell(command.replace("http://127.0.0.1:8080", url)) == SAID[command]

        (both,) = [block for block in BLOCKS if block.startswith("3 rooms")]
        assert await program(sys.executable, "ask_triton.py", url.removeprefix("http://")) == both
        assert await program(peer_program("python"), "ask_kserve.py", grpc_address) == both
        assert "<title>Windlass" in await shell(f"curl -s {url}/page")

        assert (await run(publish, cwd=tmp_path)).out.startswith("published version 2: ")
        await ready(url, 2)
        assert await shell(commands[3].replace("http://127.0.0.1:8080", url)) == SAID[commands[3]]
        endpoint.interrupt()
        assert (await endpoint.end(seconds=30)).code == 0


async def ready(url, version):
    """Wait until that version of the model serves."""
    ask = f"curl -s -o /dev/null -w '%{{http_code}}' {url}/v2/models/flats/versions/{version}/ready"
    while await shell(ask) != "200":  # noqa: ASYNC110  (another process changes the answer)
        await asyncio.sleep(0.1)
