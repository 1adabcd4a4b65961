"""Machines side by side: one event, every machine that knows it, all or nothing."""

import pytest

from windlass.statemachine import IllegalTransition, InvalidMachine, Machine
from windlass.statemachine.guards import BOOLEAN, when
from windlass.statemachine.regions import Regions

LIGHT = Machine("light", initial="Off", transitions=(("Off", "on", "On"), ("On", "off", "Off")))
MOTOR = Machine(
    "motor",
    initial="Rest",
    transitions=(("Rest", "on", "Spin", when(free=True), ("brake off",)), ("Spin", "off", "Rest", when(), ("brake",)),
                 ("Spin", "wear", "Broken")),
    final=("Broken",),
    facts={"free": BOOLEAN},
)  # fmt: skip
MILL = Regions("mill", (LIGHT, MOTOR))


def test_an_event_moves_every_machine_that_knows_it_and_brings_all_effects():
    assert MILL.step(MILL.initial, "on", {"free": True}) == (("On", "Spin"), ("brake off",))
    assert MILL.step(("On", "Spin"), "wear") == (("On", "Broken"), ())
    assert MILL.step(("On", "Broken"), "off") == (("Off", "Broken"), ())
    assert MILL.events(("On", "Spin")) == ("off", "wear")


def test_an_event_that_one_machine_cannot_take_moves_none():
    with pytest.raises(IllegalTransition, match=r"motor: .* not allowed in state 'Rest' while free=False"):
        MILL.step(("Off", "Rest"), "on", {"free": False})


def test_an_event_that_no_machine_knows_is_illegal():
    with pytest.raises(IllegalTransition, match=r"mill: .* not allowed in 'Off', 'Rest'; allowed: 'on'"):
        MILL.step(("Off", "Rest"), "wear")


def test_the_whole_has_ended_when_every_part_has():
    stone = Machine("stone", initial="Lying", transitions=(), final=("Lying",))
    both = Regions("both", (stone, MOTOR))

    assert both.is_final(("Lying", "Broken"))
    assert not both.is_final(("Lying", "Spin"))
    assert not MILL.is_final(("Off", "Broken"))


@pytest.mark.parametrize("machines", [(LIGHT,), (LIGHT, LIGHT)])
def test_fewer_than_two_machines_or_two_of_one_name_are_refused(machines):
    with pytest.raises(InvalidMachine, match="regions 'odd': expected at least two machines of different names"):
        Regions("odd", machines)


def test_a_state_of_another_shape_is_refused():
    with pytest.raises(IllegalTransition, match="mill: expected a state for each of 2 machines, found 'Off'"):
        MILL.step(("Off",), "on")
