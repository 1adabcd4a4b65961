"""Nodes and Pods are watched from when a job first asks for hardware, never before, and a change that matters wakes it.

What matters is what a placement stands on: heartbeats do not wake anybody. Wake-ups of one second are gathered into
one. This module does not know what jobs ask for.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

import attrs

from windlass.informers.builtins import Node, Pod
from windlass.informers.cache import Cache
from windlass.informers.informer import Informer
from windlass.informers.keys import Key
from windlass.informers.resources import Resource
from windlass.informers.store import Change, Updated
from windlass.operators.training.hardware.claims import claim_kind, devices_of, loads_of, slice_kind
from windlass.operators.training.hardware.machines import Load, Machine, load_of, machine_of

__all__ = ("Inventory", "Stock", "matters", "take_stock")

_READY_SECONDS: Final = 10.0
_GATHER_SECONDS: Final = 1.0


@attrs.frozen
class Stock:
    """The nodes, and what is taken of them by whom."""

    machines: tuple[Machine, ...]
    loads: tuple[Load, ...]


class Inventory:
    """The stock as the watches see it. `wake` is told of each job that waits, when there may be room for it."""

    def __init__(self, wake: Callable[[Key, str], None]) -> None:
        self._wake = wake
        self._waiting: set[Key] = set()
        self._informers: dict[Resource, Informer] = {}
        self._stock: dict[str, Stock] = {}  # by the version of claims; emptied by every change that matters
        self._changes = 0
        self._gathering = False

    async def stock(self, cache: Cache, claim_version: str = "") -> Stock:
        """The nodes and what is taken; with a version (`v1`), claimed devices, too.

        Raises NotSynced when a kind cannot be read within ten seconds, saying why.
        """
        kinds = [Node, Pod, *((slice_kind(claim_version), claim_kind(claim_version)) if claim_version else ())]
        followed = [self._follow(cache, kind) for kind in kinds]
        for informer in followed:
            await informer.ready(_READY_SECONDS)
        found = self._stock.get(claim_version)
        if found is None:
            seen, contents = self._changes, [[one.raw for one in each.store.list()] for each in followed]
            found = await asyncio.to_thread(take_stock, *contents)  # some microseconds for each of many thousands
            if seen == self._changes:
                self._stock[claim_version] = found
        return found

    def wait(self, key: Key) -> None:
        """Wake this job when there may be room."""
        self._waiting.add(key)

    def forget(self, key: Key) -> None:
        """The job waits no more."""
        self._waiting.discard(key)

    def __repr__(self) -> str:
        kinds = ", ".join(str(one) for one in self._informers) or "nothing yet"
        return f"<Inventory of {kinds}, {len(self._waiting)} waiting>"

    def _follow(self, cache: Cache, kind: Resource) -> Informer:
        informer = self._informers.get(kind)
        if informer is None:
            informer = self._informers[kind] = cache.informer(kind)
            informer.add_handler(self._on_change, name="hardware")
        return informer

    def _on_change(self, change: Change) -> None:
        if not matters(change):
            return
        self._changes += 1
        self._stock.clear()
        if self._waiting and not self._gathering:
            self._gathering = True
            asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._wake_all)

    def _wake_all(self) -> None:
        self._gathering = False
        for key in sorted(self._waiting):
            self._wake(key, "hardware")


def matters(change: Change) -> bool:
    """Whether a placement could come out differently for it."""
    if not isinstance(change, Updated):
        return True
    if change.new.kind == Node.kind:
        return machine_of(change.old.raw) != machine_of(change.new.raw)
    if change.new.kind == Pod.kind:
        return load_of(change.old.raw) != load_of(change.new.raw)
    return True


def take_stock(
    nodes: Iterable[bytes], pods: Iterable[bytes], slices: Iterable[bytes] = (), claims: Iterable[bytes] = ()
) -> Stock:
    """The stock that these objects are."""
    devices = devices_of(slices)
    published: dict[str, Counter[str]] = {}
    for (driver, _, _), node in devices.items():
        published.setdefault(node, Counter())[driver] += 1
    machines = [
        attrs.evolve(one, room={**one.room, **{name: Decimal(n) for name, n in published.get(one.name, {}).items()}})
        for one in map(machine_of, nodes)
    ]
    loads = [load for load in map(load_of, pods) if load is not None]
    return Stock(
        tuple(sorted(machines, key=lambda one: one.name)),
        (*loads, *loads_of(claims, devices)),
    )
