"""Explores every order of what can happen to an object whose phase follows a table; the phases that were reached.

`from phase_models import Phases, honest_journal`.
"""

import functools
from collections.abc import Callable

import attrs

from windlass.statemachine.forensics import examine
from windlass.statemachine.journal import Entry
from windlass.statemachine.modelcheck import Invariant, explore, invariants

__all__ = ("Phases", "honest_journal")

_FIELDS = {field.name for field in attrs.fields(Entry)}


@attrs.frozen
class Phases:
    """The table, and the phase of a record as the operator derives it."""

    machine: object
    of: Callable

    def reached(self, name, setting, held):
        """Explore the setting to its end; `held` are conditions by name, beside those of the table itself.

        Raises with the shortest way to a fault if one does not hold, or if some way leads to no end.
        """
        model = setting.model(
            name,
            invariants=(
                *invariants(self.machine, lambda world: self.of(world.record)),
                *(Invariant(said, broken) for said, broken in held.items()),
            ),
            finished=lambda world: self.machine.is_final(self.of(world.record)),
        )
        report = explore(model).require()
        return {self.of(world.record) for world in report.reached}


def honest_journal(machine):
    """The condition that the object's own journal has no fault in any state that can be reached."""

    @functools.cache
    def fault_in(journal):
        told = ({name: value for name, value in attrs.asdict(one).items() if name in _FIELDS} for one in journal)
        found = examine(machine, [Entry(**one) for one in told])
        # All are of one version in a model.
        return next((str(one) for one in found if one.kind != "lost update"), None)

    return lambda before, after: fault_in(after.record.status.journal)
