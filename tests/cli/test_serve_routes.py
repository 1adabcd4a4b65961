"""`windlass serve` with routes that cannot be used: said at the start, or told by readiness while it runs."""

import json

import aiohttp
import pytest
from click.testing import CliRunner
from programs import WINDLASS, run, running

from windlass.cli.serve import command

pytestmark = pytest.mark.realtime

SERVE = (*WINDLASS, "serve", "--port", "0")


async def test_a_journal_that_cannot_be_used_ends_the_start_and_names_it(tmp_path):
    (tmp_path / "journal").write_text("hello\n")
    ended = await run(*SERVE, "--experiments", "journal", cwd=tmp_path)
    assert ended.code == 1
    assert "journal line 1 is no entry of a journal" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("option", ["--traffic", "--experiments"])
def test_an_empty_path_is_wrong_usage(option):
    refused = CliRunner().invoke(command, [option, ""])
    assert (refused.exit_code, "expected a path, found an empty one" in refused.output) == (2, True)


async def test_a_bad_file_of_routes_is_told_by_readiness_and_the_models_still_answer(tmp_path):
    (tmp_path / "routes.yaml").write_text("routes: {m: {arms: []}}")
    async with running(*SERVE, "--traffic", "routes.yaml", cwd=tmp_path) as program, aiohttp.ClientSession() as session:
        url = (await program.line("endpoint")).split()[-1]
        async with session.get(f"{url}/readyz") as response:
            assert response.status == 503
            assert "routes.m.arms: expected 1 to 16, found 0" in (await response.json())["error"]
        async with session.post(f"{url}/predict", data=json.dumps({"x": 2.5})) as response:
            assert await response.json() == {"prediction": -0.5}
        async with session.get(f"{url}/v2/traffic") as response:
            assert response.status == 404  # the API is off
        program.interrupt()
        assert (await program.end(seconds=20)).code == 0
