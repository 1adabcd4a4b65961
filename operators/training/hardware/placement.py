"""A placement follows from the wish, the nodes and what is taken of them: equal facts, equal answer, ties by name (C2).

Classes are tried in the order of the spec, and the first that can hold all Pods is taken. Within a class nodes are
filtered, then gangs of like nodes are formed in the narrowest domain that is allowed. The best of them has the fewest
nodes that ask to be left alone, then the fewest devices of other kinds, then the fewest nodes, then the smallest
remainder, and then costs least. What is judged is the very Pod that would be made. This module does not know statuses.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from windlass.operators.training.hardware.answer import Placement, Rejection, Unplaceable
from windlass.operators.training.hardware.eligibility import Candidate, Demand, demand_of, judge
from windlass.operators.training.hardware.machines import Machine, Usage
from windlass.operators.training.hardware.profile import Profile
from windlass.operators.training.hardware.registry import HardwareClass
from windlass.operators.training.hardware.rendering import dress
from windlass.operators.training.hardware.topology import LEVELS, Level, Levels, domains
from windlass.operators.training.hardware.types import DomainStatus, HardwareSpec

__all__ = ("Wish", "place")

_NAMES_MAX: Final = 3  # nodes that a line of the explanation names for one obstacle


@attrs.frozen(kw_only=True)
class Wish:
    """What is wanted: `pods` Pods of one template, in one of the classes.

    `template` is theirs before it is dressed. `profiles` are all that there are, so that a job does not take devices
    which it has no use for. `claim_version` is the version in which the server lets devices be claimed, if it does, and
    `claim` the name of the ResourceClaimTemplate.
    """

    spec: HardwareSpec
    classes: tuple[HardwareClass, ...]
    template: Mapping[str, Any]
    pods: int = 1
    profiles: tuple[Profile, ...] = ()
    claim_version: str = ""
    claim: str = "devices"
    levels: Levels = LEVELS


@attrs.frozen
class _Gang:
    """One way to place all Pods."""

    chosen: tuple[tuple[Candidate, int], ...]
    level: Level | None
    value: str

    def rank(self, device: str | None) -> tuple[Any, ...]:
        """The smaller, the better."""
        # What the Pods take is the same everywhere, so what is free now ranks as what is left then.
        rest = sum((one.free.get(device or "cpu", Decimal(0)) for one, _ in self.chosen), Decimal(0))
        return (
            sum(one.soft for one, _ in self.chosen),
            sum(one.spared for one, _ in self.chosen),
            len(self.chosen),
            rest,
            sum(one.machine.cost for one, _ in self.chosen),
            self.value,
            tuple(one.machine.name for one, _ in self.chosen),
        )


def place(wish: Wish, nodes: Iterable[Machine], usage: Usage) -> Placement | Unplaceable:
    """The first class of the wish that can hold all Pods, or why none can."""
    machines = sorted(nodes, key=lambda one: one.name)
    rejected: list[Rejection] = []
    for of in wish.classes:
        found = _try(wish, of, machines, usage=usage)
        if isinstance(found, Placement):
            return attrs.evolve(found, rejected=tuple(rejected))
        rejected.append(found)
    reasons = list(dict.fromkeys(one.reason for one in rejected))
    # What may pass by itself is told before what will not: the job waits for it.
    hopeful = [one for one in reasons if one not in ("NoCapacity", "ClaimsNotServed")] or reasons
    reason = hopeful[0] if len(hopeful) == 1 else "NoClassFits"
    return Unplaceable(reason, "; ".join(map(str, rejected)), tuple(rejected))


def _try(wish: Wish, of: HardwareClass, machines: Sequence[Machine], *, usage: Usage) -> Placement | Rejection:
    spec, profile = wish.spec, of.profile
    if spec.form == "DRA" and profile.resource is not None:
        if not wish.claim_version:
            return Rejection(of.name, "ClaimsNotServed", "the API server does not serve resource.k8s.io")
        if profile.device_class is None:
            return Rejection(of.name, "ClaimsNotServed", f"the profile {profile.name} knows no DeviceClass")
    claimed = wish.claim_version if spec.form == "DRA" and profile.resource is not None else ""
    bare = Placement(of=of, spec=spec, claim_version=claimed, claim=wish.claim, profiles=wish.profiles)
    demand = demand_of(dress(wish.template, bare), bare)
    devices = _devices(wish)
    obstacles: dict[str, list[str]] = {}
    candidates: list[Candidate] = []
    for machine in machines:
        verdict = judge(machine, demand, taken=usage.get(machine.name, {}), devices=devices)
        if isinstance(verdict, Candidate):
            candidates.append(verdict)
        else:
            obstacles.setdefault(verdict, []).append(machine.name)
    gang = _best(wish, candidates, demand=demand)
    if gang is None:
        return _rejection(wish, demand, candidates, obstacles=obstacles)
    nodes = tuple(one.machine.name for one, count in gang.chosen for _ in range(count))
    return attrs.evolve(
        bare,
        nodes=nodes,
        models=_models(gang, of) if of.model is not None or (wish.pods > 1 and not spec.allow_mixed) else (),
        domain=_domain(gang, spec),
        message=_sentence(gang, nodes, demand),
    )


def _devices(wish: Wish) -> frozenset[str]:
    profiles = [*(one.profile for one in wish.classes), *wish.profiles]
    return frozenset(name for one in profiles for name in (one.resource, one.device_class) if name is not None)


def _best(wish: Wish, candidates: Sequence[Candidate], *, demand: Demand) -> _Gang | None:
    for level in wish.levels.tried(wish.spec.topology):
        gangs = [gang for each in _alike(wish, candidates, demand=demand) for gang in _gangs(wish, each, level=level)]
        if gangs:
            return min(gangs, key=lambda one: one.rank(demand.device))
    return None


def _alike(wish: Wish, candidates: Sequence[Candidate], *, demand: Demand) -> list[list[Candidate]]:
    """The candidates in groups of one kind of node each; one group of all if a mixture is allowed (C4)."""
    if wish.spec.allow_mixed or wish.pods == 1:
        return [list(candidates)]
    groups: dict[tuple[str, ...], list[Candidate]] = {}
    for one in candidates:
        kind = tuple(one.machine.labels.get(label, "") for label in demand.of.profile.alike)
        groups.setdefault(kind, []).append(one)
    return [groups[kind] for kind in sorted(groups)]


def _gangs(wish: Wish, candidates: Sequence[Candidate], *, level: Level | None) -> list[_Gang]:
    by_name = {one.machine.name: one for one in candidates}
    found = []
    for value, machines in domains((one.machine for one in candidates), level).items():
        within = [by_name[machine.name] for machine in machines]
        # Nodes that had better be left alone are taken only if there is no other way.
        chosen = _fill([one for one in within if not one.soft and not one.spared], wish.pods) or _fill(
            within, wish.pods
        )
        if chosen:
            found.append(_Gang(chosen, level, value))
    return found


def _fill(candidates: Sequence[Candidate], pods: int) -> tuple[tuple[Candidate, int], ...]:
    """Nodes for all Pods: the largest first, and for the last Pods the smallest that holds them. Empty if none do."""
    pool, left = list(candidates), pods
    chosen: list[tuple[Candidate, int]] = []
    while left > 0 and pool:
        enough = [one for one in pool if one.slots >= left]
        if enough:
            best = min(enough, key=lambda one: (one.soft, one.spared, one.slots, one.machine.cost, one.machine.name))
        else:
            best = min(pool, key=lambda one: (one.soft, one.spared, -one.slots, one.machine.cost, one.machine.name))
        pool.remove(best)
        chosen.append((best, min(best.slots, left)))
        left -= min(best.slots, left)
    return () if left > 0 else tuple(sorted(chosen, key=lambda pair: pair[0].machine.name))


def _models(gang: _Gang, of: HardwareClass) -> tuple[str, ...]:
    """The models among those chosen."""
    label = of.profile.model_label
    values = {one.machine.labels.get(label, "") for one, _ in gang.chosen} if label is not None else set()
    return tuple(sorted(value for value in values if value))


def _domain(gang: _Gang, spec: HardwareSpec) -> DomainStatus | None:
    if gang.level is None or spec.topology is None:
        return None
    return DomainStatus(gang.level.label, gang.value, required=spec.topology.required is not None)


def _sentence(gang: _Gang, nodes: Sequence[str], demand: Demand) -> str:
    counts = Counter(nodes)
    named = ", ".join(sorted(counts)[:_NAMES_MAX]) + (", …" if len(counts) > _NAMES_MAX else "")
    where = "" if gang.level is None else f" in {gang.level.label}={gang.value}"
    device = "" if demand.device is None else f", {demand.amounts[demand.device]} {demand.device} each"
    return f"{len(nodes)} {'Pod' if len(nodes) == 1 else 'Pods'} on {named}{where}{device}"


def _rejection(
    wish: Wish, demand: Demand, candidates: Sequence[Candidate], *, obstacles: dict[str, list[str]]
) -> Rejection:
    """Why no gang was found: the first of the causes that alone would be enough."""
    name, spec, pods = demand.of.name, wish.spec, wish.pods
    total = len(candidates) + sum(map(len, obstacles.values()))
    lacking = len(obstacles.get(f"without {demand.device}", ())) if demand.device is not None else 0
    if not total or lacking == total:
        what = demand.device or "a node"
        return Rejection(name, "NoCapacity", f"none of {total} nodes has {what}" if total else "there are no nodes")
    told = "; ".join(f"{_named(nodes)} {obstacle}" for obstacle, nodes in sorted(obstacles.items()))
    slots = sum(one.slots for one in candidates)
    if slots < pods:
        room = f"room for {slots} of {pods} Pods; " if slots or pods > 1 else ""
        occupied = any(obstacle.startswith("with too little") for obstacle in obstacles) or slots
        return Rejection(name, "InsufficientCapacity" if occupied else "NoSuitableNode", f"{room}{told}".rstrip("; "))
    alike = _alike(wish, candidates, demand=demand)
    if all(sum(one.slots for one in each) < pods for each in alike):
        kinds = ", ".join(demand.of.profile.alike)
        return Rejection(name, "MixedHardware", f"{pods} Pods fit only on nodes that differ in {kinds}; see allowMixed")
    level = wish.levels.tried(spec.topology)[0]
    label = "" if level is None else level.label
    return Rejection(
        name,
        "TopologyUnmet",
        f"no domain of {label} holds {pods} Pods, though {len(candidates)} nodes have room for {slots}",
    )


def _named(nodes: Sequence[str]) -> str:
    if len(nodes) <= _NAMES_MAX:
        return ", ".join(nodes)
    return f"{len(nodes)} nodes"
