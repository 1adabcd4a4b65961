"""What a running manager tells of itself: who holds the loop, what goes on, and to whom it tells that."""

import asyncio
import threading
import time

import aiohttp
import pytest
from servers import open_server

from windlass.controller import Manager, Result, Settings
from windlass.envtest.apiserver import ApiServer
from windlass.informers.builtins import ConfigMap
from windlass.informers.cluster import Cluster

pytestmark = pytest.mark.realtime


def managed(server, **settings):
    known = {"grace_seconds": 5.0, "sync_timeout_seconds": 20.0, "probe_port": 0}
    return Manager(cluster=Cluster.from_dict(server.kubeconfig()), settings=Settings(**{**known, **settings}))


async def create(manager, name):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}
    return await manager.api.create(ConfigMap, body)


async def ask(manager, path, token=None):
    host, port = manager.probe_address
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{host}:{port}{path}", headers=headers) as answer,
    ):
        return answer.status, await (answer.json() if answer.content_type == "application/json" else answer.text())


async def until(question):
    async with asyncio.timeout(20):
        while not question():  # noqa: ASYNC110 - several tasks and threads answer it
            await asyncio.sleep(0.01)


async def test_the_copies_and_the_calls_are_on_the_metrics_page():
    async def reconcile(ctx, request):
        await ctx.api.list(ConfigMap, namespace="default")

    async with open_server("embedded") as server:
        manager = managed(server)
        manager.controller(reconcile, for_=ConfigMap, name="configs")
        async with manager:
            await create(manager, "one")
            await until(lambda: manager.controllers[0].statistics.results["success"])
            _, metrics = await ask(manager, "/metrics")
        host = server.url.removeprefix("http://")
    assert 'windlass_informer_objects{resource="configmaps.v1"} 1.0' in metrics
    assert 'windlass_informer_synced{resource="configmaps.v1"} 1.0' in metrics
    assert f'rest_client_requests_total{{code="201",host="{host}",method="POST"}} 1.0' in metrics
    assert f'rest_client_request_duration_seconds_count{{host="{host}",verb="list"}}' in metrics


async def test_a_reconciler_that_holds_the_loop_is_named_and_counted(caplog):
    async def reconcile(ctx, request):
        time.sleep(0.3)  # noqa: ASYNC251 - this is what is being looked for

    async with open_server("embedded") as server:
        manager = managed(server, block_threshold_seconds=0.1)
        manager.controller(reconcile, for_=ConfigMap, name="configs")
        async with manager:
            await create(manager, "slow")
            await until(lambda: manager.watchdog.counts.get("configs"))
            _, page = await ask(manager, "/debug/controllers")
            _, metrics = await ask(manager, "/metrics")
    messages = [record.getMessage() for record in caplog.records]
    assert any("blocked for 0.1 s by configs, reconciling default/slow" in message for message in messages)
    assert any(
        "in test_a_reconciler_that_holds_the_loop_is_named_and_counted.<locals>.reconcile" in m for m in messages
    )
    assert page["loop"]["blocked"]["configs"] >= 1
    assert page["loop"]["last_blockages"][0]["by"].startswith("configs, reconciling default/slow")
    assert 'windlass_loop_blocked_total{controller="configs"}' in metrics
    assert "windlass_loop_blocked_seconds_count" in metrics


async def test_without_a_threshold_nothing_is_watched():
    async with open_server("embedded") as server:
        manager = managed(server, block_threshold_seconds=0)
        async with manager:
            assert not [one for one in threading.enumerate() if "watchdog" in one.name]


async def test_an_offloaded_reconciler_does_not_hold_the_loop_and_can_do_all_that_others_can():
    threads = set()

    def reconcile(ctx, request):
        threads.add(threading.current_thread().name)
        found = ctx.get(ConfigMap, request.key)
        if found is None or found.name.endswith("-copy") or found.namespace != "default":
            return None
        time.sleep(0.3)
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{found.name}-copy"}}
        ctx.apply(body, owner=found)
        return Result.done()

    async with open_server("embedded") as server:
        manager = managed(server, block_threshold_seconds=0.1)
        controller = manager.controller(reconcile, for_=ConfigMap, name="copies", offload=True, workers=2)
        async with manager:
            await create(manager, "a")
            await until(lambda: any(one.name == "a-copy" for one in manager.cache.list(ConfigMap)))
            await until(lambda: not controller.runs)
            assert manager.watchdog.counts.get("copies", 0) == 0
            assert controller.statistics.errors == 0
    assert {name.rpartition("_")[0] for name in threads} == {"copies"}
    assert len(threads) <= 2


async def test_a_deadline_does_not_let_a_key_go_while_its_thread_is_at_work():
    """C9, Q3."""
    at_work, most = 0, 0

    def reconcile(ctx, request):
        nonlocal at_work, most
        if request.key.name != "slow":
            return
        at_work += 1
        most = max(most, at_work)
        time.sleep(0.15)
        at_work -= 1

    async with open_server("embedded") as server:
        manager = managed(server)
        controller = manager.controller(reconcile, for_=ConfigMap, offload=True, deadline_seconds=0.05)
        async with manager:
            await create(manager, "slow")
            await until(lambda: controller.statistics.timeouts >= 3)
    assert most == 1


async def test_a_function_can_be_computed_off_the_loop_by_any_reconciler():
    seen = []

    async def reconcile(ctx, request):
        seen.append(await ctx.offload(threading.current_thread))
        return Result.done()

    async with open_server("embedded") as server:
        manager = managed(server)
        manager.controller(reconcile, for_=ConfigMap)
        async with manager:
            await create(manager, "a")
            await until(lambda: seen)
    assert all(thread is not threading.main_thread() for thread in seen)


async def test_the_page_shows_where_the_time_of_an_object_went():
    """M11."""

    async def reconcile(ctx, request):
        found = await ctx.get(ConfigMap, request.key)
        if found is not None and "seen" not in found.labels:
            await ctx.create_or_patch(
                ConfigMap, request.key, lambda body: body["metadata"].setdefault("labels", {}).update(seen="yes")
            )

    async with open_server("embedded") as server:
        manager = managed(server)
        controller = manager.controller(reconcile, for_=ConfigMap)
        async with manager:
            await create(manager, "a")
            await until(lambda: any(one.labels.get("seen") for one in manager.cache.list(ConfigMap)))
            await until(lambda: not controller.runs)
            _, page = await ask(manager, "/debug/controllers?key=default/a")
    (described,) = page["controllers"]
    first = described["traces"]["default/a"][0]
    assert (first["reason"], first["result"], first["writes"]) == ("added", "success", 1)
    assert set(first["seconds"]) >= {"arrival", "queue", "run", "write"}
    assert described["latency"]["write"]["count"] >= 1


async def test_a_token_guards_what_goes_on_but_not_the_probes():
    async with open_server("embedded") as server, managed(server, probe_token="secret") as manager:
        assert (await ask(manager, "/readyz"))[0] == 200
        assert (await ask(manager, "/metrics"))[0] == 401
        assert (await ask(manager, "/debug/controllers", "secret"))[0] == 200


async def test_a_manager_whose_token_has_become_wrong_is_not_ready_and_says_why():
    async def reconcile(ctx, request):
        pass

    async with open_server("embedded") as server:
        manager = managed(server, contact_timeout_seconds=0.5)
        manager.controller(reconcile, for_=ConfigMap)
        async with manager:
            assert (await ask(manager, "/readyz"))[0] == 200
            port = int(server.url.rpartition(":")[2])
            await server.stop()
            async with ApiServer(port=port):  # with another token
                await until(lambda: manager.cache.cut_off(0.5))
                status, told = await ask(manager, "/readyz")
                alive, _ = await ask(manager, "/healthz")
                _, metrics = await ask(manager, "/metrics")
    assert (status, alive) == (503, 200)
    assert "informers: configmaps.v1 has been cut off for" in told
    assert 'windlass_informer_cut_off_seconds{resource="configmaps.v1"} 0.0' not in metrics
