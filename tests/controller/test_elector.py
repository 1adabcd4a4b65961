"""The shell around the decisions: time limits, annotations, what is told to whom, and how it ends."""

import asyncio
import logging
import random
from contextlib import asynccontextmanager, suppress

import attrs
import pytest
from memory_leases import MemoryLeases, stored

from windlass.controller.election import Candidacy, LeaderElection
from windlass.controller.elector import Elector, new_identity
from windlass.controller.errors import LeadershipLost, ManagerError
from windlass.controller.lease import LeaseRecord
from windlass.informers.errors import Conflict, NotFound


def elector(link, identity="me", log=None, **options):
    times = {"lease_seconds": 15, "renew_seconds": 10.0, "retry_seconds": 2.0}
    log = [] if log is None else log
    return Elector(
        link,
        "lease",
        Candidacy(identity, **times),
        on_started=lambda token: log.append(f"{identity} starts"),
        on_stopped=lambda: log.append(f"{identity} stops"),
        rng=random.Random(0),
        **options,
    )


@asynccontextmanager
async def running(*electors):
    """They run in tasks, which are killed at the end: nothing is released."""
    tasks = [asyncio.create_task(one.run()) for one in electors]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def until(question):
    while not question():  # noqa: ASYNC110 - in virtual time this is exact enough
        await asyncio.sleep(0.01)


def now():
    return asyncio.get_running_loop().time()


async def test_one_leads_and_renews_and_the_other_stands_by():
    server, log = MemoryLeases(), []
    first, second = elector(server.link(), "a", log), elector(server.link(), "b", log)
    async with running(first, second):
        await asyncio.sleep(3600)
        assert [first.leads, second.leads] == [True, False]
        assert log == ["a starts"]
        record = server.leases["lease"].record
        assert (record.holder, record.lease_seconds, record.transitions) == ("a", 15, 0)
        assert record.renew_time > record.acquire_time
        assert first.slow_paths == 0
        assert len(server.puts) == pytest.approx(1800, abs=5), "one write each retry period"


@pytest.mark.parametrize("skew_seconds", [-3600.0, 3600.0])
async def test_a_wall_clock_that_is_an_hour_off_changes_nothing(skew_seconds):
    """L1."""
    server, log = MemoryLeases(), []
    first = elector(server.link(skew_seconds=skew_seconds), "a", log)
    second = elector(server.link(), "b", log)
    async with running(first, second) as tasks:
        await asyncio.sleep(600)
        assert log == ["a starts"]
        tasks[0].cancel()
        died = now()
        await until(lambda: second.leads)
        assert 15.0 - 2.0 <= now() - died <= 15.0 + 4.4 + 0.2, "a whole lease after the last renewal, and one look"
        assert server.leases["lease"].record.transitions == 1


async def test_a_stopped_leader_gives_the_lease_back_and_the_next_takes_it_at_once():
    """L3, L9."""
    server, log = MemoryLeases(), []
    first, second = elector(server.link(), "a", log), elector(server.link(), "b", log)
    async with running(first, second) as tasks:
        await asyncio.sleep(100)
        first.stop()
        assert not first.leads
        await tasks[0]
        record = server.leases["lease"].record
        assert (record.holder, record.lease_seconds) == ("", 1)
        await asyncio.sleep(4.5)
        assert second.leads
        assert log == ["a starts", "a stops", "b starts"]


async def test_a_release_that_conflicts_is_tried_again():
    """L9, scenario 50."""
    server = MemoryLeases()
    link = server.link()
    one = elector(link)
    async with running(one) as (task,):
        await asyncio.sleep(100)
        server.put(server.leases["lease"])  # somebody touches it
        one.stop()
        await task
        assert server.leases["lease"].record.holder == ""


async def test_on_stopped_is_called_even_if_leadership_was_never_won():
    """L11."""
    server, log = MemoryLeases(), []
    server.put(stored("lease", LeaseRecord("other", 15, 0), version=""))
    one = elector(server.link(), "a", log)
    async with running(one) as (task,):
        await asyncio.sleep(5)
        one.stop()
        await task
    assert log == ["a stops"]
    assert server.leases["lease"].record.holder == "other"


async def test_a_standby_that_is_stopped_as_it_wins_gives_back_what_it_won():
    """M3."""
    server, log = MemoryLeases(), []
    one = elector(server.link(seconds=1.0), "a", log)
    async with running(one) as (task,):
        await until(lambda: server.puts)
        one.stop()
        await task
    assert log == ["a stops"]
    assert server.leases["lease"].record.holder == ""


async def test_a_partition_ends_leadership_before_another_begins():
    """L5, M2."""
    server, log = MemoryLeases(), []
    link = server.link()
    first, second = elector(link, "a", log), elector(server.link(), "b", log)
    async with running(first, second) as tasks:
        await asyncio.sleep(100)
        link.up = False
        cut = now()
        with pytest.raises(
            LeadershipLost, match=r"the Lease lease is lost: no renewal .* within 10 s.*end this process"
        ):
            await tasks[0]
        assert 8.0 <= now() - cut <= 10.0
        assert log == ["a starts", "a stops"]
        await until(lambda: second.leads)
        assert now() - cut > 13.0


async def test_an_outage_shorter_than_the_renew_deadline_is_lived_through():
    server, log = MemoryLeases(), []
    link = server.link()
    first = elector(link, "a", log)
    async with running(first):
        await asyncio.sleep(101)
        link.up = False
        await asyncio.sleep(6)
        link.up = True
        await asyncio.sleep(100)
        assert first.leads
        assert log == ["a starts"]


async def test_answers_that_get_lost_do_not_cost_leadership():
    """L7: the write had arrived, so the next one conflicts, and the look finds our own name."""
    server, log = MemoryLeases(), []
    link = server.link(seconds=0.2, loses=0.03, rng=random.Random(1))
    first = elector(link, "a", log)
    async with running(first):
        await asyncio.sleep(600)
        assert log == ["a starts"]
        assert first.slow_paths > 0


async def test_every_request_ends_before_the_belief_does():
    """L14: half the renew deadline is the limit."""
    server = MemoryLeases()
    link = server.link()
    first = elector(link)
    async with running(first) as (task,):
        await asyncio.sleep(1)
        link.up = False
        link.calls.clear()
        with pytest.raises(LeadershipLost):
            await task
        assert [round(at) for at, _ in link.calls] == [2, 7]
        assert now() == pytest.approx(10.0)


async def test_the_clock_ends_leadership_when_the_loop_is_blocked():
    """L12: nothing was told, but whoever asks hears the truth."""
    server = MemoryLeases()
    one = elector(server.link())
    async with running(one):
        await asyncio.sleep(1)
        assert one.leads
        token = one.token
        asyncio.get_running_loop().advance(10.0)
        assert not one.leads
        with pytest.raises(LeadershipLost):
            _ = one.token
    assert token.transitions == 0


async def test_a_slow_start_of_work_does_not_keep_the_lease_from_being_renewed():
    """L12."""
    server, work = MemoryLeases(), []
    one = Elector(
        server.link(),
        "lease",
        Candidacy("me"),
        on_started=lambda token: work.append(asyncio.create_task(asyncio.sleep(100))),
    )
    async with running(one):
        await asyncio.sleep(99)
        assert one.leads
        await work[0]


async def test_a_lease_with_another_holder_is_lost_at_once():
    """L8."""
    server = MemoryLeases()
    one = elector(server.link())
    async with running(one) as (task,):
        await asyncio.sleep(1)
        current = server.leases["lease"]
        server.put(attrs.evolve(current, record=attrs.evolve(current.record, holder="other", transitions=1)))
        with pytest.raises(LeadershipLost, match="it is held by 'other'"):
            await task
        assert now() == pytest.approx(2.0)


async def test_labels_and_annotations_of_others_are_kept_and_ours_are_added():
    server = MemoryLeases()
    lease = stored("lease", LeaseRecord("", 1, 0), version="", labels={"team": "a"}, annotations={"note": "b"})
    server.put(lease)
    notes = {"windlass.dev/seen": "1"}
    one = elector(server.link(), labels={"windlass.dev/shard-group": "x"}, annotations=lambda: notes)
    async with running(one):
        await asyncio.sleep(1)
        assert server.leases["lease"].labels == {"team": "a", "windlass.dev/shard-group": "x"}
        assert server.leases["lease"].annotations == {"note": "b", "windlass.dev/seen": "1"}
        notes["windlass.dev/seen"] = "2"
        one.renew_soon()
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert server.leases["lease"].annotations["windlass.dev/seen"] == "2"


async def test_a_leader_that_has_not_renewed_for_longer_than_its_lease_is_unhealthy_and_a_standby_never_is():
    """L16. Only a blocked loop gets there."""
    server = MemoryLeases()
    first, second = elector(server.link(), "a"), elector(server.link(), "b")
    async with running(first, second):
        await asyncio.sleep(1)
        asyncio.get_running_loop().advance(34.0)
        assert first.health() is None
        asyncio.get_running_loop().advance(1.1)
        assert first.health() == "the Lease lease was last renewed 36 s ago"
        assert second.health() is None


async def test_a_kill_releases_nothing_and_still_says_that_it_is_over():
    server, log = MemoryLeases(), []
    one = elector(server.link(), "a", log)
    async with running(one):
        await asyncio.sleep(1)
    assert log == ["a starts", "a stops"]
    assert not one.leads
    assert server.leases["lease"].record.holder == "a"


@pytest.mark.parametrize("seed", range(20))
async def test_through_kills_partitions_and_lost_answers_there_is_never_more_than_one_leader(seed):
    """Scenario 49 as a whole: 20 seeds of two hours each."""
    rng = random.Random(seed)
    server, living, terms = MemoryLeases(), {}, set()

    def start(number):
        link = server.link(
            seconds=rng.choice([0.01, 0.5, 2.0]),
            loses=rng.choice([0.0, 0.1]),
            rng=rng,
            skew_seconds=rng.uniform(-3600, 3600),
        )
        one = elector(link, f"c{number}")
        living[number] = (one, link, asyncio.create_task(one.run()))

    for number in range(3):
        start(number)
    count = 3
    for _ in range(720):
        await asyncio.sleep(rng.uniform(0, 20))
        assert sum(one.leads for one, _, _ in living.values()) <= 1
        terms |= {one.token.transitions for one, _, _ in living.values() if one.leads}
        number = rng.choice(list(living))
        one, link, task = living[number]
        match rng.choice(["nothing", "kill", "stop", "cut", "mend"]):
            case "kill":
                task.cancel()
            case "stop":
                one.stop()
            case "cut" | "mend" as what:
                link.up = what == "mend"
        for number, (_, _, task) in list(living.items()):
            if task.done():
                del living[number]
                start(count)
                count += 1
    assert len(terms) > 50
    for _, _, task in living.values():
        task.cancel()
        with suppress(asyncio.CancelledError, LeadershipLost):
            await task


# Settings.


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lease_seconds": 10}, "lease_seconds: expected more than renew_seconds (10)"),
        ({"lease_seconds": 15.5}, "lease_seconds: expected a whole number from 1 up, found 15.5"),
        ({"lease_seconds": 0}, "lease_seconds: expected a whole number from 1 up, found 0"),
        ({"retry_seconds": 9.0}, "renew_seconds: expected more than 1.2 times retry_seconds (10.8)"),
        ({"retry_seconds": 0.0}, "retry_seconds: expected a finite number above 0, found 0.0"),
        ({"identity": ""}, "identity: expected a name that no other process has"),
        ({"name": ""}, "name: expected the name of a Lease, at most 253 of a-z, 0-9, '-' and '.', found ''"),
        ({"name": "A b"}, "name: expected the name of a Lease, at most 253 of a-z, 0-9, '-' and '.', found 'A b'"),
    ],
)
def test_settings_that_would_let_two_lead_are_refused(fields, message):
    """L15."""
    with pytest.raises(ManagerError) as caught:
        LeaderElection(**{"name": "lease", **fields}).validate()
    assert message in str(caught.value)


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(ManagerError, match=r"lease_seconds: .*; renew_seconds: "):
        LeaderElection("lease", lease_seconds=1, renew_seconds=2, retry_seconds=3).validate()


def test_the_defaults_are_the_fields_own():
    election = LeaderElection("lease")
    election.validate()
    assert (election.lease_seconds, election.renew_seconds, election.retry_seconds) == (15, 10.0, 2.0)


def test_identities_are_never_the_same():
    assert new_identity() != new_identity()


async def test_conflicts_are_told_apart_from_failures():
    """A create that meets a Lease, and a write to one that is gone, both lead to a look."""
    server = MemoryLeases()
    one = elector(server.link())
    async with running(one) as (task,):
        await asyncio.sleep(1)
        with pytest.raises(Conflict):
            server.put(attrs.evolve(server.leases["lease"], version="1"))
        del server.leases["lease"]
        with pytest.raises(LeadershipLost, match="somebody has deleted it"):
            await task


async def test_a_lease_that_cannot_be_made_is_warned_of_at_once_and_not_at_every_try(caplog):
    """No Lease is found, which is nothing to tell; but neither can one be made where there is no namespace."""
    server = MemoryLeases()
    tries = []

    def put(lease):
        tries.append(lease)
        raise NotFound(404, "NotFound", 'namespaces "nosuch" not found')

    server.put = put
    with caplog.at_level(logging.WARNING, "windlass.controller.elector"):
        async with running(elector(server.link())):
            await until(lambda: tries)
            await asyncio.sleep(0.1)
            assert len(caplog.records) == 1
            await asyncio.sleep(600)
    warned = [one.getMessage() for one in caplog.records]
    assert all('namespaces "nosuch" not found' in one for one in warned), warned
    assert len(tries) > 100
    assert 4 <= len(warned) <= 6, warned  # after pauses of 30 s and more
