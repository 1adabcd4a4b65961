"""Operators of installed packages, and what is said of one that breaks."""

from importlib.metadata import EntryPoint

import click
import pytest

from windlass.cli import operators
from windlass.cli.operators import GROUP, Operator, installed, named
from windlass.controller import Manager


@pytest.fixture
def announce(monkeypatch):
    """Make packages announce these operators."""

    def announced(**values):
        points = [EntryPoint(name, value, GROUP) for name, value in values.items()]
        monkeypatch.setattr(operators, "entry_points", lambda *, group: points if group == GROUP else [])

    return announced


def test_what_packages_announce_is_found_by_its_name(announce):
    announce(greeter="json:loads")
    (found,) = installed()

    assert (found.name, found.setup.__name__) == ("'greeter' (json:loads)", "loads")


@pytest.mark.parametrize("value", ["no_such_module:setup", "json:nothing"])
def test_one_that_cannot_be_imported_is_named_with_its_package(announce, value):
    announce(greeter=value)
    with pytest.raises(click.UsageError, match=rf"the operator 'greeter' \({value}\) cannot be imported: "):
        installed()


def test_the_place_of_a_mistake_is_told():
    def broken(manager):
        raise RuntimeError("the moon is not right")

    line = broken.__code__.co_firstlineno + 1
    with pytest.raises(click.UsageError) as caught:
        Operator("moon", broken).add_to(Manager())
    assert caught.value.message == (
        f"the operator moon cannot be set up: RuntimeError: the moon is not right (test_operators.py, line {line})"
    )


def test_a_function_that_tells_nothing_of_its_parameters_is_believed():
    assert named("builtins:print").setup is print
