"""Machines side by side: an event goes to every one that allows it, and is illegal only if none does.

The state of the whole is one state for each. This module does not know what the machines have to do with each other:
nothing, or they would be one machine.
"""

from collections.abc import Iterable

import attrs

from windlass.statemachine.errors import IllegalTransition, InvalidMachine
from windlass.statemachine.guards import Facts
from windlass.statemachine.machine import Machine
from windlass.statemachine.rules import listed

__all__ = ("Regions",)


def _machines(machines: Iterable[Machine]) -> tuple[Machine, ...]:
    return tuple(machines)


@attrs.frozen(repr=False)
class Regions:
    """Several machines that run at the same time on the same events.

    Raises `InvalidMachine` for fewer than two, or two of one name.
    """

    name: str
    machines: tuple[Machine, ...] = attrs.field(converter=_machines)

    def __attrs_post_init__(self) -> None:
        names = [machine.name for machine in self.machines]
        if len(names) < 2 or len(set(names)) != len(names):
            raise InvalidMachine(f"regions {self.name!r}: expected at least two machines of different names, "
                                 f"found {listed(names) or 'none'}")  # fmt: skip

    @property
    def initial(self) -> tuple[str, ...]:
        """The initial state of each."""
        return tuple(machine.initial for machine in self.machines)

    def events(self, state: tuple[str, ...]) -> tuple[str, ...]:
        """Every event with a row in one of the states, once each, in the order of the machines."""
        found = (event for machine, one in self._each(state) for event in machine.events(one))
        return tuple(dict.fromkeys(found))

    def step(
        self, state: tuple[str, ...], event: str, facts: Facts | None = None
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The next states and all effects, in the order of the machines.

        Raises `IllegalTransition` if no machine has a row for the event. A machine that has one but cannot take it,
        for a guard or a fact, refuses for all: nothing happens by halves.
        """
        pairs = self._each(state)
        if all(event not in machine.events(one) for machine, one in pairs):
            raise IllegalTransition(f"{self.name}: the event {event!r} is not allowed in {listed(state)}; "
                                    f"allowed: {listed(self.events(state))}")  # fmt: skip
        states: list[str] = []
        effects: list[str] = []
        for machine, one in pairs:
            if event in machine.events(one):
                taken = machine.step(one, event, facts)
                states.append(taken.state)
                effects.extend(taken.effects)
            else:
                states.append(one)
        return tuple(states), tuple(effects)

    def is_final(self, state: tuple[str, ...]) -> bool:
        """Whether every machine has come to its end."""
        return all(machine.is_final(one) for machine, one in self._each(state))

    def __repr__(self) -> str:
        return f"<Regions {self.name} {' | '.join(machine.name for machine in self.machines)}>"

    def _each(self, state: tuple[str, ...]) -> tuple[tuple[Machine, str], ...]:
        if len(state) != len(self.machines):
            raise IllegalTransition(f"{self.name}: expected a state for each of {len(self.machines)} machines, "
                                    f"found {listed(state) or 'none'}")  # fmt: skip
        return tuple(zip(self.machines, state, strict=True))
