"""The example of a runtime plugin, installed as its readers would, and the program of the page about models."""

import hashlib
import json
import os
from pathlib import Path

import aiohttp
import pytest
from packages import install
from programs import WINDLASS, run, running

pytestmark = pytest.mark.realtime(limit=120)

DOCS = Path(__file__).resolve().parents[2] / "docs"
WORDS = b"hm,1.5\nwell,2\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return install("runtime-plugin", tmp_path_factory.mktemp("plugin"))


def version(root, name, content, **fields):
    folder = root / name / "1"
    folder.mkdir(parents=True)
    (folder / "words.csv").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    description = {"format": "lookup", "file": "words.csv", "sha256": digest, **fields}
    (folder / "model.json").write_text(json.dumps(description))


async def test_a_format_of_an_installed_package_serves_here_and_in_a_process_of_its_own(installed, tmp_path):
    version(tmp_path, "here", WORDS, metadata={"default": -1})
    version(tmp_path, "apart", WORDS, isolation="process")
    version(tmp_path, "wrong", b"hm,1\nnonsense\n")
    path = os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])])
    arguments = (*WINDLASS, "serve", "--port", "0", "--models", str(tmp_path))
    async with running(*arguments, cwd=tmp_path, environment={"PYTHONPATH": path}) as program:
        url = (await program.line("endpoint")).split()[-1]
        async with aiohttp.ClientSession(url) as session:

            async def asked(path, body=None):
                async with session.post(path, json=body) as response:
                    return response.status, await response.json()

            async def index():
                entries = (await asked("/v2/repository/index"))[1]
                return {one["name"]: (one["state"], one["reason"]) for one in entries}

            while len(found := await index()) < 3 or "LOADING" in {state for state, _ in found.values()}:
                pass
            assert found["wrong"] == ("UNAVAILABLE", "words.csv: line 2: expected key,value, found ['nonsense']")
            for name, default in (("here", -1.0), ("apart", 0.0)):
                assert await asked(f"/v1/models/{name}:predict", {"instances": ["well", "so"]}) == (
                    200, {"predictions": [2.0, default]}
                )  # fmt: skip
        program.interrupt()
        assert (await program.end()).code == 0


async def test_the_program_of_the_page_says_what_it_should(tmp_path):
    ended = await run(str(DOCS / "how-to" / "models.py"), cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "score [-8.0, 12.0]",
        "mood ['short', 'long']",
        "versions ['1', '2']",
    ]
