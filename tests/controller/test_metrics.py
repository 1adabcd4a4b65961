"""The numbers, under the names that the field's dashboards know."""

import asyncio
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from windlass.controller.controller import Controller
from windlass.controller.latency import STAGES
from windlass.controller.metrics import ControllerCollector
from windlass.controller.queue import LOW
from windlass.controller.recorder import Recorder
from windlass.controller.spec import ControllerSpec


async def nothing(ctx, request):
    return None


def make(name="pods"):
    return Controller(ControllerSpec(name=name, reconcile=nothing, watches=(), workers=4))


def scrape(*controllers):
    registry = CollectorRegistry()
    recorder = Recorder("tests", instance="t", clock=lambda: datetime(2026, 8, 1, tzinfo=UTC))
    registry.register(ControllerCollector(lambda: controllers, recorder))
    return generate_latest(registry).decode().splitlines()


RUN = '{controller="pods"'
QUEUE = '{controller="pods",name="pods"'


@pytest.mark.parametrize(
    "line",
    [
        f'controller_runtime_reconcile_total{RUN},result="success"}} 0.0',
        f'controller_runtime_reconcile_total{RUN},result="error"}} 0.0',
        f'controller_runtime_reconcile_total{RUN},result="requeue"}} 0.0',
        f'controller_runtime_reconcile_total{RUN},result="requeue_after"}} 0.0',
        f"controller_runtime_reconcile_errors_total{RUN}}} 0.0",
        f"controller_runtime_terminal_reconcile_errors_total{RUN}}} 0.0",
        f"controller_runtime_reconcile_panics_total{RUN}}} 0.0",
        f"controller_runtime_reconcile_timeouts_total{RUN}}} 0.0",
        f'controller_runtime_reconcile_time_seconds_bucket{RUN},le="0.005"}} 0.0',
        f'controller_runtime_reconcile_time_seconds_bucket{RUN},le="60.0"}} 0.0',
        f"controller_runtime_reconcile_time_seconds_count{RUN}}} 0.0",
        f"controller_runtime_max_concurrent_reconciles{RUN}}} 4.0",
        f"controller_runtime_active_workers{RUN}}} 0.0",
        f'workqueue_depth{QUEUE},priority="0"}} 0.0',
        f'workqueue_depth{QUEUE},priority="-100"}} 0.0',
        f"workqueue_adds_total{QUEUE}}} 0.0",
        f"workqueue_retries_total{QUEUE}}} 0.0",
        f"workqueue_unfinished_work_seconds{QUEUE}}} 0.0",
        f"workqueue_longest_running_processor_seconds{QUEUE}}} 0.0",
        'workqueue_queue_duration_seconds_bucket{controller="pods",le="1e-08",name="pods"} 0.0',
        'workqueue_queue_duration_seconds_bucket{controller="pods",le="1000.0",name="pods"} 0.0',
        f"workqueue_work_duration_seconds_count{QUEUE}}} 0.0",
        'windlass_events_total{outcome="dropped"} 0.0',
    ],
)
def test_every_series_is_there_at_zero_before_the_first_run(line):
    """C16, table 1.11."""
    assert line in scrape(make())


async def test_a_scrape_shows_what_the_queue_is_doing_now():
    controller = make()
    queue = controller.queue
    queue.add("low", priority=LOW)
    for key in ("a", "b"):
        queue.add(key)
    await queue.get()
    queue.retry("failed")
    await asyncio.sleep(0.004)
    lines = scrape(controller)
    assert f'workqueue_depth{QUEUE},priority="0"}} 1.0' in lines
    assert f'workqueue_depth{QUEUE},priority="-100"}} 1.0' in lines
    assert f"workqueue_adds_total{QUEUE}}} 3.0" in lines
    assert f"workqueue_retries_total{QUEUE}}} 1.0" in lines
    assert f"workqueue_unfinished_work_seconds{QUEUE}}} 0.004" in lines
    assert f"workqueue_longest_running_processor_seconds{QUEUE}}} 0.004" in lines
    assert f"workqueue_queue_duration_seconds_count{QUEUE}}} 1.0" in lines


def test_each_controller_has_series_of_its_own():
    lines = scrape(make("pods"), make("jobs"))
    assert [line for line in lines if line.startswith("controller_runtime_active_workers{")] == [
        'controller_runtime_active_workers{controller="pods"} 0.0',
        'controller_runtime_active_workers{controller="jobs"} 0.0',
    ]


def test_without_controllers_there_is_still_a_page():
    assert any(line.startswith("# HELP controller_runtime_reconcile_total") for line in scrape())


async def test_the_latency_report_is_a_histogram_for_each_stage():
    """M11; all there, at zero, before the first run (C16)."""
    controller = make()
    lines = scrape(controller)
    for stage in STAGES:
        assert f'windlass_latency_seconds_count{{controller="pods",stage="{stage}"}} 0.0' in lines
    controller.latency.histograms["queue"].observe(0.3)
    assert 'windlass_latency_seconds_bucket{controller="pods",le="0.5",stage="queue"} 1.0' in scrape(controller)
