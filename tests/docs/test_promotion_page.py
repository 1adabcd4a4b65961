"""The page on promotions shows the table that runs, and what its program prints."""

import re
from pathlib import Path

import pytest
from programs import run

from windlass.operators.promotion.phases import MACHINE
from windlass.operators.promotion.types import Promotion
from windlass.statemachine.svg import svg

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "how-to" / "promote.md").read_text("utf-8")


def test_the_picture_is_drawn_from_the_table():
    """`windlass diagram windlass.operators.promotion.phases:MACHINE --format svg` draws it anew."""
    assert (DOCS / "explanation" / "images" / "promotion.svg").read_text("utf-8") == svg(MACHINE)


def test_the_phases_that_are_left_are_on_the_page_in_their_order():
    table = PAGE.split("| phase | left when |")[1].split("\n\n")[0]
    shown = re.findall(r"^\| (\w+) \|", table, re.MULTILINE)

    assert shown == ["Pending", "Shifting", "Holding", "Paused", "Promoting", "RollingBack"]
    assert set(shown) == {state for state in MACHINE.states if not MACHINE.is_final(state)}


@pytest.mark.realtime
async def test_the_program_prints_what_the_page_shows(tmp_path):
    ended = await run(str(DOCS / "how-to" / "promote.py"), cwd=tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL) == [ended.out]


def test_the_manifest_on_the_page_is_a_promotion():
    import yaml

    from windlass.informers.typed import structure

    text = re.findall(r"```yaml\n(apiVersion.*?)```", PAGE, re.DOTALL)[0].replace("5d5d…", "5d" * 32)
    found = structure(yaml.safe_load(text.replace("e0e0…", "e0" * 32)), Promotion)

    assert [step.weight for step in found.spec.steps] == [10, 50]
