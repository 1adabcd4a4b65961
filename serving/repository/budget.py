"""Room for a model is made by giving up those that were not asked for the longest, or not at all.

Pure. Sizes are in bytes; `used` is on any clock.
"""

from collections.abc import Iterable

import attrs

__all__ = ("Resident", "evictions")


@attrs.frozen
class Resident:
    """A version in memory. A `fixed` one is counted and never given up."""

    name: str
    version: int
    size: int
    used: float = 0.0
    fixed: bool = False


def evictions(residents: Iterable[Resident], *, needed: int, limit: int) -> tuple[Resident, ...] | None:
    """Those to give up so that `needed` more bytes fit into `limit`, least recently used first.

    Empty when there is room already; None when giving up all that may be given up is not enough, in which case nothing
    is to be given up.
    """
    everything = list(residents)
    over = sum(one.size for one in everything) + needed - limit
    chosen: list[Resident] = []
    for one in sorted(everything, key=lambda one: (one.used, one.name, one.version)):
        if over <= 0:
            break
        if not one.fixed and one.size > 0:
            chosen.append(one)
            over -= one.size
    return tuple(chosen) if over <= 0 else None
