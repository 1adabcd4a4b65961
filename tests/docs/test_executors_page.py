"""The pages on executors list every option as the code has it, and the program on them prints what they show."""

import re
from pathlib import Path

import pytest
import yaml
from programs import run

from windlass.informers.typed import structure
from windlass.operators.training.executors import pytorchjob, rayjob, trainjob
from windlass.operators.training.types import TrainingJob

DOCS = Path(__file__).resolve().parents[2] / "docs"
REFERENCE = (DOCS / "reference" / "executors.md").read_text("utf-8")
PAGE = (DOCS / "how-to" / "kubeflow-ray.md").read_text("utf-8")
EXECUTORS = {"trainjob": trainjob, "pytorchjob": pytorchjob, "rayjob": rayjob}
SECTION = re.compile(r"^### `([a-z-]+)`\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `(\w+)` \| (\S+) \| (.+) \|$", re.MULTILINE)


def sections():
    return {name: ROW.findall(text.replace("\\|", "|")) for name, text in SECTION.findall(REFERENCE)}


def test_every_executor_with_options_has_its_section():
    assert list(sections()) == list(EXECUTORS)


@pytest.mark.parametrize("name", list(EXECUTORS))
def test_each_row_is_what_the_executor_expects(name):
    expected = [(one.name, str(one.default or "none"), one.describe()) for one in EXECUTORS[name]._OPTIONS]

    assert sections()[name] == expected


def test_the_manifest_on_the_page_is_a_job_that_its_executor_accepts():
    whole, queued = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
    for workload in (whole["spec"]["workload"], queued["workload"]):
        found = structure({**whole, "spec": {**whole["spec"], "workload": workload}}, TrainingJob)

        assert found.spec.executor == "trainjob"
        trainjob.TRAINJOB.check(found.spec)


@pytest.mark.realtime(limit=120)
async def test_the_program_prints_what_the_page_shows(tmp_path):
    ended = await run(str(DOCS / "how-to" / "kubeflow_ray.py"), cwd=tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL) == [ended.out]
