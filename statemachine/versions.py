"""A state that an older program wrote is brought to the present table step by step, or refused, but never guessed.

This module does not know where the number of the version is kept; beside the state, if the table may ever change.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import attrs

from windlass.statemachine.errors import IllegalTransition, InvalidMachine
from windlass.statemachine.machine import Machine
from windlass.statemachine.rules import listed

__all__ = ("Versions",)


def _machines(machines: Iterable[Machine]) -> tuple[Machine, ...]:
    return tuple(machines)


def _migrations(migrations: Iterable[Mapping[str, str]]) -> tuple[tuple[tuple[str, str], ...], ...]:
    return tuple(tuple(dict(migration).items()) for migration in migrations)


@attrs.frozen(repr=False)
class Versions:
    """A machine through its versions, numbered from 1.

    `migrations[n - 1]` names states of version n and what they are called in version n + 1; a state that it does not
    name keeps its name.

    Raises `InvalidMachine`, which names every fault: a state that nothing leads on from, a name that one of the two
    tables does not have, or a final state that would come to life again.
    """

    machines: tuple[Machine, ...] = attrs.field(converter=_machines)
    migrations: tuple[tuple[tuple[str, str], ...], ...] = attrs.field(default=(), converter=_migrations)

    def __attrs_post_init__(self) -> None:
        if len(self.machines) != len(self.migrations) + 1:
            raise InvalidMachine(
                f"versions: expected one migration between any two of {len(self.machines)} machines, "
                f"found {len(self.migrations)}"
            )
        if problems := list(self._faults()):
            raise InvalidMachine(f"versions of {self.current.name!r}: {'; '.join(problems)}")

    @property
    def current(self) -> Machine:
        """The newest table."""
        return self.machines[-1]

    @property
    def version(self) -> int:
        """The number of the newest table."""
        return len(self.machines)

    def migrate(self, state: str, version: int) -> str:
        """What a state written under `version` is called today.

        Raises `IllegalTransition` for a version there never was, or that is newer than this program, and for a state
        which that version did not have.
        """
        if not 1 <= version <= self.version:
            raise IllegalTransition(
                f"{self.current.name}: the state {state!r} is of version {version}; known versions: 1 to {self.version}"
            )
        if state not in self.machines[version - 1].states:
            known = listed(self.machines[version - 1].states)
            raise IllegalTransition(
                f"{self.current.name}: the state {state!r} is unknown in version {version}; known states: {known}"
            )
        for migration in self.migrations[version - 1 :]:
            state = dict(migration).get(state, state)
        return state

    def __repr__(self) -> str:
        return f"<Versions {self.current.name} version={self.version}>"

    def _faults(self) -> Iterator[str]:
        for number, ((old, new), pairs) in enumerate(zip(pairwise(self.machines), self.migrations, strict=True), 1):
            renamed = dict(pairs)
            where = f"from {number} to {number + 1}"
            for state in renamed:
                if state not in old.states:
                    yield f"{where}: {state!r} is no state of version {number}"
            for state in old.states:
                target = renamed.get(state, state)
                if target not in new.states:
                    yield f"{where}: {state!r} becomes {target!r}, which is no state of version {number + 1}"
                elif old.is_final(state) and not new.is_final(target):
                    yield f"{where}: the final state {state!r} becomes {target!r}, which is not final"
