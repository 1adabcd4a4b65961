"""The page of the trainers lists every hyperparameter with its default and bounds, and none that there is not."""

import re
from pathlib import Path

import pytest

from windlass.operators.training.executors import llm, mlp, softmax

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "trainers.md"
SECTION = re.compile(r"^## `([a-z-]+)`.*?\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `(\w+)` \| (\S+) \| (.+) \|$", re.MULTILINE)
TRAINERS = {"softmax": softmax.PARAMETERS, "mlp": mlp.PARAMETERS, "llm-finetune": llm.PARAMETERS}


def sections():
    return {name: ROW.findall(text) for name, text in SECTION.findall(PAGE.read_text())}


def test_every_trainer_has_its_section():
    assert list(TRAINERS) == list(sections())


@pytest.mark.parametrize("name", list(TRAINERS))
def test_each_row_is_what_the_executor_expects(name):
    expected = [(one.name, f"{one.default:g}", one.describe()) for one in TRAINERS[name]]

    assert expected == sections()[name]
