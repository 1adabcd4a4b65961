"""The tutorial from a CSV file to a served model, followed by its letter on the programs that it names."""

import asyncio
import itertools
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from programs import WINDLASS, running
from servers import absent, kubectl_binary

pytestmark = pytest.mark.realtime(limit=240)

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial"
PAGE = (TUTORIAL / "csv-to-model.md").read_text()
FENCES = re.findall(r"^```(\w*)\n(.*?)\n```$", PAGE, re.DOTALL | re.MULTILINE)
BLOCKS = [block for kind, block in FENCES if not kind]
(JOB,) = [block for kind, block in FENCES if kind == "yaml"]
SAID = dict(itertools.pairwise(BLOCKS))  # what the page shows after a command


@pytest.fixture
def shell(tmp_path):
    """Runs a block of the page as a user would, with our programs under the names that it uses."""
    if shutil.which("curl") is None:
        absent("curl", "apt-get install curl")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, given in (("windlass", " ".join(WINDLASS)), ("python", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {given} "$@"\n')
        (programs / name).chmod(0o755)
    (programs / "kubectl").symlink_to(kubectl_binary())
    for name in ("measure.py", "make_table.py"):
        shutil.copy(TUTORIAL / "training" / name, tmp_path)
    path = os.pathsep.join((str(programs), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(tmp_path / "kubeconfig")}

    async def run(block, *, expected=0):
        process = await asyncio.create_subprocess_exec(
            "sh", "-ec", block, cwd=tmp_path, env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode == expected, (block, out.decode(), err.decode())
        return out.decode().strip()

    return run


def the(start):
    (found,) = {block for block in BLOCKS if block.startswith(start)}
    return found


async def test_a_table_is_trained_on_judged_served_and_trained_on_again(tmp_path, shell):
    command = the("python measure.py")
    assert await shell(command) == SAID[command]
    (tmp_path / "job.yaml").write_text(JOB.replace("/home/me", str(tmp_path)))
    assert yaml.safe_load(JOB)["spec"]["data"]["uri"].endswith("/tables/machines")

    exported = {"KUBECONFIG": "kubeconfig"}
    *_, define, operate = the("export KUBECONFIG").splitlines()
    async with running(*WINDLASS, *the("windlass envtest").split()[1:], cwd=tmp_path) as server:
        await server.line("kubeconfig")
        await shell(define)
        serve = the("windlass serve").split()[1:]
        async with (
            running(*WINDLASS, *operate.split()[1:], cwd=tmp_path, environment=exported) as operator,
            running(*WINDLASS, *serve, "--port", "0", cwd=tmp_path) as endpoint,
        ):
            url = (await endpoint.line("endpoint")).split()[-1]
            await operator.line("running")
            await shell(the("kubectl apply -f job.yaml"))

            described = await shell(the("windlass job describe"))
            assert "passed: 2 of 2 checks were required" in described
            await shell(the("windlass job timeline"))
            assert (tmp_path / "machines.svg").read_text().startswith("<svg ")
            card = await shell(the("kubectl get tj"))
            assert "the maintenance team" in Path(card.removeprefix("file://")).read_text()

            ask = the("curl").replace("http://127.0.0.1:8080", url)
            await ready(shell, url, 1)
            (answer,) = json.loads(await shell(ask))["predictions"]
            assert most_likely(answer) == 2

            await shell(the("python make_table.py"))
            await ready(shell, url, 2)


def most_likely(answer):
    """The class with the greatest probability, whichever way outputs are named."""
    numbers = answer.get("probabilities", answer) if isinstance(answer, dict) else answer
    return max(range(len(numbers)), key=numbers.__getitem__)


async def ready(shell, url, version):
    """Wait until that version of the model serves."""
    ask = f"curl -s -o /dev/null -w '%{{http_code}}' {url}/v2/models/machines/versions/{version}/ready"
    while await shell(ask) != "200":  # noqa: ASYNC110  # another process changes the answer
        await asyncio.sleep(0.1)
