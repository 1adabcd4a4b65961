"""A controller is right only if it is right whatever its cache shows it, and wherever it dies.

The world of one object: the API server's record with every version it ever had, programs that write it, and what lies
outside (a trainer, a disk). A program is shown some version and decides at once; its effects then happen one at a time,
and between any two of them the other programs, the environment and crashes come in. Which versions a program can be
shown:

- any that is not older than its last one: caches repeat, skip and lag, but do not go back by themselves;
- an older one, as after a relist at a slow server: each costs one of `stale`;
- after a crash only the newest for free: it starts with a list.

A write is conditional on the version that it was computed from, and then refused if the record has moved on, or blind.
The bounds (`crashes`, `stale`, `versions`) make the world finite. This module does not know what a record contains.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import attrs

from windlass.statemachine.modelcheck import Invariant, Model

__all__ = ("Act", "Bounds", "Effect", "Merge", "Program", "Put", "Setting", "World")

# Whatever the user's programs understand, as long as it is immutable and hashable.
Record: TypeAlias = Any
Outside: TypeAlias = Any


@attrs.frozen(cache_hash=True)
class Put:
    """Make this the record. `conditional`: only if it is still the version that the decision was made on."""

    record: Record
    conditional: bool = True


@attrs.frozen
class Merge:
    """Change the record as it is when the request arrives, as a patch without a version does. Equal by its name."""

    name: str
    change: Callable[[Record], Record] = attrs.field(eq=False)


@attrs.frozen
class Act:
    """Do something outside: `change` makes the outside what it is afterwards. Equal by its name."""

    name: str
    change: Callable[[Outside], Outside] = attrs.field(eq=False)


Effect: TypeAlias = Put | Merge | Act


@attrs.frozen
class Program:
    """Something that watches the record and writes it: `decide(seen record, outside)` gives effects, in order.

    Level-triggered: it remembers nothing between two decisions.
    """

    name: str
    decide: Callable[[Record, Outside], tuple[Effect, ...]]


@attrs.frozen
class Bounds:
    """How much may go wrong in all: crashes amid effects, stale deliveries; and how many versions there can be."""

    crashes: int = 1
    stale: int = 1
    versions: int = 10


@attrs.frozen(cache_hash=True)
class _Running:
    """A program: the version it was last shown (-1: it is new), and what of its last decision is still to be done."""

    seen: int = -1
    plan: tuple[Effect, ...] = ()


@attrs.frozen(cache_hash=True)
class World:
    """Everything at one moment. `history` holds the record's versions, the newest last."""

    history: tuple[Record, ...]
    outside: Outside
    running: tuple[_Running, ...]
    crashes: int = 0
    stale: int = 0

    @property
    def record(self) -> Record:
        """The record as it is."""
        return self.history[-1]

    def __str__(self) -> str:
        outside = "" if self.outside is None else f"  outside: {self.outside}"
        return f"v{len(self.history) - 1} {self.record}{outside}"


@attrs.frozen(kw_only=True)
class Setting:
    """Programs at work on one object that begins as `record`, with `outside` around it.

    `environment` gives what others may do to the record and outside, as (label, record, outside).
    """

    programs: tuple[Program, ...]
    record: Record
    outside: Outside = None
    bounds: Bounds = Bounds()
    environment: Callable[[Record, Outside], Iterable[tuple[str, Record, Outside]]] | None = None

    def model(
        self,
        name: str,
        *,
        invariants: tuple[Invariant[World], ...] = (),
        finished: Callable[[World], bool] | None = None,
    ) -> Model[World]:
        """What can happen, to be explored."""
        start = World((self.record,), self.outside, tuple(_Running() for _ in self.programs))
        return Model(name, (start,), self.moves, invariants, finished)

    def moves(self, world: World) -> Iterator[tuple[str, World]]:
        """Everything that can happen next, with its label."""
        if self.environment is not None:
            for label, record, outside in self.environment(world.record, world.outside):
                yield from self._written(attrs.evolve(world, outside=outside), record, label)
        for index, program in enumerate(self.programs):
            running = world.running[index]
            if running.plan:
                yield from self._perform(world, index, program)
                if world.crashes < self.bounds.crashes:
                    crashed = _with(world, index, _Running())
                    yield f"{program.name} crashes", attrs.evolve(crashed, crashes=world.crashes + 1)
            else:
                yield from self._deliver(world, index, program)

    def _deliver(self, world: World, index: int, program: Program) -> Iterator[tuple[str, World]]:
        newest, seen = len(world.history) - 1, world.running[index].seen
        for version in range(newest, -1, -1):
            stale = version < (newest if seen < 0 else seen)
            if stale and world.stale == self.bounds.stale:
                break
            plan = program.decide(world.history[version], world.outside)
            shown = attrs.evolve(_with(world, index, _Running(version, plan)), stale=world.stale + stale)
            how = ", stale" if stale else " again" if version == seen else ""
            yield f"{program.name} sees v{version}{how}", shown

    def _perform(self, world: World, index: int, program: Program) -> Iterator[tuple[str, World]]:
        running = world.running[index]
        effect, rest = running.plan[0], running.plan[1:]
        done = _with(world, index, attrs.evolve(running, plan=rest))
        if isinstance(effect, Act):
            yield f"{program.name} {effect.name}", attrs.evolve(done, outside=effect.change(world.outside))
        elif isinstance(effect, Merge):
            yield from self._written(done, effect.change(world.record), f"{program.name} {effect.name}")
        elif effect.conditional and running.seen != len(world.history) - 1:
            yield f"{program.name} is refused: conflict", _with(world, index, attrs.evolve(running, plan=()))
        else:
            yield from self._written(done, effect.record, f"{program.name} writes")

    def _written(self, world: World, record: Record, label: str) -> Iterator[tuple[str, World]]:
        """An equal record is no new version, as on an API server."""
        if record == world.record:
            yield label, world
        elif len(world.history) <= self.bounds.versions:
            yield label, attrs.evolve(world, history=(*world.history, record))


def _with(world: World, index: int, running: _Running) -> World:
    return attrs.evolve(world, running=(*world.running[:index], running, *world.running[index + 1 :]))
