"""Every table of ours is looked at completely: all of its states, and each of its rows."""

import importlib
import pkgutil

import pytest

from windlass.statemachine import Machine, explore, table_model
from windlass.statemachine.modelcheck import Model

PACKAGES = ("statemachine", "informers", "manifests", "controller", "serving", "envtest", "operators", "cli")


def machines():
    """By the module that defines it: each Machine that any module of ours has."""
    found = {}
    for package in PACKAGES:
        root = importlib.import_module(f"windlass.{package}")
        for module in pkgutil.walk_packages(root.__path__, f"windlass.{package}."):
            if module.name.rpartition(".")[2].startswith("_"):
                continue
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, Machine):
                    found.setdefault(id(value), pytest.param(value, id=value.name))
    return list(found.values())


def test_the_tables_that_there_are_were_found():
    assert {one.id for one in machines()} >= {"reflector", "TrainingJob"}


@pytest.mark.parametrize("machine", machines())
def test_every_state_of_the_table_is_reached_and_everything_it_says_of_itself_holds(machine):
    report = explore(table_model(machine)).require()

    assert report.reached == set(machine.states)


@pytest.mark.parametrize("machine", machines())
def test_every_row_of_the_table_is_taken(machine):
    model = table_model(machine)
    taken = set()

    def moves(state):
        for event, after in model.moves(state):
            taken.add((state, event, after))
            yield event, after

    explore(Model(machine.name, model.initial, moves)).require()
    assert taken == {(row.source, row.event, row.target) for row in machine.rows}
