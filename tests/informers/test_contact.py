"""An informer that is cut off says so again and again, and for how long; one in contact may be as quiet as it likes."""

import asyncio
import logging

from prometheus_client import CollectorRegistry
from scripted_cluster import LISTS, WIDGET, ScriptedCluster, refusal, running

from windlass.informers.cache import Cache
from windlass.informers.contact import Complaints, Contact
from windlass.informers.errors import ConnectionFailed
from windlass.informers.feed import FeedOptions
from windlass.informers.metrics import InformerMetrics

LIMIT_SECONDS = 60.0
REFUSED = refusal(401, "Unauthorized", "Unauthorized")


def refuse_everything(cluster):
    cluster.fail(*[REFUSED] * 10_000)
    cluster.end_streams()


def caching(cluster):
    cache = Cache(cluster.client, options=FeedOptions(LISTS))
    cache.informer(WIDGET)
    return cache


async def test_a_refused_token_is_warned_of_again_and_again_with_growing_pauses(caplog):
    cluster = ScriptedCluster("a")
    cache = caching(cluster)
    async with running(cache):
        await cache.ready(5)
        with caplog.at_level(logging.WARNING, "windlass.informers.informer"):
            refuse_everything(cluster)
            await asyncio.sleep(3600)
    warned = [one.getMessage() for one in caplog.records]
    assert 10 <= len(warned) <= 20, warned  # once at most in five minutes, and in between only when it is tried
    assert all("401" in one for one in warned)
    assert "s now)" in warned[-1]


async def test_an_informer_that_is_cut_off_is_named_with_the_time_and_the_cause():
    cluster = ScriptedCluster("a")
    cache = caching(cluster)
    registry = CollectorRegistry()
    InformerMetrics(registry, lambda: cache.informers)

    def told():
        return registry.get_sample_value("windlass_informer_cut_off_seconds", {"resource": "widgets.v1.ex.dev"})

    async with running(cache):
        await cache.ready(5)
        assert (told(), cache.cut_off(LIMIT_SECONDS)) == (0.0, None)
        refuse_everything(cluster)
        await asyncio.sleep(50)
        assert 40 <= told() <= 50
        assert cache.cut_off(LIMIT_SECONDS) is None
        await asyncio.sleep(150)
        assert 190 <= told() <= 200
        problem = cache.cut_off(LIMIT_SECONDS)
        assert problem.startswith("widgets.v1.ex.dev has been cut off for ")
        assert "401" in problem
        cluster.script.clear()
        await asyncio.sleep(70)  # the longest wait between two tries is a minute
        assert (told(), cache.cut_off(LIMIT_SECONDS)) == (0.0, None)


async def test_a_server_that_is_away_for_less_than_the_limit_cuts_nobody_off():
    """The next try may come when the limit is over; it is the outage that counts, not the wait."""
    for seconds in range(1, 59, 3):
        cluster = ScriptedCluster("a")
        cache = caching(cluster)
        async with running(cache):
            await cache.ready(5)
            cluster.fail(*[ConnectionFailed("connection refused", sent=False)] * 10_000)
            cluster.end_streams()
            for second in range(200):
                if second == seconds:
                    cluster.script.clear()
                await asyncio.sleep(1)
                assert cache.cut_off(LIMIT_SECONDS) is None, f"away for {seconds} s, after {second} s"
            assert cache.informers[0].cut_off_seconds() == 0.0


async def test_an_informer_whose_collection_is_quiet_is_in_contact():
    cache = caching(ScriptedCluster("a"))
    async with running(cache):
        await cache.ready(5)
        await asyncio.sleep(250)  # less than a watch lasts at least
        assert cache.informers[0].cut_off_seconds() == 0.0


def test_contact_is_lost_with_the_first_failure_and_regained_with_a_success():
    contact = Contact()
    assert (contact.seconds_lost(5.0), contact.seconds_proved()) == (0.0, 0.0)
    contact.lost(10.0)
    contact.lost(14.0)
    assert (contact.seconds_lost(30.0), contact.seconds_proved()) == (20.0, 4.0)
    contact.made()
    assert (contact.seconds_lost(30.0), contact.seconds_proved()) == (0.0, 0.0)


def test_another_complaint_is_due_at_once_and_the_same_one_after_a_pause_that_doubles():
    complaints = Complaints()
    assert [now for now in range(700) if complaints.due("a", now)] == [0, 30, 90, 210, 450]
    assert complaints.due("b", 701)
    assert not complaints.due("b", 702)
    complaints.over()
    assert complaints.due("b", 703)
