import json
import re
from datetime import UTC, datetime
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from windlass.cli.diagram import command
from windlass.operators.training.phases import MACHINE
from windlass.statemachine import mermaid
from windlass.statemachine.diagram import graphviz
from windlass.statemachine.journal import Entry, to_json
from windlass.statemachine.svg import svg

WAY = ("Pending", "VerifyingData", "Queued", "Failed")


def test_without_an_argument_it_draws_the_life_of_a_training_job():
    drawn = CliRunner().invoke(command, [])

    assert (drawn.exit_code, drawn.output) == (0, mermaid(MACHINE))


def test_any_machine_can_be_drawn():
    drawn = CliRunner().invoke(command, ["windlass.informers.phases:REFLECTOR"])

    assert "stateDiagram" in drawn.output


def test_what_is_no_machine_is_refused():
    refused = CliRunner().invoke(command, ["json:loads"])

    assert refused.exit_code == 2
    assert "json:loads is not a Machine" in refused.output


@pytest.mark.parametrize(("name", "draw"), [("mermaid", mermaid), ("graphviz", graphviz), ("svg", svg)])
def test_every_format_can_show_the_way_of_an_object(name, draw, tmp_path):
    journal(tmp_path, "default/a")
    drawn = CliRunner().invoke(command, ["--format", name, "--journal", str(tmp_path / "j")])

    assert (drawn.exit_code, drawn.output) == (0, draw(MACHINE, path=WAY))
    assert drawn.output != draw(MACHINE)


def journal(folder, *keys, generation=1):
    with (folder / "j").open("a") as file:
        for key in keys:
            for before, after in pairwise(WAY):
                entry = Entry(
                    at=datetime(2026, 8, 1, tzinfo=UTC), source=before, target=after, subject=f"TrainingJob {key}",
                    generation=generation,
                )  # fmt: skip
                file.write(json.dumps(to_json(entry)) + "\n")


def test_of_several_objects_one_has_to_be_named(tmp_path):
    journal(tmp_path, "default/a", "default/b")

    refused = CliRunner().invoke(command, ["--journal", str(tmp_path / "j")])
    assert refused.exit_code == 2
    assert "tells of default/a, default/b: name one with --only" in re.sub(r"\s+", " ", refused.output)
    named = CliRunner().invoke(command, ["--journal", str(tmp_path / "j"), "--only", "default/b"])
    assert named.output == mermaid(MACHINE, path=WAY)


def test_the_way_is_that_of_the_last_life(tmp_path):
    journal(tmp_path, "default/a")
    journal(tmp_path, "default/a", generation=2)

    drawn = CliRunner().invoke(command, ["--journal", str(tmp_path / "j"), "--format", "svg"])
    assert drawn.output == svg(MACHINE, path=WAY)
    ET.fromstring(drawn.output)


def test_a_journal_of_another_machine_is_one_error(tmp_path):
    journal(tmp_path, "default/a")

    refused = CliRunner().invoke(command, ["windlass.informers.phases:REFLECTOR", "--journal", str(tmp_path / "j")])
    assert refused.exit_code == 2
    assert "tells of Failed, Pending, Queued, VerifyingData, which the machine" in re.sub(
        r"[\s│]+", " ", refused.output
    )
