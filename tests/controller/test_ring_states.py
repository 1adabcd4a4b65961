"""The ring's real `step` in every world of few processes and one key: no order of events lets two of them work it.

Time goes in ticks. A Lease lasts two of them, and a process believes in its own for as long; one that does not renew in
time is over, which is also how a process that was killed, paused or cut off looks to the others. Processes join, leave
and come back under their names at any moment; what they propose arrives late or never; and what one of them is shown
may be old when it hears of it. Bounded is who there ever is and, beside a namesake, that the other lives on; neither
the number of events nor that of ticks is.

One key is enough: keys meet only where a member says that it has drained, and more keys only make that later. States
are written down so that equal ones meet: of epochs and versions only equality counts, of times how long ago.
"""

import gc
from collections import defaultdict
from collections.abc import Mapping

import attrs
import pytest

from windlass.controller import ring
from windlass.controller.rendezvous import owner_of
from windlass.controller.ring import Drain, Drained, Membership, Propose, Ring, SeenLease, Snapshot, owns, step
from windlass.statemachine.modelcheck import Invariant, Model, explore

LEASE = 2


class Frozen(dict):
    """A mapping that can be part of a state."""

    def __hash__(self):
        return hash(frozenset(self.items()))


@attrs.frozen(cache_hash=True)
class Process:
    """A member and its shell. `belief` is how many ticks ago it renewed, None before it joined."""

    state: Membership
    belief: int | None = None
    over: bool = False
    works: bool = False
    draining: int = 0
    late: Snapshot | None = None  # served, and not heard yet

    @property
    def lives(self):
        return self.belief is not None and not self.over


@attrs.frozen(cache_hash=True)
class World:
    """`proposed` are the members in a write on its way that may still succeed: one on the present ring."""

    processes: tuple[Process, ...]
    ring: Ring | None = None
    leases: Mapping[str, SeenLease] = attrs.field(factory=Frozen)
    proposed: tuple | None = None

    def __str__(self):
        members = "no ring" if self.ring is None else f"ring {self.ring.epoch} {dict(self.ring.members)}"
        marks = (
            f"{one.state.identity}{' works' if one.works else ''}{' over' if one.over else ''}"
            for one in self.processes
        )
        return f"{members}; {', '.join(marks)}"

    @property
    def living(self):
        return [one for one in self.processes if one.lives]


@attrs.frozen
class Life:
    """What can happen to processes of `slots`. The key is the first's of `owners` that is a member."""

    slots: str
    owners: str
    late: str = ""  # identities of those whose looks may be answered late
    steady: str = ""  # of those that never leave, and renew in time
    lumped: bool = True  # what was seen of a version that is gone is written down like nothing, which is as good
    belief: int = LEASE

    @property
    def key(self):
        names = (f"key-{number}" for number in range(1000))
        return next(name for name in names if ranking(name, self.owners) == self.owners)

    def start(self):
        return World(
            tuple(
                Process(fresh(slot, f"{slot}{self.slots[:number].count(slot) + 1}"))
                for number, slot in enumerate(self.slots)
            )
        )


def ranking(key, slots):
    ranked = ""
    while len(ranked) < len(slots):
        ranked += owner_of(key, [slot for slot in slots if slot not in ranked])
    return ranked


# What can happen next.


def moves(world, life, key):
    yield "a tick", passed(world, life)
    if world.proposed is not None:
        after = Ring(1 + max(epochs(world), default=0), Frozen(world.proposed))
        yield f"the ring becomes {dict(world.proposed)}", attrs.evolve(world, ring=after, proposed=None)
    for index, process in enumerate(world.processes):
        if not process.over:
            for label, after in of_process(world, index, life, key):
                yield f"{process.state.identity} {label}", after


def of_process(world, index, life, key):
    process = world.processes[index]
    state = process.state
    if process.belief is None:
        if not any(one.state.slot == state.slot for one in world.living):
            yield "joins", with_process(renewed(world, state, state.identity), index, belief=0)
        return
    # Renewing twice in a tick with nothing new to say is as good as once.
    if process.belief or world.leases[state.slot].acknowledged != state.drained:
        yield "renews", with_process(renewed(world, state, state.identity), index, belief=0)
    yield from looks(world, index, life, key)
    if process.works:
        yield "ends", drained(with_process(world, index, works=False), index, key)
    else:
        if owns(state, key):
            yield "begins", with_process(world, index, works=True)
        if state.identity not in life.steady:
            yield "leaves", with_process(renewed(world, state, ""), index, **fields(over(process)))


def looks(world, index, life, key):
    late = world.processes[index].late
    if late is not None:
        yield "hears what was", drained(told(world, index, late, late=None), index, key)
        return
    snapshot = Snapshot(world.ring, world.leases, 0)
    yield "looks", drained(told(world, index, snapshot), index, key)
    if world.processes[index].state.identity in life.late:
        yield "asks", with_process(world, index, late=snapshot)


def told(world, index, event, **changes):
    """The world after a process was told something; a write that follows from it is on its way, instead of others."""
    process = world.processes[index]
    state, effects = step(process.state, event, 0)
    proposed, draining = world.proposed, changes.pop("draining", process.draining)
    for effect in effects:
        match effect:
            case Drain(epoch):
                draining = epoch
            case Propose(members, epoch) if epoch == (0 if world.ring is None else world.ring.epoch):
                proposed = tuple(members.items())
    world = with_process(world, index, state=state, draining=draining, **changes)
    return World(world.processes, world.ring, world.leases, proposed)


def drained(world, index, key):
    """Told at once when it is so: nobody else can see how long that took, only when it is acknowledged."""
    process = world.processes[index]
    if process.draining and (not process.works or owns(process.state, key)):
        return told(world, index, Drained(process.draining), draining=0)
    return world


def renewed(world, state, holder):
    known = world.leases.get(state.slot)
    version = str(0 if known is None else int(known.version) + 1)
    lease = SeenLease(state.slot, version, holder, LEASE, state.drained)
    return World(world.processes, world.ring, Frozen({**world.leases, state.slot: lease}), world.proposed)


def passed(world, life):
    """A tick later. Whoever has asked gives up waiting."""
    for index, one in enumerate(world.processes):
        if one.lives and one.state.identity in life.steady:
            world = with_process(renewed(world, one.state, one.state.identity), index, belief=-1)
    processes = (older(one, life.belief) if one.lives else one for one in world.processes)
    return attrs.evolve(world, processes=tuple(processes))


def older(process, belief):
    if process.belief + 1 >= belief:
        return over(process)
    sightings = {
        slot: type(seen)(seen.version, max(seen.since - 1, -LEASE)) for slot, seen in process.state.sightings.items()
    }
    state = attrs.evolve(process.state, sightings=sightings)
    return attrs.evolve(process, state=state, belief=process.belief + 1, late=None)


def over(process):
    return Process(fresh(process.state.slot, process.state.identity), 0, over=True)


def fresh(slot, identity):
    return Membership(slot, identity, LEASE, sightings=Frozen())


def with_process(world, index, **changes):
    processes = list(world.processes)
    processes[index] = attrs.evolve(processes[index], **changes)
    return World(tuple(processes), world.ring, world.leases, world.proposed)


def fields(process):
    return attrs.asdict(process, recurse=False)


# Equal worlds are written down equally.


def epochs(world):
    """The epochs of rings that somebody knows, or is about to hear of."""
    rings = [world.ring, *(one.state.ring for one in world.processes)]
    rings += [one.late.ring for one in world.processes if one.late]
    return {known.epoch for known in rings if known is not None}


def canonical(world, key, *, lumped):
    epoch = {value: number for number, value in enumerate(sorted(epochs(world)), 1)}.get
    versions = defaultdict(set)
    for leases in (world.leases, *(one.late.leases for one in world.processes if one.late)):
        for slot, lease in leases.items():
            versions[slot].add(int(lease.version))
    numbers = {
        (slot, str(value)): str(number)
        for slot, values in versions.items()
        for number, value in enumerate(sorted(values), 1)
    }

    def ring_as(known):
        return known and Ring(epoch(known.epoch), Frozen(known.members))

    def leases_as(leases):
        return Frozen({
            slot: SeenLease(slot, numbers[slot, one.version], one.holder, LEASE, epoch(one.acknowledged, 0))
            for slot, one in leases.items()
        })  # fmt: skip

    def process_as(one):
        if not one.lives:
            return one
        late = one.late and Snapshot(ring_as(one.late.ring), leases_as(one.late.leases), 0)
        sightings = sightings_as(one.state, numbers, lumped=lumped)
        state = Membership(
            one.state.slot, one.state.identity, LEASE, ring_as(one.state.ring), one.state.settled,
            past_as(one.state, key), epoch(one.state.drained, 0), sightings,
        )  # fmt: skip
        return Process(state, one.belief, one.over, one.works, epoch(one.draining, 0), late)

    processes = tuple(map(process_as, world.processes))
    return World(processes, ring_as(world.ring), leases_as(world.leases), world.proposed)


def past_as(state, key):
    """Of a past ring is asked whether the key was this member's; how often it was or was not makes no difference."""
    owned = {owner_of(key, past.members) == state.slot for past in state.past}
    return tuple(Ring(0, Frozen({state.slot if one else "another": ""})) for one in sorted(owned))


def sightings_as(state, numbers, *, lumped):
    """Those of others: its own Lease is none that a member judges."""
    return Frozen({
        slot: type(seen)(seen.version and numbers.get((slot, seen.version), "0"), seen.since)
        for slot, seen in state.sightings.items()
        if slot != state.slot and (not lumped or seen.version is None or (slot, seen.version) in numbers)
    })  # fmt: skip


# What holds.


def several(before, after):
    working = [one.state.identity for one in after.processes if one.works]
    return f"{' and '.join(working)} work at once" if len(working) > 1 else None


def is_quiet(world, key):
    """Every living process is a member, knows it, and the key is one's."""
    members = {one.state.slot: one.state.identity for one in world.living}
    return (
        world.ring is not None
        and world.ring.members == members
        and all(one.state.ring == world.ring and one.state.settled for one in world.living)
        and [owns(one.state, key) for one in world.living].count(True) == 1
    )


@attrs.define
class Seen:
    """What was looked at, and for each world those that lead to it though nobody dies, leaves or comes."""

    life: Life
    report: object = None
    before: dict = attrs.field(factory=lambda: defaultdict(list))

    def explore(self):
        key = self.life.key

        def after(world):
            for label, raw in moves(world, self.life, key):
                one = canonical(raw, key, lumped=self.life.lumped)
                if [process.lives for process in one.processes] == [process.lives for process in world.processes]:
                    self.before[one].append(world)
                yield label, one

        invariants = (Invariant("one works", several),)
        gc.disable()  # all of these values live to the end, and the collector would look at each again and again
        try:
            self.report = explore(Model("ring", (self.life.start(),), after, invariants=invariants))
        finally:
            gc.enable()
        return self.report

    def stuck(self):
        """The worlds with a living process from which no quiet one can be reached in peace."""
        key = self.life.key
        frontier = [world for world in self.report.reached if is_quiet(world, key)]
        able = set(frontier)
        while frontier:
            more = {world for world in self.before[frontier.pop()] if world not in able}
            able |= more
            frontier.extend(more)
        return [world for world in self.report.reached if world.living and world not in able]


@pytest.mark.parametrize(
    "life",
    [
        pytest.param(Life("ab", "ab", late="a1"), id="two, and one hears late"),
        pytest.param(Life("aba", "ab", steady="b1"), id="one, another, and that one's namesake"),
        pytest.param(Life("ab", "ba", lumped=False), id="two, the other way round"),
    ],
)
def test_no_key_is_worked_by_two_and_it_can_always_become_somebodys(life):
    seen = Seen(life)
    report = seen.explore().require()

    assert seen.stuck() == []
    working = {index for world in report.reached for index, one in enumerate(world.processes) if one.works}
    assert working == set(range(len(life.slots)))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("_is_settled", lambda state, ring, snapshot: state.drained == ring.epoch),
        ("_is_dead", lambda state, slot, identity, snapshot: snapshot.leases.get(slot, None) is None),
    ],
    ids=["nobody's word is waited for", "nobody is ever dead"],
)
def test_a_mistake_in_the_protocol_is_found(name, wrong, monkeypatch):
    """Planted: the first lets two work, the second leaves a key to the dead."""
    monkeypatch.setattr(ring, name, wrong)
    seen = Seen(Life("ab", "ab"))
    report = seen.explore()

    assert report.violation is not None or seen.stuck()


def test_a_process_that_believes_for_longer_than_its_lease_lasts_is_found_out():
    violation = Seen(Life("ab", "ab", belief=LEASE + 1)).explore().violation

    assert violation.message == "a1 and b1 work at once"
    assert [label for label, _ in violation.trace].count("a tick") == LEASE
