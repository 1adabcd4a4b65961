"""Requests are counted once, with how they ended."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from windlass.serving.batching.execution import Execution
from windlass.serving.errors import BadRequest
from windlass.serving.metrics import DURATION_BUCKETS, Metrics


def count(metrics, code):
    labels = {"model": "m", "protocol": "v2", "code": str(code)}
    return metrics.registry.get_sample_value("windlass_serving_requests_total", labels)


def test_an_answer_counts_as_200_with_its_duration():
    ticks = iter([10.0, 10.5])
    metrics = Metrics(clock=lambda: next(ticks))
    with metrics.request("m", "v2"):
        assert metrics.registry.get_sample_value("windlass_serving_requests_in_flight") == 1
    labels = {"model": "m", "protocol": "v2"}
    assert count(metrics, 200) == 1
    assert metrics.registry.get_sample_value("windlass_serving_requests_in_flight") == 0
    assert metrics.registry.get_sample_value("windlass_serving_request_duration_seconds_sum", labels) == 0.5


@pytest.mark.parametrize(
    ("error", "code"),
    [(BadRequest("x"), 400), (asyncio.CancelledError(), 499), (ZeroDivisionError(), 500)],
)
def test_an_error_counts_under_its_status_and_passes_through(error, code):
    metrics = Metrics()
    with pytest.raises(type(error)), metrics.request("m", "v2"):
        raise error
    assert count(metrics, code) == 1
    assert metrics.registry.get_sample_value("windlass_serving_requests_in_flight") == 0


def test_a_goal_of_800_ms_lies_on_the_edge_of_a_bucket():
    assert 0.8 in DURATION_BUCKETS


def test_the_callers_registry_is_used_and_models_are_read_at_each_scrape():
    registry, loaded = CollectorRegistry(), []
    metrics = Metrics(registry)
    metrics.watch_models(lambda: len(loaded), lambda: 2)
    loaded.append("digits")
    assert registry.get_sample_value("windlass_serving_models_loaded") == 1
    assert registry.get_sample_value("windlass_serving_models_unavailable") == 2


def test_what_waits_is_read_at_each_scrape_and_at_the_registration():
    """The default registry asks for the names when a collector is registered."""
    registry, waiting = CollectorRegistry(auto_describe=True), {}
    execution = Execution(metrics=Metrics(registry))
    assert registry.get_sample_value("windlass_serving_queue_rows", {"model": "m"}) is None
    execution.close()
    metrics = Metrics()
    metrics.watch_queues(lambda: waiting)
    waiting["m"] = (1, 20, 300)
    found = [
        metrics.registry.get_sample_value(f"windlass_serving_queue_{unit}", {"model": "m"})
        for unit in ("requests", "rows", "bytes")
    ]
    assert found == [1, 20, 300]


def test_an_execution_counts_its_rows_and_each_wait():
    metrics = Metrics()
    metrics.executed("m", rows=5, waited=[0.25, 0.5])
    metrics.shed("m", "expired")
    value = metrics.registry.get_sample_value
    assert value("windlass_serving_execution_rows_sum", {"model": "m"}) == 5
    assert value("windlass_serving_execution_rows_count", {"model": "m"}) == 1
    assert value("windlass_serving_queue_duration_seconds_sum", {"model": "m"}) == 0.75
    assert value("windlass_serving_shed_total", {"model": "m", "reason": "expired"}) == 1
