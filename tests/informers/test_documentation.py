"""The page about informers shows the table that runs."""

import re
from pathlib import Path

from windlass.informers.phases import REFLECTOR
from windlass.statemachine.diagram import mermaid

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "informers.md"


def test_the_diagram_is_drawn_from_the_reflectors_table():
    drawn = re.findall(r"```mermaid\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)

    assert drawn == [mermaid(REFLECTOR)]


def test_every_phase_and_event_is_in_the_drawing():
    text = PAGE.read_text("utf-8")

    assert all(f'"{state}"' in text for state in REFLECTOR.states)
    assert all(row.event in text for row in REFLECTOR.transitions)
