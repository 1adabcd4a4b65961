from click.testing import CliRunner

from windlass.cli.diagram import command
from windlass.operators.training.phases import MACHINE
from windlass.statemachine import mermaid


def test_without_an_argument_it_draws_the_life_of_a_training_job():
    drawn = CliRunner().invoke(command, [])

    assert (drawn.exit_code, drawn.output) == (0, mermaid(MACHINE))


def test_any_machine_can_be_drawn():
    drawn = CliRunner().invoke(command, ["windlass.operators.training.phases:MACHINE"])

    assert "stateDiagram" in drawn.output


def test_what_is_no_machine_is_refused():
    refused = CliRunner().invoke(command, ["json:loads"])

    assert refused.exit_code == 2
    assert "json:loads is not a Machine" in refused.output
