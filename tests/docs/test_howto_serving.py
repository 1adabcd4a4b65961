"""The how-to programs of the endpoint, run as their readers would run them."""

import asyncio
import hashlib
import json
import random
import re
from pathlib import Path

import aiohttp
import pytest
from programs import WINDLASS, run, running
from seeds import announced_seed

from windlass.serving.data import Pipeline
from windlass.serving.traffic import parse_document

pytestmark = pytest.mark.realtime(limit=150)

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"
YAML = re.compile(r"```yaml\n(routes:.*?)```", re.DOTALL)


async def becomes(wanted, question):
    """Ask until the answer is what is wanted."""
    async with asyncio.timeout(60):
        while not wanted(await question()):  # noqa: ASYNC110  (another process changes the answer)
            await asyncio.sleep(0.05)


async def test_the_public_name_of_traffic_has_its_arms_its_shadow_and_its_api(tmp_path):
    async with running(str(HOW_TO / "traffic.py"), "0", cwd=tmp_path) as program, aiohttp.ClientSession() as session:
        url = (await program.line("endpoint")).split()[-1]
        answers = set()
        for number in range(60):
            async with session.post(
                f"{url}/predict", json={"x": 2.5}, headers={"X-Experiment-Key": str(number)}
            ) as got:
                answers.add((got.headers["X-Model-Variant"], round((await got.json())["prediction"], 6)))
        assert answers == {("now", -0.5), ("next", -0.4)}
        async with session.post(f"{url}/predict", json={"x": 2.5}, headers={"X-Model-Variant": "next"}) as got:
            assert got.headers["X-Model-Variant"] == "next"
        async with session.get(f"{url}/v2/traffic/prices") as got:
            assert (await got.json())["weights"] == {"now": 90, "next": 10}
        async with session.get(f"{url}/metrics") as got:
            assert 'shadow_requests_total{result="answered",route="prices",shadow="later"}' in await got.text()
        program.interrupt()
        ended = await program.end(seconds=20)
    assert (ended.code, ended.err) == (0, "")


async def test_the_experiment_ends_as_its_page_says(tmp_path):
    ended = await run(str(HOW_TO / "experiment.py"), cwd=tmp_path)
    first, second = ended.out.splitlines()
    assert (ended.code, ended.err, first) == (0, "", "won {'now': 0, 'next': 100}")
    assert re.fullmatch(r"goal reward: 0\.\d+ in \d+ against 0\.\d+ in \d+ \(p = .*, at any time\)", second)
    assert first in (HOW_TO / "experiments.md").read_text()


async def test_the_routes_of_the_pages_serve_and_follow_their_file(tmp_path):
    """Both documents, by `windlass serve`: read, changed, refused, and a journal."""
    (routes,) = YAML.findall((HOW_TO / "traffic.md").read_text())
    (experiment,) = YAML.findall((HOW_TO / "experiments.md").read_text())
    plan = parse_document(experiment.encode()).by_name["prices"].experiment
    for number in (1, 2, 3):
        folder = tmp_path / "models" / f"prices-{number}" / "1"
        folder.mkdir(parents=True)
        content = json.dumps({"bias": 1.4 + number / 10, "weight": -0.8}).encode()
        (folder / "model.bin").write_bytes(content)
        described = {"format": "linear", "file": "model.bin", "sha256": hashlib.sha256(content).hexdigest()}
        (folder / "model.json").write_text(json.dumps(described))
    file = tmp_path / "routes.yaml"
    file.write_text(routes)
    arguments = ("--models", "models", "--traffic", "routes.yaml", "--traffic-api", "--experiments", "journal.jsonl")
    async with (
        running(*WINDLASS, "serve", "--port", "0", *arguments, cwd=tmp_path) as program,
        aiohttp.ClientSession() as session,
    ):
        url = (await program.line("endpoint")).split()[-1]

        async def told():
            async with session.get(f"{url}/v2/traffic") as got:
                return await got.json()

        await becomes(lambda told: told["routes"]["prices"]["arms"][1]["weight"] == 10, told)
        file.write_text(experiment)
        await becomes(lambda told: told["routes"]["prices"].get("experiment", {}).get("name") == plan.name, told)
        file.write_text("routes: [")
        await becomes(lambda told: "problem" in told, told)
        tensor = {"name": "x", "datatype": "FP64", "shape": [1], "data": [2.5]}
        async with session.post(f"{url}/v2/models/prices/infer", json={"inputs": [tensor]}) as got:
            assert got.headers["X-Model-Variant"] in ("now", "next")
        program.interrupt()
        assert (await program.end(seconds=20)).code == 0
    (line,) = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert (json.loads(line)["kind"], json.loads(line)["experiment"]) == ("began", "bias-1")


async def test_a_table_becomes_a_model_that_takes_its_columns(tmp_path):
    rng = random.Random(announced_seed())
    lines = ["age,city,visits,bought"]
    for _ in range(2000):
        age, city, visits = rng.randint(18, 80), rng.choice(["Oslo", "Rome", ""]), rng.randint(0, 9)
        lines.append(f"{age},{city},{visits},{int(visits > 4)}")
    lines[7] = "unknown,Oslo,3,0"
    (tmp_path / "customers.csv").write_text("\n".join(lines) + "\n")
    ended = await run(str(HOW_TO / "data_pipeline.py"), "customers.csv", "models", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == {"name": "read", "rows_in": 2000, "rows_out": 1999, "why": "bad rows"}
    version = tmp_path / "models" / "buyers" / "1"
    described = json.loads((version / "model.json").read_text())
    pipeline = Pipeline.from_json((version / "pipeline.json").read_bytes(), digest=described["pipeline"]["digest"])
    assert pipeline.names == ("age", "city=?", "city=Oslo", "city=Rome", "visits")
    again = await run(str(HOW_TO / "data_pipeline.py"), "customers.csv", "models", cwd=tmp_path)
    assert (again.code, again.err) == (0, "")
    assert json.loads((version.parent / "2" / "model.json").read_text()) == described
    async with (
        running(*WINDLASS, "serve", "--port", "0", "--models", "models", cwd=tmp_path) as program,
        aiohttp.ClientSession() as session,
    ):
        url = (await program.line("endpoint")).split()[-1]

        async def bought():
            instances = [{"age": 41, "city": "Oslo", "visits": visits} for visits in (0, 9)]
            async with session.post(f"{url}/v1/models/buyers:predict", json={"instances": instances}) as got:
                return [one["label"] for one in (await got.json()).get("predictions", [])]

        await becomes(lambda labels: labels == [0, 1], bought)
        program.interrupt()
        await program.end(seconds=20)
