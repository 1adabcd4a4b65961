"""The how-to, carried out: its table, its TrainingJob, tuned by the real program, and its way to read the result."""

import asyncio
import contextlib
import json
import re
from pathlib import Path

import pytest
import yaml
from servers import open_server

from windlass.controller import ExecutorRegistry, Manager
from windlass.informers.api import Api
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.errors import NotFound
from windlass.informers.keys import Key
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, setup
from windlass.operators.training.bundle import LISTING, files_of
from windlass.operators.training.files import sha256_of
from windlass.operators.training.gate.registry import check_registry
from windlass.serving.repository.description import read_description
from windlass.statemachine.conditions import Conditions

pytestmark = [
    pytest.mark.realtime(limit=240),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
]
KEY = Key("default", "answers")
PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "fine-tune.md"
YAML = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
PYTHON = re.compile(r"(?<!-->\n)```python\n(.*?)```", re.DOTALL)


def carried_out(code, **replaced):
    """A block of the page, with other places; returns what it named."""
    for old, new in replaced.values():
        assert old in code
        code = code.replace(old, str(new))
    names = {}
    exec(compile(code, str(PAGE), "exec"), names)
    return names


def manifest(tiny, facts):
    (found,) = YAML.findall(PAGE.read_text())
    made = yaml.safe_load(found)
    made["spec"]["data"]["uri"] = str(facts)
    made["spec"]["hyperparameters"]["model"] = str(tiny / "llama")
    return made


class Signed:
    """A check that a language model can pass, which says so."""

    name = "signed"
    kinds = ("peft",)

    def measure(self, subject, parameters, deadline):
        from windlass.operators.training.gate.contract import Measurement

        return Measurement("Passed", "Signed", f"the digest is {subject.model.digest}", samples=1)


async def ended(api):
    async with asyncio.timeout(200):
        while True:
            status = (await api.get(TrainingJob, KEY)).as_(TrainingJob).status
            if status.phase in ("Succeeded", "Failed"):
                return status
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("kind", ["embedded", "kubernetes"])
async def test_a_tuned_model_is_validated_judged_and_published_whole(tmp_path, tiny, kind):
    write, read = PYTHON.findall(PAGE.read_text())
    facts = tmp_path / "facts"
    carried_out(write, table=("/data/facts", facts))
    checks = check_registry(discover=lambda: ())
    checks.register("signed", Signed())
    settings = TrainingSettings(
        tmp_path / "state", tmp_path / "models", executors=ExecutorRegistry(discover=lambda: ()), checks=checks
    )
    async with open_server(kind) as server:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client:
            api = Api(client)
            await install(api, [TrainingJob])
            with contextlib.suppress(NotFound):
                await api.patch(TrainingJob, KEY, {"metadata": {"finalizers": None}})
                await api.delete(TrainingJob, KEY)
            manager = Manager(kinds=[TrainingJob], cluster=cluster)
            setup(manager, settings)
            async with manager:
                await api.create(TrainingJob, manifest(tiny, facts), namespace=KEY.namespace)
                status = await ended(api)

    assert status.phase == "Succeeded", status
    assert status.validation.passed
    assert 0 < status.validation.loss < 5.5
    assert 0 <= status.validation.exact_match <= status.validation.accuracy
    told = Conditions.of(status.conditions).get("Validated").message
    assert "at most 5.5 was asked for" in told
    assert [(one.name, one.outcome, one.reason) for one in status.gate.checks] == [
        ("robust", "Skipped", "NotApplicable"),
        ("signed", "Passed", "Signed"),
    ]

    folder = tmp_path / "models" / "answers" / "1"
    described = json.loads((folder / "model.json").read_text())
    assert (described["format"], described["file"]) == ("peft", LISTING)
    assert described["sha256"] == status.model.sha256 == sha256_of((folder / LISTING).read_bytes())
    assert sorted(files_of(folder)) == ["adapter/adapter_config.json", "adapter/adapter_model.safetensors"]
    page = Path(status.model.card.removeprefix("file://")).read_text()
    assert "perplexity" in page
    assert f"| SHA-256 | {status.model.sha256} |" in page
    assert read_description(folder).format == "peft"
    if kind == "embedded":
        names = carried_out(read, base=("/models/llama", tiny / "llama"), adapter=("models/answers/1", folder))
        assert names["answer"].startswith("<s>### Instruction:\nwhich city is on crete?")
        assert len(names["answer"]) > len("<s>### Instruction:\nwhich city is on crete?\n\n### Response:\n")
