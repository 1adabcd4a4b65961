"""The debug page's entry of a controller."""

from datetime import UTC, datetime

from windlass.controller.controller import Controller
from windlass.controller.debug import describe_controller
from windlass.controller.latency import KEYS_MAX, STAGES, Trace
from windlass.controller.spec import ControllerSpec
from windlass.controller.statistics import FailedRun
from windlass.informers.keys import Key

NOW = datetime(2026, 8, 1, 12, 0, 0, 125_000, tzinfo=UTC)


async def nothing(ctx, request):
    return None


def trace(**fields):
    known = {"time": NOW, "reconcile_id": "id-1", "reason": "added", "attempt": 0, "result": "success", "writes": 0}
    stages = {"arrival": None, "queue": 0.25, "cache": None, "run": 0.5, "write": None, "retry": None}
    return Trace(**{**known, **stages, **fields})


async def test_the_debug_page_shows_queue_workers_oldest_key_and_last_errors():
    controller = Controller(ControllerSpec(name="pods", reconcile=nothing, watches=(), workers=2))
    queue = controller.queue
    queue.add("running")
    await queue.get()
    queue.add("running")
    queue.add("oldest")
    queue.add_after("timer", 60.0)
    controller.statistics.last_errors.append(FailedRun("2026-08-01T00:00:00+00:00", "ns/a", "no"))
    page = describe_controller(controller, 2.5)
    assert set(page.pop("latency")) == set(STAGES)
    assert page == {
        "name": "pods",
        "ready": False,
        "queue": {
            "ready": 1,
            "by_priority": {"0": 1, "-100": 0},
            "waiting": 1,
            "rerun": 1,
            "oldest": {"key": "oldest", "seconds": 2.5},
        },
        "workers": {
            "all": 2,
            "active": 0,
            "running": [{"key": "running", "seconds": 2.5, "reason": "waiting for the cache"}],
        },
        "results": {"success": 0, "error": 0, "requeue": 0, "requeue_after": 0},
        "last_errors": [{"time": "2026-08-01T00:00:00+00:00", "key": "ns/a", "error": "no"}],
        "traces": {},
    }


async def test_the_debug_page_lists_the_longest_runs_only():
    controller = Controller(ControllerSpec(name="pods", reconcile=nothing, watches=()))
    for number in range(30):
        controller.queue.add(str(number))
        await controller.queue.get()
    running = describe_controller(controller, 1.0)["workers"]["running"]
    assert [one["key"] for one in running] == [str(number) for number in range(20)]


async def test_the_debug_page_says_where_the_time_went_in_all_and_in_the_last_runs():
    """M11."""
    controller = Controller(ControllerSpec(name="pods", reconcile=nothing, watches=()))
    key = Key("ns", "a")
    controller.latency.ended(key, trace(writes=2, write=0.1), retried_from=None)
    controller.latency.ended(key, trace(queue=2000.0), retried_from=None)
    page = describe_controller(controller, 1.0)
    assert page["latency"]["queue"] == {"count": 2, "mean": 1000.125, "p50": 0.25, "p99": "+Inf"}
    assert page["latency"]["retry"] == {"count": 0, "mean": None, "p50": None, "p99": None}
    assert [run["seconds"] for run in page["traces"]["ns/a"]] == [
        {"queue": 0.25, "run": 0.5, "write": 0.1},
        {"queue": 2000.0, "run": 0.5},
    ]
    assert page["traces"]["ns/a"][0] | {"seconds": None} == {
        "time": "2026-08-01T12:00:00.125+00:00",
        "reconcile_id": "id-1",
        "reason": "added",
        "attempt": 0,
        "result": "success",
        "writes": 2,
        "seconds": None,
    }


async def test_the_page_names_the_keys_that_ran_last_and_any_key_if_asked():
    controller = Controller(ControllerSpec(name="pods", reconcile=nothing, watches=()))
    for number in range(KEYS_MAX):
        controller.latency.ended(Key("ns", str(number)), trace(), retried_from=None)
    assert list(describe_controller(controller, 1.0)["traces"])[:2] == ["ns/511", "ns/510"]
    assert len(describe_controller(controller, 1.0)["traces"]) == 20
    assert len(describe_controller(controller, 1.0, key=Key("ns", "3"))["traces"]["ns/3"]) == 1
