"""Numbers under the names the field knows, read when scraped."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from scripted_cluster import WIDGET, ScriptedCluster, running, settle, status

from windlass.informers.builtins import Pod
from windlass.informers.cache import Cache
from windlass.informers.feed import FeedOptions
from windlass.informers.keys import Key
from windlass.informers.metrics import CallMetrics, InformerMetrics
from windlass.informers.phases import Policy
from windlass.informers.requests import get


async def test_informers_are_read_when_scraped():
    registry = CollectorRegistry()
    cluster = ScriptedCluster("a")
    cache = Cache(cluster.client, options=FeedOptions(Policy(streaming=False)))
    InformerMetrics(registry, lambda: cache.informers)
    assert b"widgets" not in generate_latest(registry)

    informer = cache.informer(WIDGET)
    informer.add_handler(lambda change: 1 / 0, name="broken")
    async with running(cache):
        await cache.ready(5)
        cluster.put("b")
        cluster.bookmark()
        cluster.end_streams()
        await settle()
        cluster.emit({"type": "ERROR", "object": status(410, "Expired")})
        await settle()

        def value(name, **labels):
            return registry.get_sample_value(name, {"resource": "widgets.v1.ex.dev", **labels})

        assert value("windlass_informer_objects") == 2
        assert value("windlass_informer_bytes") == informer.store.bytes_held
        assert value("windlass_informer_synced") == 1
        assert value("windlass_informer_pending") == 0
        assert value("windlass_informer_events_total", event="added") == 2
        assert value("windlass_informer_events_total", event="bookmark") == 1
        assert value("windlass_informer_watch_restarts_total", cause="ended") == 1
        assert value("windlass_informer_relists_total", cause="expired") == 1
        assert value("windlass_informer_handler_failures_total", handler="broken") == 2
        assert value("windlass_informer_read_your_writes_total", result="timed_out") == 0
        assert value("windlass_informer_last_event_age_seconds") == pytest.approx(0.0, abs=0.1)
        assert value("windlass_informer_lag_seconds") == 0.0
        assert value("windlass_informer_cut_off_seconds") == 0.0


async def test_several_informers_of_a_kind_are_summed_and_the_longest_of_their_times_is_told():
    registry = CollectorRegistry()
    cluster = ScriptedCluster("a")
    cache = Cache(cluster.client, options=FeedOptions(Policy(streaming=False)))
    InformerMetrics(registry, lambda: cache.informers)
    cache.informer(WIDGET)
    cache.informer(WIDGET, labels="app=x")
    resource = {"resource": "widgets.v1.ex.dev"}
    async with running(cache):
        await cache.ready(5)
        await asyncio.sleep(30)
        assert registry.get_sample_value("windlass_informer_objects", resource) == 2
        assert registry.get_sample_value("windlass_informer_synced", resource) == 2
        assert registry.get_sample_value("windlass_informer_last_event_age_seconds", resource) == pytest.approx(30.0)


def test_calls_are_counted_under_the_rest_clients_names():
    registry = CollectorRegistry()
    metrics = CallMetrics(registry, host="server:6443")
    request = get(Pod, Key("ns", "a"))

    metrics.called(request, "200", 0.03)
    metrics.called(request, "200", 0.2)
    metrics.called(request, "<error>", 1.0)
    metrics.retried(request, "429")

    labels = {"method": "GET", "host": "server:6443"}
    assert registry.get_sample_value("rest_client_requests_total", {**labels, "code": "200"}) == 2
    assert registry.get_sample_value("rest_client_requests_total", {**labels, "code": "<error>"}) == 1
    again = {"code": "429", "verb": "get", "host": "server:6443"}
    assert registry.get_sample_value("rest_client_request_retries_total", again) == 1
    duration = {"verb": "get", "host": "server:6443"}
    assert registry.get_sample_value("rest_client_request_duration_seconds_count", duration) == 3
    assert registry.get_sample_value("rest_client_request_duration_seconds_bucket", {**duration, "le": "0.1"}) == 1
