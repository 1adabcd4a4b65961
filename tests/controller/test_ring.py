"""The protocol of the ring: its rules one by one, and members that pause, die, come back and hear late."""

import random
from collections import Counter

import attrs
import pytest

from windlass.controller.rendezvous import owner_of
from windlass.controller.ring import (
    Acknowledge,
    Drain,
    Drained,
    Forget,
    Membership,
    Propose,
    Ring,
    SeenLease,
    Settled,
    Snapshot,
    owns,
    step,
)

A, B, C = "id-a", "id-b", "id-c"
KEYS = [f"key-{number}" for number in range(40)]


def member(slot="a", identity=A):
    return Membership(slot, identity, 15.0)


def lease(slot, holder, acknowledged=0, version="1", seconds=15.0):
    return SeenLease(slot, version, holder, seconds, acknowledged)


def snapshot(ring, *leases, at=0.0):
    return Snapshot(ring, {one.slot: one for one in leases}, at)


def told(state, *events, at=0.0):
    """The state after the events, and the effects of the last."""
    effects = ()
    for event in events:
        state, effects = step(state, event, getattr(event, "sent_at", at))
    return state, effects


def settled(ring, *others, slot="a", identity=A):
    """A member for which `ring` is settled."""
    agreed = [lease(other, ring.members[other], ring.epoch) for other in others]
    look = snapshot(ring, lease(slot, identity, ring.epoch), *agreed)
    state, effects = told(member(slot, identity), look, Drained(ring.epoch), look)
    assert Settled(ring.epoch) in effects
    return state


def key_of(slot, *members):
    return next(key for key in KEYS if owner_of(key, members) == slot)


# Coming in.


def test_the_first_member_makes_the_ring():
    _, effects = told(member(), snapshot(None, lease("a", A)))
    assert effects == (Propose({"a": A}, 0),)


def test_the_first_member_includes_those_it_sees_waiting():
    _, effects = told(member(), snapshot(None, lease("a", A), lease("b", B)))
    assert effects == (Propose({"a": A, "b": B}, 0),)


def test_a_newcomer_asks_to_be_added_and_owns_nothing():
    ring = Ring(7, {"b": B})
    state, effects = told(member(), snapshot(ring, lease("a", A), lease("b", B, 7)))
    assert effects == (Drain(7), Propose({"a": A, "b": B}, 7))
    assert not any(owns(state, key) for key in KEYS)


def test_a_member_adds_a_newcomer_that_it_sees_first():
    state = settled(Ring(7, {"a": A}))
    _, effects = told(state, snapshot(Ring(7, {"a": A}), lease("a", A, 7), lease("b", B)))
    assert effects == (Propose({"a": A, "b": B}, 7),)


def test_a_lone_member_owns_everything_once_it_has_acknowledged():
    ring = Ring(7, {"a": A})
    state, effects = told(member(), snapshot(ring, lease("a", A)))
    assert effects == (Drain(7),)
    assert not owns(state, KEYS[0])
    state, effects = told(state, Drained(7))
    assert effects == (Acknowledge(7),)
    assert not owns(state, KEYS[0])
    state, effects = told(state, snapshot(ring, lease("a", A, 7)))
    assert effects == (Settled(7),)
    assert all(owns(state, key) for key in KEYS)


# Moving keys.


def test_a_newcomer_waits_for_every_members_word():
    ring = Ring(8, {"a": A, "b": B, "c": C})
    state, _ = told(member(), snapshot(ring, lease("a", A), lease("b", B, 7), lease("c", C, 7)), Drained(8))
    state, effects = told(state, snapshot(ring, lease("a", A, 8), lease("b", B, 8), lease("c", C, 7)))
    assert effects == ()
    assert not any(owns(state, key) for key in KEYS)
    state, effects = told(state, snapshot(ring, lease("a", A, 8), lease("b", B, 8), lease("c", C, 8)))
    assert effects == (Settled(8),)
    assert {key for key in KEYS if owns(state, key)} == {key for key in KEYS if owner_of(key, "abc") == "a"}


def test_a_word_for_another_epoch_does_not_count():
    ring = Ring(8, {"a": A, "b": B})
    state, _ = told(member(), snapshot(ring, lease("a", A)), Drained(8))
    for acknowledged in (0, 7, 9):
        _, effects = told(state, snapshot(ring, lease("a", A, 8), lease("b", B, acknowledged)))
        assert effects == ()


def test_keys_that_stay_are_worked_on_and_keys_that_go_are_not():
    state = settled(Ring(7, {"a": A}))
    ring = Ring(8, {"a": A, "b": B})
    state, effects = told(state, snapshot(ring, lease("a", A, 7), lease("b", B)))
    assert effects == (Drain(8),)
    assert owns(state, key_of("a", "a", "b"))
    assert not owns(state, key_of("b", "a", "b"))


def test_keys_that_went_and_came_back_are_worked_only_when_that_is_settled():
    state = settled(Ring(7, {"a": A}))
    state, _ = told(state, snapshot(Ring(8, {"a": A, "b": B}), lease("a", A, 7), lease("b", B)), Drained(8))
    state, _ = told(state, snapshot(Ring(9, {"a": A}), lease("a", A, 8), lease("b", B)))
    assert owns(state, key_of("a", "a", "b"))
    assert not owns(state, key_of("b", "a", "b")), "b may have begun it under 8"


def test_what_was_not_settled_is_not_kept_either():
    state, _ = told(member(), snapshot(Ring(7, {"a": A, "b": B}), lease("a", A), lease("b", B)))
    state, _ = told(state, snapshot(Ring(8, {"a": A, "b": B, "c": C}), lease("a", A), lease("b", B)))
    assert not any(owns(state, key) for key in KEYS)


def test_a_late_word_for_an_old_epoch_acknowledges_nothing():
    state = settled(Ring(7, {"a": A}))
    state, _ = told(state, snapshot(Ring(8, {"a": A, "b": B}), lease("a", A, 7), lease("b", B)))
    assert told(state, Drained(7)) == (state, ())


def test_a_member_that_is_not_in_the_ring_stops_everything_and_asks_to_come_back():
    state = settled(Ring(7, {"a": A}))
    state, effects = told(state, snapshot(Ring(8, {"b": B}), lease("a", A, 7), lease("b", B, 8)))
    assert effects == (Drain(8), Propose({"a": A, "b": B}, 8))
    assert not any(owns(state, key) for key in KEYS)


def test_a_namesake_in_the_ring_is_another_member():
    """A restarted pod: the slot is the same, the process is not."""
    state, effects = told(member(), snapshot(Ring(7, {"a": "id-before"}), lease("a", A)))
    assert effects == (Drain(7), Propose({"a": A}, 7))
    assert not any(owns(state, key) for key in KEYS)


def test_too_many_unsettled_rings_keep_nothing():
    state = settled(Ring(7, {"a": A}))
    for epoch in range(8, 30):
        ring = Ring(epoch, {"a": A, f"b{epoch}": B})
        state, _ = told(state, snapshot(ring, lease("a", A, 7), lease(f"b{epoch}", B)))
    assert not any(owns(state, key) for key in KEYS)


# The dead.


def test_a_member_is_dead_when_its_lease_has_not_changed_for_its_whole_duration():
    ring = Ring(7, {"a": A, "b": B})
    state = settled(ring, "b")
    leases = [lease("a", A, 7), lease("b", B, 7)]
    assert told(state, snapshot(ring, *leases, at=14.9))[1] == ()
    assert told(state, snapshot(ring, *leases, at=15.0))[1] == (Propose({"a": A}, 7),)
    changed = lease("b", B, 7, version="2")
    assert (
        told(state, snapshot(ring, leases[0], changed, at=14.0), snapshot(ring, leases[0], changed, at=28.9))[1] == ()
    )


def test_the_duration_in_its_own_lease_counts():
    ring = Ring(7, {"a": A, "b": B})
    leases = [lease("a", A, 7), lease("b", B, 7, version="2", seconds=40.0)]
    state, _ = told(settled(ring, "b"), snapshot(ring, *leases))
    assert told(state, snapshot(ring, *leases, at=39.9))[1] == ()
    assert told(state, snapshot(ring, *leases, at=40.0))[1] == (Propose({"a": A}, 7),)


def test_a_snapshot_that_was_long_on_its_way_proves_no_death():
    ring = Ring(7, {"a": A, "b": B})
    state = settled(ring, "b")
    assert step(state, snapshot(ring, lease("a", A, 7), lease("b", B, 7), at=1.0), 100.0)[1] == ()


@pytest.mark.parametrize("holder", ["", "id-next"], ids=["given back", "taken over"])
def test_a_member_is_dead_at_once_when_its_lease_is_given_back_or_taken(holder):
    ring = Ring(7, {"a": A, "b": B})
    expected = {"a": A, "b": holder} if holder else {"a": A}
    _, effects = told(settled(ring, "b"), snapshot(ring, lease("a", A, 7), lease("b", holder, 7)))
    assert effects == (Propose(expected, 7),)


def test_a_lease_that_is_gone_is_waited_for_as_long_as_one_that_is_silent():
    ring = Ring(7, {"a": A, "b": B})
    state, effects = told(settled(ring, "b"), snapshot(ring, lease("a", A, 7), at=1.0))
    assert effects == ()
    assert told(state, snapshot(ring, lease("a", A, 7), at=16.0))[1] == (Propose({"a": A}, 7),)


def test_a_dead_members_word_is_not_waited_for():
    ring = Ring(8, {"a": A, "b": B})
    state, _ = told(member(), snapshot(ring, lease("a", A), lease("b", B, 7)), Drained(8))
    _, effects = told(state, snapshot(ring, lease("a", A, 8), lease("b", B, 7), at=15.0))
    assert effects == (Settled(8), Propose({"a": A}, 8))


def test_a_dead_members_lease_is_deleted_when_the_ring_has_forgotten_it():
    state = settled(Ring(7, {"a": A}))
    leases = [lease("a", A, 7), lease("b", B, 7)]
    looks = [snapshot(Ring(7, {"a": A}), *leases, at=at) for at in (0.0, 59.9, 60.0)]
    state, _ = told(state, looks[0])
    assert Forget("b", "1") not in told(state, looks[1])[1]
    assert Forget("b", "1") in told(state, looks[2])[1]


def test_a_ring_that_somebody_has_deleted_is_made_anew():
    state = settled(Ring(7, {"a": A, "b": B}), "b")
    _, effects = told(state, snapshot(None, lease("a", A, 7), lease("b", B, 7)))
    assert effects == (Propose({"a": A, "b": B}, 0),)


# The whole, with everything that can go wrong.


class Server:
    def __init__(self):
        self.version = 10
        self.ring = None
        self.leases = {}

    def renew(self, slot, holder, acknowledged, version):
        known = self.leases.get(slot)
        if (known is None) != (version is None) or (known is not None and known.version != version):
            return None
        self.version += 1
        self.leases[slot] = SeenLease(slot, str(self.version), holder, 15.0, acknowledged)
        return self.leases[slot]

    def propose(self, members, epoch):
        if epoch == (0 if self.ring is None else self.ring.epoch):
            self.version += 1
            self.ring = Ring(self.version, dict(members))


class Process:
    """A member and its shell: one request at a time, each up to five seconds, some served after that."""

    def __init__(self, world, number, slot):
        self.world, self.slot, self.identity = world, slot, f"id-{number}"
        self.state = Membership(slot, self.identity, 15.0)
        self.rng = world.rng
        self.lease = None
        self.until = None
        self.request = None
        self.renew_at = self.look_at = world.now
        self.running = {}
        self.draining = None
        self.paused_until = 0.0
        self.cut_until = 0.0
        self.dead = False
        self.leaving = False

    @property
    def believes(self):
        return not self.dead and self.until is not None and self.world.now < self.until

    def tick(self):
        now = self.world.now
        if self.dead or now < self.paused_until:
            return
        if self.until is not None and now >= self.until:
            self.die()
            return
        self.running = {key: end for key, end in self.running.items() if end > now}
        if self.request is not None:
            self.continue_request(now)
        elif self.leaving and not self.running:
            self.leave()
        elif now >= self.renew_at:
            acknowledged, version = self.state.drained, self.lease and self.lease.version
            self.send(lambda: self.world.server.renew(self.slot, self.identity, acknowledged, version), self.renewed)
        elif self.until is not None and now >= self.look_at:
            self.send(self.world.look, self.looked)
        if self.draining is not None and all(owns(self.state, key) for key in self.running):
            epoch, self.draining = self.draining, None
            self.tell(Drained(epoch))
        if self.believes and not self.leaving:
            for key in self.rng.sample(KEYS, 5):
                if key not in self.running and owns(self.state, key):
                    self.world.begins(self, key)
                    self.running[key] = now + self.rng.choice([0.1, 1.0, 8.0])

    def send(self, serve, heard):
        now = self.world.now
        serve_at = now + self.rng.choice([0.0, 0.1, 3.0, 9.0] if self.rng.random() < self.world.slow else [0.0, 0.1])
        self.request = [now, serve, heard, None, serve_at + self.rng.choice([0.0, 0.1])]
        self.world.network.append((serve_at, self, self.request))

    def continue_request(self, now):
        sent_at, _, heard, answer, heard_at = self.request
        if answer is not None and now >= heard_at:
            self.request = None
            heard(answer[0], sent_at)
        elif now >= sent_at + 5.0:
            self.request = None
            self.renew_at = min(self.renew_at, now)

    def renewed(self, stored, sent_at):
        if stored is None:  # somebody wrote: ourselves by an answer that was lost, or another holder
            known = self.world.server.leases.get(self.slot)
            if known is not None and known.holder == self.identity:
                self.lease = known
            elif self.until is not None:
                self.die()
            elif known is not None and not known.holder:
                self.lease = known
            else:
                self.die()  # the slot is filled: another process would wait
            return
        self.lease = stored
        self.until = sent_at + 10.0
        self.renew_at = sent_at + 2.0

    def looked(self, found, sent_at):
        self.look_at = sent_at + (2.0 if self.state.settled else 0.5)
        self.tell(attrs.evolve(found, sent_at=sent_at))

    def tell(self, event):
        self.state, effects = step(self.state, event, self.world.now)
        for effect in effects:
            match effect:
                case Drain(epoch):
                    self.draining = epoch
                case Acknowledge():
                    self.renew_at = self.world.now
                case Propose(members, epoch):
                    serve_at = self.world.now + self.rng.choice([0.0, 0.1, 4.0])
                    propose = [None, lambda: self.world.server.propose(members, epoch), None, None, 0.0]
                    self.world.network.append((serve_at, self, propose))

    def die(self):
        self.dead, self.running = True, {}

    def leave(self):
        self.world.server.renew(self.slot, "", 0, self.lease and self.lease.version)
        self.die()


class World:
    def __init__(self, seed, count):
        self.rng = random.Random(seed)
        self.now = 1000.0
        self.server = Server()
        self.network = []
        self.slow = 0.1  # how many requests take long
        self.processes = []
        self.begun = Counter()
        self.gone = 0
        self.started = 0
        for _ in range(count):
            self.start(f"s{self.started}")

    def start(self, slot):
        self.processes.append(Process(self, self.started, slot))
        self.started += 1

    def look(self):
        server = self.server
        return Snapshot(server.ring, dict(server.leases), 0.0)

    def begins(self, process, key):
        others = [one.identity for one in self.processes if one is not process and one.believes and key in one.running]
        assert others == [], f"{process.identity} begins {key} at {self.now:.1f}, which {others} runs"
        self.begun[key] += 1

    def tick(self):
        self.now += 0.1
        late = []
        for serve_at, sender, request in self.network:
            if serve_at > self.now or self.now < sender.cut_until:
                late.append((serve_at, sender, request))
            else:
                request[3] = (request[1](),)
        self.network = late
        for process in self.rng.sample(self.processes, len(self.processes)):
            process.tick()
        for process in [one for one in self.processes if one.dead]:
            self.processes.remove(process)
            self.gone += 1
            slot = process.slot if self.rng.random() < 0.3 else f"s{self.started}"
            self.start(slot)

    def harm(self):
        victim, draw = self.rng.choice(self.processes), self.rng.random()
        if draw < 0.3:
            victim.die()
        elif draw < 0.5:
            victim.leaving = True
        elif draw < 0.8:
            victim.paused_until = self.now + self.rng.choice([3.0, 9.0, 12.0, 30.0])
        else:
            victim.cut_until = self.now + self.rng.choice([3.0, 8.0, 20.0])


@pytest.mark.parametrize("seed", range(12))
def test_no_key_is_worked_by_two_at_once_and_every_key_by_somebody_when_quiet(seed):
    """12 seeds: members pause beyond their Leases, are cut off, are killed, leave, and come back under their names."""
    world = World(seed, count=2 + seed % 4)
    while world.gone < 40:
        for _ in range(world.rng.choice([5, 30, 100, 300])):
            world.tick()
        world.harm()
    world.slow = 0.0
    for process in world.processes:
        process.cut_until = process.paused_until = 0.0
        process.leaving = False
    for _ in range(900):
        world.tick()
    living = [one for one in world.processes if one.believes]
    assert Counter(key for key in KEYS for one in living if owns(one.state, key)) == dict.fromkeys(KEYS, 1)
    assert min(world.begun[key] for key in KEYS) > 10
