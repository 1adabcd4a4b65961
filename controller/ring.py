"""No key is worked by two members at once, however differently members see who is alive.

There is one ring, written by conditional writes alone, so its epochs form one line: each is a list of members, numbered
by the resource version of the write. A member works a key only if the newest ring it knows gives the key to it, and
either it has worked the key ever since a ring in which this was settled, or it is settled in this one: every other
member of the ring has acknowledged exactly this epoch or is dead. To acknowledge an epoch is to say: I run no key any
more that is not mine in it.

Why that is safe. If two members work one key, one of them, say q, began it when it was settled for it in some epoch e.
The other, p, was a member of e and acknowledged e, or was not a member or dead, and the dead do not work. Having
acknowledged e, p runs nothing that is q's in e, and begins such a key only under a later epoch that is settled for p,
which needs q's acknowledgement of that one, and so q's end of work on the key.

Dead is who has a Lease that has not changed for its whole duration since it was first seen, by the clock of the one who
looks, or that was given back or has another holder: such a member has stopped by its own clock before. It never comes
back, for its holder identity is used once: whoever is lost starts anew under another.

`step` decides; `windlass.controller.sharding` performs. This module knows neither the API server nor queues.
"""

from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import TypeAlias

import attrs

from windlass.controller.rendezvous import owner_of

__all__ = (
    "Acknowledge",
    "Drain",
    "Drained",
    "Effect",
    "Event",
    "Forget",
    "Membership",
    "Propose",
    "Ring",
    "SeenLease",
    "Settled",
    "Snapshot",
    "owns",
    "step",
)

_PAST_MAX = 16  # rings remembered between two settled ones; more means that nothing is kept but what is settled
_FORGET_LEASES = 4.0  # a dead member's Lease is deleted after this many of its durations


@attrs.frozen
class Ring:
    """One epoch: `members` maps each slot, which keys are given to, to the identity of the process that fills it."""

    epoch: int
    members: Mapping[str, str] = attrs.field(factory=dict)

    def owner(self, key: Hashable) -> str | None:
        """The slot of the member that the key belongs to."""
        return owner_of(key, self.members)


@attrs.frozen
class SeenLease:
    """A member's Lease as a snapshot shows it. `acknowledged` is the epoch it has settled for, 0 for none."""

    slot: str
    version: str
    holder: str
    lease_seconds: float
    acknowledged: int = 0


@attrs.frozen
class Snapshot:
    """The ring (None: there is none) and all members' Leases, as they were at one moment after `sent_at`."""

    ring: Ring | None
    leases: Mapping[str, SeenLease]
    sent_at: float


# The state.


@attrs.frozen
class _Sighting:
    version: str | None  # None: the Lease was not there
    since: float


@attrs.frozen
class Membership:
    """What one member knows. `past` are rings adopted since the last settled one, oldest first, that one included."""

    slot: str
    identity: str
    lease_seconds: float
    ring: Ring | None = None
    settled: bool = False
    past: tuple[Ring, ...] = ()
    drained: int = 0
    sightings: Mapping[str, _Sighting] = attrs.field(factory=dict)


# Events.


@attrs.frozen
class Drained:
    """No key is running any more that is not this member's in that epoch, and none will begin."""

    epoch: int


Event: TypeAlias = Snapshot | Drained

# Effects.


@attrs.frozen
class Propose:
    """Write a ring of these members if the present one is still of `epoch` (0: if there is none)."""

    members: Mapping[str, str]
    epoch: int


@attrs.frozen
class Drain:
    """Begin no keys that are not owned any more, end those that run, and say Drained."""

    epoch: int


@attrs.frozen
class Acknowledge:
    """Note this epoch on the own Lease."""

    epoch: int


@attrs.frozen
class Settled:
    """Keys may have become this member's to work: wake those that are."""

    epoch: int


@attrs.frozen
class Forget:
    """Delete a dead member's Lease if it is still at its version."""

    slot: str
    version: str


Effect: TypeAlias = Propose | Drain | Acknowledge | Settled | Forget

_Move: TypeAlias = tuple[Membership, tuple[Effect, ...]]


def owns(state: Membership, key: Hashable) -> bool:
    """Whether this member may work the key now, as long as it holds its own Lease."""
    ring = state.ring
    if ring is None or not _is_member(state, ring) or _owner(ring, key) != state.slot:
        return False
    # Kept: its own in every ring since the last that was settled, that one included.
    return state.settled or (bool(state.past) and all(_owner(past, key) == state.slot for past in state.past))


def step(state: Membership, event: Event, now: float) -> _Move:
    """The next state and what to do. `now` is this process's clock, in seconds."""
    match event:
        case Snapshot():
            return _looked(state, event, now)
        case Drained(epoch):
            if state.ring is None or epoch != state.ring.epoch or state.drained == epoch:
                return state, ()
            return attrs.evolve(state, drained=epoch), (Acknowledge(epoch),)


def _looked(state: Membership, snapshot: Snapshot, now: float) -> _Move:
    state = attrs.evolve(state, sightings=_sightings(state, snapshot, now))
    effects: tuple[Effect, ...] = ()
    ring = snapshot.ring
    # Another epoch is a newer one, for snapshots come in their order; a smaller number means a restored server.
    if ring is not None and (state.ring is None or ring.epoch != state.ring.epoch):
        state, effects = _adopt(state, ring)
    if ring is not None and not state.settled and _is_settled(state, ring, snapshot):
        state = attrs.evolve(state, settled=True, past=())
        effects += (Settled(ring.epoch),)
    members = {} if ring is None else ring.members
    wanted = _wanted(state, snapshot)
    if wanted != members:
        effects += (Propose(wanted, 0 if ring is None else ring.epoch),)
    return state, effects + _forgotten(state, snapshot)


def _adopt(state: Membership, ring: Ring) -> _Move:
    past = state.past
    if state.ring is not None and state.settled:
        past = (state.ring,)
    elif past and state.ring is not None:
        past = (*past, state.ring)
    if len(past) > _PAST_MAX or not _is_member(state, ring):
        past = ()
    return attrs.evolve(state, ring=ring, settled=False, past=past), (Drain(ring.epoch),)


def _is_member(state: Membership, ring: Ring) -> bool:
    return ring.members.get(state.slot) == state.identity


def _is_settled(state: Membership, ring: Ring, snapshot: Snapshot) -> bool:
    if state.drained != ring.epoch:
        return False
    for slot, identity in ring.members.items():
        if slot == state.slot:
            continue
        lease = snapshot.leases.get(slot)
        agreed = lease is not None and lease.holder == identity and lease.acknowledged == ring.epoch
        if not agreed and not _is_dead(state, slot, identity, snapshot):
            return False
    return True


def _is_dead(state: Membership, slot: str, identity: str, snapshot: Snapshot) -> bool:
    lease = snapshot.leases.get(slot)
    if lease is not None and lease.holder != identity:
        return True  # given back, or taken by another, who could do so only after it had expired
    # Silence counts until the snapshot was asked for, not until it came: this process may have been paused meanwhile.
    silent = snapshot.sent_at - state.sightings[slot].since
    return silent >= (state.lease_seconds if lease is None else lease.lease_seconds)


def _sightings(state: Membership, snapshot: Snapshot, now: float) -> dict[str, _Sighting]:
    seen = {}
    for slot in {*snapshot.leases, *(snapshot.ring.members if snapshot.ring is not None else ())}:
        lease = snapshot.leases.get(slot)
        version = None if lease is None else lease.version
        before = state.sightings.get(slot)
        seen[slot] = before if before is not None and before.version == version else _Sighting(version, now)
    return seen


def _wanted(state: Membership, snapshot: Snapshot) -> dict[str, str]:
    """The members as they should be: the living ones, those who wait to become members, and this one."""
    wanted = {} if snapshot.ring is None else dict(snapshot.ring.members)
    for slot, identity in list(wanted.items()):
        if slot != state.slot and _is_dead(state, slot, identity, snapshot):
            del wanted[slot]
    for slot, lease in snapshot.leases.items():
        if slot not in wanted and lease.holder and not _is_dead(state, slot, lease.holder, snapshot):
            wanted[slot] = lease.holder
    wanted[state.slot] = state.identity
    return dict(sorted(wanted.items()))


def _forgotten(state: Membership, snapshot: Snapshot) -> tuple[Effect, ...]:
    members = {} if snapshot.ring is None else snapshot.ring.members
    return tuple(
        Forget(slot, lease.version)
        for slot, lease in snapshot.leases.items()
        if slot not in members
        and snapshot.sent_at - state.sightings[slot].since >= _FORGET_LEASES * max(lease.lease_seconds, 1.0)
    )


def _owner(ring: Ring, key: Hashable) -> str | None:
    return _owner_among(key, tuple(ring.members))


@lru_cache(maxsize=1 << 16)
def _owner_among(key: Hashable, slots: tuple[str, ...]) -> str | None:
    return owner_of(key, slots)
