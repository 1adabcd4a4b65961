"""Pictures, traces and reports on the pages are those that the code makes."""

import re
import runpy
from pathlib import Path

import pytest
from click.testing import CliRunner
from journal_example import lines

from windlass.cli.journal import command
from windlass.informers.phases import REFLECTOR
from windlass.operators.training.phases import MACHINE
from windlass.statemachine.svg import svg

DOCS = Path(__file__).resolve().parents[2] / "docs"
ORDERS = DOCS / "explanation" / "orders.py"
RESUMED = (
    *("Pending", "VerifyingData", "Queued", "Running", "Running"),
    *("Validating", "Publishing", "Carding", "Succeeded"),
)


def shown(page):
    return re.findall(r"```text\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)


def test_the_trace_on_the_page_is_what_the_program_prints(capsys):
    runpy.run_path(str(ORDERS), run_name="__main__")

    assert shown("explanation/statemachine.md") == [capsys.readouterr().out]


@pytest.mark.parametrize(
    ("name", "machine", "path"),
    [
        ("order", None, ()),
        ("reflector", REFLECTOR, ()),
        ("trainingjob", MACHINE, ()),
        ("trainingjob-resumed", MACHINE, RESUMED),
        ("trainingjob-failed", MACHINE, ("Pending", "VerifyingData", "Queued", "Running", "Running", "Failed")),
    ],
)
def test_the_pictures_are_drawn_from_the_tables(name, machine, path):
    """`windlass diagram MODULE:MACHINE --format svg` draws them anew."""
    machine = machine or runpy.run_path(str(ORDERS))["ORDER"]

    assert (DOCS / "explanation" / "images" / f"{name}.svg").read_text("utf-8") == svg(machine, path=path)


def test_the_report_on_the_page_is_what_the_command_prints(tmp_path):
    (tmp_path / "journal.jsonl").write_text(lines())
    told = CliRunner().invoke(command, ["explain", str(tmp_path / "journal.jsonl")], standalone_mode=False)

    assert told.return_value == 1
    assert shown("how-to/journal.md") == [told.output]
