"""The pages of the reference that follow from the code say what the code says."""

import importlib
import runpy
import sys
from pathlib import Path

import pytest

from windlass import controller

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
ROOMS = sorted(path.stem for path in (REFERENCE / "library").glob("*.md"))


def test_every_room_has_a_page(generate):
    assert sorted(generate["ROOMS"]) == ROOMS


@pytest.fixture
def generate(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    return runpy.run_path(str(REFERENCE / "generate.py"), run_name="generate")


def test_the_pages_are_what_the_code_says(generate, capsys):
    assert generate["main"]() == 0, capsys.readouterr().out


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_has_an_entry_that_says_something(room):
    page = (REFERENCE / "library" / f"{room}.md").read_text()
    entries = {
        entry.split("`")[1].partition("(")[0]: entry.partition("\n")[2].strip() for entry in page.split("\n### ")[1:]
    }

    assert sorted(entries) == sorted(importlib.import_module(f"windlass.{room}").__all__)
    assert [name for name, text in entries.items() if not text] == []


def test_a_page_that_differs_is_named(generate, capsys, monkeypatch):
    monkeypatch.setattr(controller.Context.fencing_token.fget, "__doc__", "Something else.")

    assert generate["main"]() == 1
    assert capsys.readouterr().out.startswith("docs/reference/library/controller.md is not what the code says")
