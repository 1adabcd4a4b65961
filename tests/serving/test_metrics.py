"""Requests are counted once, with how they ended."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from windlass.serving import LinearModel, LoadedModel
from windlass.serving.batching.execution import Execution
from windlass.serving.errors import BadRequest
from windlass.serving.metrics import DURATION_BUCKETS, VERSIONS_MAX, Metrics
from windlass.serving.telemetry.call import CURRENT, Call


def count(metrics, code):
    labels = {"model": "m", "version": "", "protocol": "v2", "code": str(code)}
    return metrics.registry.get_sample_value("windlass_serving_requests_total", labels)


def test_an_answer_counts_as_200_with_its_duration():
    ticks = iter([10.0, 10.5])
    metrics = Metrics(clock=lambda: next(ticks))
    with metrics.request("m", "v2"):
        assert metrics.registry.get_sample_value("windlass_serving_requests_in_flight") == 1
    labels = {"model": "m", "version": "", "protocol": "v2"}
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
    metrics.executed("m", rows=5, waited=[0.25, 0.5], version="7")
    metrics.computed("m", "7", seconds=0.125)
    metrics.shed("m", "expired")
    value = metrics.registry.get_sample_value
    labels = {"model": "m", "version": "7"}
    assert value("windlass_serving_execution_rows_sum", labels) == 5
    assert value("windlass_serving_execution_rows_count", labels) == 1
    assert value("windlass_serving_queue_duration_seconds_sum", labels) == 0.75
    assert value("windlass_serving_execution_duration_seconds_sum", labels) == 0.125
    assert value("windlass_serving_shed_total", {"model": "m", "reason": "expired"}) == 1


def counted(metrics, call, model="m"):
    CURRENT.set(call)
    with metrics.request(model, "v2"):
        pass
    CURRENT.set(None)


def called(version, trace_id=None):
    call = Call(0.0, trace_id=trace_id)
    call.ask(LoadedModel("m", version, LinearModel()), {}, now=0.0)
    return call


def test_a_request_counts_under_the_version_that_was_run_for_it():
    metrics = Metrics()
    for version in ("1", "2", "2"):
        counted(metrics, called(version))
    counted(metrics, Call(0.0))
    found = {version: count_of(metrics, version) for version in ("1", "2", "")}
    assert found == {"1": 1, "2": 2, "": 1}


def test_a_trace_is_an_exemplar_of_its_count_and_of_its_duration():
    metrics = Metrics()
    counted(metrics, called("1", "0af7651916cd43dd8448eb211c80319c"))
    counted(metrics, called("1"))
    text = openmetrics.generate_latest(metrics.registry).decode()
    marked = [line for line in text.splitlines() if '# {trace_id="0af7651916cd43dd8448eb211c80319c"}' in line]
    names = {line.partition("{")[0] for line in marked}
    assert names == {"windlass_serving_requests_total", "windlass_serving_request_duration_seconds_bucket"}


def test_versions_that_come_and_go_do_not_grow_the_exposition_without_end():
    metrics = Metrics()
    for version in range(3 * VERSIONS_MAX):
        counted(metrics, called(str(version)))
        metrics.executed("m", rows=1, waited=[0.0], version=str(version))
        metrics.computed("m", str(version), seconds=0.0)
    text = generate_latest(metrics.registry).decode()
    for name in ("requests_total", "request_duration_seconds_count", "execution_rows_count"):
        assert text.count(f"windlass_serving_{name}{{") == VERSIONS_MAX
    counted(metrics, called("0"))
    assert count_of(metrics, "0") == 1


def count_of(metrics, version):
    labels = {"model": "m", "version": version, "protocol": "v2", "code": "200"}
    return metrics.registry.get_sample_value("windlass_serving_requests_total", labels)
