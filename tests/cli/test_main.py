import sys

import click
import pytest

from windlass.cli import main as program
from windlass.controller.errors import ManagerError
from windlass.informers.errors import ConfigError


def exit_of(error, capsys, monkeypatch):
    """The exit code and the words on stderr when a command raises `error`."""

    def raising(**_):
        raise error

    monkeypatch.setattr(program.windlass, "main", raising)
    return exit_code(capsys)


def exit_code(capsys):
    with pytest.raises(SystemExit) as caught:
        program.main()
    return caught.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ManagerError("the server is away"), 1, "windlass: the server is away\n"),
        (ConfigError("a: bad\n  line 1,\n  column 2"), 1, "windlass: a: bad line 1, column 2\n"),
        (click.ClickException("no"), 1, "windlass: no\n"),
        (click.UsageError("nothing to run"), 2, "windlass: nothing to run\n"),
        (click.BadParameter("7", param_hint="--x"), 2, "windlass: Invalid value for --x: 7\n"),
        (PermissionError(13, "Permission denied", "/etc/x"), 1, "windlass: /etc/x: Permission denied\n"),
        (OSError("no space"), 1, "windlass: no space\n"),
        (click.Abort(), 130, ""),
        (KeyboardInterrupt(), 130, ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_what_was_foreseen_is_one_line_and_an_exit_code(error, code, says, capsys, monkeypatch):
    assert exit_of(error, capsys, monkeypatch) == (code, says)


def test_what_was_not_foreseen_keeps_its_traceback(capsys, monkeypatch):
    """It is a bug of ours, and whoever reports it needs to say where."""
    with pytest.raises(ZeroDivisionError):
        exit_of(ZeroDivisionError(), capsys, monkeypatch)


@pytest.mark.parametrize(("returned", "code"), [(0, 0), (1, 1), (None, 0)])
def test_a_command_decides_its_exit_code(returned, code, capsys, monkeypatch):
    monkeypatch.setattr(program.windlass, "main", lambda **_: returned)

    assert exit_code(capsys) == (code, "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "windlass: No such command 'nonsense'. (see windlass --help)\n"),
        (["up", "--port", "x"], "(see windlass up --help)\n"),
        (["crd"], "windlass: Missing command. (see windlass crd --help)\n"),
        (["envtest"], "windlass: Missing command. (see windlass envtest --help)\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_line_that_says_where_help_is(arguments, says, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["windlass", *arguments])
    code, err = exit_code(capsys)

    assert code == 2
    assert err.endswith(says)
    assert err.count("\n") == 1


def test_without_arguments_it_shows_what_there_is(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["windlass"])
    with pytest.raises(SystemExit) as caught:
        program.main()

    shown = capsys.readouterr().out
    assert caught.value.code == 0
    assert all(f"  {name} " in shown for name in program.windlass.list_commands(None))


@pytest.mark.parametrize("name", program.windlass.list_commands(None))
def test_every_command_is_there_and_explains_itself(name):
    command = program.windlass.get_command(None, name)

    assert command is not None
    assert command.help
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert [one.name for one in options if not one.help] == []
