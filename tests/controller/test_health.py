"""The probe server, over a real socket."""

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from windlass.controller.controller import Controller, ControllerSpec, FailedRun
from windlass.controller.errors import ManagerError
from windlass.controller.health import ProbeServer, describe_controller


async def nothing(ctx, request):
    return None


def server(**checks):
    registry = CollectorRegistry()
    Counter("things", "Things.", registry=registry).inc(3)
    live = checks.get("live", {"loop": lambda: None})
    ready = checks.get("ready", {"caches": lambda: None})
    return ProbeServer("127.0.0.1", 0, registry=registry, controllers=list, live=live, ready=ready)


async def ask(probes, path, **headers):
    host, port = probes.address
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{host}:{port}{path}", headers=headers) as answer,
    ):
        return answer.status, answer.headers.get("Content-Type", ""), await answer.text()


@pytest.mark.realtime
async def test_checks_that_pass_answer_200_with_one_line_each():
    async with server() as probes:
        assert await ask(probes, "/healthz") == (200, "text/plain; charset=utf-8", "[+] loop ok\nok\n")
        assert (await ask(probes, "/readyz"))[2] == "[+] caches ok\nok\n"


@pytest.mark.realtime
async def test_a_check_that_fails_answers_503_and_says_why():
    async with server(ready={"caches": lambda: "pods.v1 is not complete", "lease": lambda: None}) as probes:
        status, _, text = await ask(probes, "/readyz")
        assert (status, text) == (503, "[-] caches: pods.v1 is not complete\n[+] lease ok\nfailed\n")
        assert (await ask(probes, "/healthz"))[0] == 200


@pytest.mark.realtime
async def test_metrics_come_in_the_format_that_is_asked_for():
    async with server() as probes:
        status, kind, text = await ask(probes, "/metrics")
        assert (status, kind.partition(";")[0]) == (200, "text/plain")
        assert "things_total 3.0" in text
        _, kind, text = await ask(probes, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
        assert kind.startswith("application/openmetrics-text")
        assert text.endswith("# EOF\n")


@pytest.mark.realtime
async def test_other_paths_are_not_found():
    async with server() as probes:
        assert (await ask(probes, "/"))[0] == 404


@pytest.mark.realtime
async def test_the_address_is_known_only_while_it_listens():
    probes = server()
    with pytest.raises(ManagerError, match="does not listen"):
        _ = probes.address
    async with probes:
        taken = ProbeServer(*probes.address, registry=CollectorRegistry(), controllers=list, live={}, ready={})
        with pytest.raises(ManagerError, match=r"cannot listen on 127\.0\.0\.1:\d+: .*; choose another Settings"):
            await taken.__aenter__()
    with pytest.raises(ManagerError, match="does not listen"):
        _ = probes.address


async def test_the_debug_page_shows_queue_workers_oldest_key_and_last_errors():
    controller = Controller(ControllerSpec(name="pods", reconcile=nothing, watches=(), workers=2))
    queue = controller.queue
    queue.add("running")
    await queue.get()
    queue.add("running")
    queue.add("oldest")
    queue.add_after("timer", 60.0)
    controller.statistics.last_errors.append(FailedRun("2026-08-01T00:00:00+00:00", "ns/a", "no"))
    assert describe_controller(controller, 2.5) == {
        "name": "pods",
        "ready": False,
        "queue": {
            "ready": 1,
            "by_priority": {"0": 1, "-100": 0},
            "waiting": 1,
            "rerun": 1,
            "oldest": {"key": "oldest", "seconds": 2.5},
        },
        "workers": {"all": 2, "active": 0, "running": [{"key": "running", "seconds": 2.5}]},
        "results": {"success": 0, "error": 0, "requeue": 0, "requeue_after": 0},
        "last_errors": [{"time": "2026-08-01T00:00:00+00:00", "key": "ns/a", "error": "no"}],
    }


async def test_the_debug_page_lists_the_longest_runs_only():
    controller = Controller(ControllerSpec(name="pods", reconcile=nothing, watches=()))
    for number in range(30):
        controller.queue.add(str(number))
        await controller.queue.get()
    running = describe_controller(controller, 1.0)["workers"]["running"]
    assert [one["key"] for one in running] == [str(number) for number in range(20)]
