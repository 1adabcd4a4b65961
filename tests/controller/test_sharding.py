"""Replicas that share keys, in virtual time over Leases in memory: who works what while they come, go and fail."""

import asyncio
import random
from collections import Counter
from contextlib import suppress

import pytest
from memory_leases import MemoryLeases

from windlass.controller.errors import LeadershipLost, ManagerError
from windlass.controller.rendezvous import owner_of
from windlass.controller.sharding import Sharding, Shards
from windlass.informers.keys import Key

KEYS = [Key("default", f"object-{number}") for number in range(40)]


class Replica:
    """A member, and workers that work the keys it may work, again and again."""

    def __init__(self, world, member, *, run_seconds=(0.1, 0.1, 3.0), stubborn=False, **link):
        self.world = world
        self.member = member
        self.link = world.server.link(**link)
        self.run_seconds = run_seconds
        self.stubborn = stubborn
        self.shards = Shards(self.link, Sharding("group", member=member, drain_seconds=5.0), rng=random.Random(member))
        self.shards.attach(self)
        self.runs = {}
        self.offers = 0
        self.withdrawn = []
        self.stopping = False
        self.task = asyncio.create_task(self._run())

    def running(self):
        return list(self.runs)

    def withdraw(self, keys):
        self.withdrawn += keys
        for key in keys:
            if not self.stubborn:
                self.runs[key].cancel()

    async def offer(self):
        self.offers += 1

    async def _run(self):
        """What a manager does: work, stopped before the Lease is given back, and cancelled at once when it is lost."""
        working = asyncio.create_task(self._work())
        try:
            await self.shards.run()
        finally:
            working.cancel()
            for run in self.runs.values():
                run.cancel()

    async def _work(self):
        rng = random.Random(self.member)
        while True:
            for key in KEYS:
                if not self.stopping and key not in self.runs and self.shards.admits(key):
                    self.world.begins(self, key)
                    self.runs[key] = asyncio.create_task(self._one(key, rng.choice(self.run_seconds)))
            if self.stopping and not self.runs:
                self.shards.stop()
                return
            await asyncio.sleep(0.2)

    async def _one(self, key, seconds):
        try:
            await asyncio.sleep(seconds)
        finally:
            del self.runs[key]
            self.shards.ended()


class World:
    def __init__(self):
        self.server = MemoryLeases()
        self.replicas = []
        self.begun = Counter()
        self.tokens = {}

    def start(self, member, **options):
        replica = Replica(self, member, **options)
        self.replicas.append(replica)
        return replica

    def begins(self, replica, key):
        others = [one.member for one in self.replicas if one is not replica and key in one.runs]
        assert others == [], f"{replica.member} begins {key}, which {others} runs"
        self.begun[key] += 1
        token = replica.shards.token
        assert self.tokens.get(key, token) <= token, "the fencing token of a key's runs never falls"
        self.tokens[key] = token

    def living(self):
        return [one for one in self.replicas if not one.task.done()]

    async def settled(self, *, seconds=120.0):
        """Wait until every living replica knows the same, settled ring, of the living alone."""
        async with asyncio.timeout(seconds):
            while not self.is_settled():  # noqa: ASYNC110 - in virtual time
                await asyncio.sleep(0.1)

    def is_settled(self):
        names = tuple(sorted(one.member for one in self.living()))
        return all(one.shards.settled and one.shards.members == names for one in self.living())

    def owners(self):
        return {key: [one.member for one in self.living() if one.shards.admits(key)] for key in KEYS}

    def expected(self):
        names = [one.member for one in self.living()]
        return {key: [owner_of(key, names)] for key in KEYS}

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        for one in self.replicas:
            one.task.cancel()
            with suppress(asyncio.CancelledError, LeadershipLost):
                await one.task
        await asyncio.sleep(0)


def now():
    return asyncio.get_running_loop().time()


async def test_replicas_share_the_keys_and_each_is_worked_by_one():
    async with World() as world:
        for name in "abc":
            world.start(name)
        await world.settled(seconds=15)
        assert world.owners() == world.expected()
        assert len(set(map(tuple, world.owners().values()))) == 3
        assert all(one.offers >= 1 for one in world.replicas)


async def test_a_newcomer_takes_its_part_within_seconds_and_the_others_keep_theirs():
    async with World() as world:
        world.start("a"), world.start("b")
        await world.settled()
        world.start("c")
        started = now()
        await world.settled()
        assert now() - started < 10.0
        assert world.owners() == world.expected()


async def test_a_replica_that_leaves_in_order_is_replaced_within_seconds():
    """L10: its Lease is given back when its last run has ended."""
    async with World() as world:
        a, _ = world.start("a", run_seconds=(4.0,)), world.start("b")
        await world.settled()
        a.stopping = True
        left = now()
        await a.task
        assert now() - left <= 4.5
        await world.settled()
        assert now() - left < 12.0
        assert world.owners() == {key: ["b"] for key in KEYS}


async def test_a_replica_that_is_killed_is_replaced_after_its_lease():
    async with World() as world:
        a, _ = world.start("a"), world.start("b")
        await world.settled()
        a.task.cancel()
        killed = now()
        await asyncio.sleep(0.1)
        await world.settled()
        assert 13.0 < now() - killed < 25.0
        assert world.owners() == {key: ["b"] for key in KEYS}
        await asyncio.sleep(120)
        assert set(world.server.leases) == {"group", "group.b"}, "the Lease of the dead is cleared away"


async def test_a_replica_that_is_cut_off_stops_before_its_keys_are_worked_elsewhere():
    """L5, M2."""
    async with World() as world:
        a, _ = world.start("a"), world.start("b")
        await world.settled()
        a.link.up = False
        cut = now()
        with pytest.raises(LeadershipLost, match=r"the Lease group\.a is lost"):
            await a.task
        assert now() - cut <= 10.0
        await world.settled()
        assert now() - cut > 13.0


async def test_runs_on_moved_keys_are_cancelled_when_they_take_too_long():
    async with World() as world:
        a = world.start("a", run_seconds=(1000.0,))
        await world.settled()
        await asyncio.sleep(1)
        assert len(a.runs) == len(KEYS)
        world.start("b")
        await world.settled()
        moved = [key for key in KEYS if owner_of(key, "ab") == "b"]
        assert sorted(a.withdrawn) == sorted(moved)
        await asyncio.sleep(1)
        assert sorted(a.runs) == sorted(set(KEYS) - set(moved)), "the others went on"


async def test_a_run_that_ignores_its_cancellation_is_waited_for():
    async with World() as world:
        world.start("a", run_seconds=(100.0,), stubborn=True)
        await world.settled()
        await asyncio.sleep(1)
        b = world.start("b")
        await asyncio.sleep(60)
        assert not b.runs
        assert not b.shards.settled
        await world.settled()


async def test_a_member_that_restarts_under_its_name_gets_its_keys_back():
    async with World() as world:
        a, _ = world.start("a"), world.start("b")
        await world.settled()
        before = world.owners()
        a.task.cancel()
        await asyncio.sleep(0.1)
        world.start("a")
        await asyncio.sleep(1)
        await world.settled()
        assert world.owners() == before


async def test_one_request_in_ten_failing_does_not_move_keys():
    async with World() as world:
        for name in "abc":
            world.start(name, seconds=0.1, loses=0.02, rng=random.Random(name))
        await world.settled()
        ring = world.server.leases["group"].version
        await asyncio.sleep(300)
        assert world.server.leases["group"].version == ring


async def test_a_ring_that_somebody_deletes_or_spoils_is_put_right():
    async with World() as world:
        world.start("a"), world.start("b")
        await world.settled()
        del world.server.leases["group"]
        await asyncio.sleep(5)
        await world.settled()
        ring = world.server.leases["group"]
        world.server.put(
            type(ring)(ring.name, ring.version, ring.record, ring.labels, {"windlass.dev/shard-members": "x"})
        )
        await asyncio.sleep(5)
        await world.settled()
        assert world.owners() == world.expected()


async def test_a_quiet_group_asks_little():
    """One list and one write a member each retry period."""
    async with World() as world:
        a, _ = world.start("a"), world.start("b")
        await world.settled()
        a.link.calls.clear()
        await asyncio.sleep(200)
        verbs = Counter(verb for _, verb in a.link.calls)
        assert verbs["list"] == pytest.approx(91, abs=10)
        assert verbs["put"] == pytest.approx(100, abs=5)


FAILOVERS_A_SEED = 25


@pytest.mark.parametrize("seed", range(10))
async def test_over_many_failovers_no_key_is_worked_twice_at_once_and_all_are_worked_when_quiet(seed):
    """10 seeds of 25 fail-overs, 250 in all: kills, partitions, orderly stops, restarts under the same name."""
    rng = random.Random(seed)
    async with World() as world:
        for number in range(2 + seed % 3):
            world.start(f"m{number}", seconds=rng.choice([0.0, 0.1, 1.0]), loses=rng.choice([0.0, 0.02]), rng=rng)
        started, failovers = len(world.replicas), 0
        while failovers < FAILOVERS_A_SEED:
            await asyncio.sleep(rng.choice([1.0, 5.0, 15.0, 40.0]))
            victim = rng.choice(world.living())
            failovers += 1
            match rng.choice(["kill", "stop", "cut", "blink"]):
                case "kill":
                    victim.task.cancel()
                case "stop":
                    victim.stopping = True
                case "cut":
                    victim.link.up = False
                case "blink":
                    failovers -= 1  # it may come back in time, and then nothing moves
                    victim.link.up = False
                    asyncio.get_running_loop().call_later(rng.uniform(1, 15), setattr, victim.link, "up", True)
            name = victim.member if rng.random() < 0.3 else f"m{started}"
            if len(world.living()) < 6:
                world.start(name, seconds=rng.choice([0.0, 0.1, 1.0]), loses=rng.choice([0.0, 0.02]), rng=rng)
                started += 1
        await asyncio.sleep(60)
        if not world.living():
            world.start("last")
        world.begun.clear()
        for one in world.living():
            one.link.loses = 0.0
        await asyncio.sleep(60)
        standing_by = [one for one in world.living() if not one.shards.elector.leads]
        for one in standing_by:  # a namesake that waits for the slot
            one.task.cancel()
        await asyncio.sleep(0)
        await world.settled()
        assert world.owners() == world.expected()
        assert set(world.begun) == set(KEYS)


# Settings.


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "Group"}, "name: expected lower-case letters, digits and '-', at most 63, found 'Group'"),
        ({"name": "a.b"}, "name: expected lower-case"),
        ({"member": ""}, "member: expected lower-case"),
        ({"lease_seconds": 9}, "lease_seconds: expected more than renew_seconds (10)"),
        ({"drain_seconds": -1.0}, "drain_seconds: expected a finite number from 0 up, found -1.0"),
    ],
)
def test_settings_that_cannot_work_are_refused(fields, message):
    with pytest.raises(ManagerError) as caught:
        Sharding(**{"name": "group", **fields}).validate()
    assert message in str(caught.value)


def test_members_have_different_names_unless_told():
    first, second = Shards(None, Sharding("group")), Shards(None, Sharding("group"))
    assert first.slot != second.slot
    Sharding("group", member=first.slot).validate()
