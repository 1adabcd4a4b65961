"""Levels are ordered from the broadest to the narrowest, and a domain is the nodes with one value of a level's label.

A node without the label is in no domain of that level. This module does not know what is placed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from windlass.operators.training.hardware.machines import Machine
from windlass.operators.training.hardware.types import TopologySpec

__all__ = ("LEVELS", "Level", "Levels", "domains")


@attrs.frozen
class Level:
    """A level of the topology, by the word that users say and the label that nodes bear."""

    word: str
    label: str


@attrs.frozen
class Levels:
    """The levels that a cluster has, the broadest first. The labels of block and rack are those of Kueue's examples."""

    known: tuple[Level, ...] = (
        Level("region", "topology.kubernetes.io/region"),
        Level("zone", "topology.kubernetes.io/zone"),
        Level("block", "cloud.provider.com/topology-block"),
        Level("rack", "cloud.provider.com/topology-rack"),
        Level("clique", "nvidia.com/gpu.clique"),
        Level("host", "kubernetes.io/hostname"),
    )

    def tried(self, wanted: TopologySpec | None) -> tuple[Level | None, ...]:
        """The levels to try, one after the other; None is the whole cluster (C3)."""
        if wanted is None:
            return (None,)
        if wanted.required is not None:
            return (self._level(wanted.required),)
        if wanted.preferred is None:  # a server without CEL takes that, too
            return (None,)
        level = self._level(wanted.preferred)
        broader = self.known[: self.known.index(level)] if level in self.known else ()
        return (level, *reversed(broader), None)

    def _level(self, word: str) -> Level:
        return next((one for one in self.known if word in (one.word, one.label)), Level(word, word))


LEVELS: Final = Levels()


def domains(machines: Iterable[Machine], level: Level | None) -> Mapping[str, Sequence[Machine]]:
    """The machines by the level's value, sorted; the whole cluster is one domain without a name."""
    found: dict[str, list[Machine]] = {}
    for machine in machines:
        value = "" if level is None else machine.labels.get(level.label)
        if value is not None:
            found.setdefault(value, []).append(machine)
    return dict(sorted(found.items()))
