"""The manager: what it refuses to be built of, how it starts, and that it always stops whole."""

import asyncio
import os
import signal
import socket
import sys
import textwrap
import time

import aiohttp
import attrs
import pytest
from servers import open_server

from windlass.controller import (
    Context,
    DuplicateName,
    GraceExceeded,
    KindNotRegistered,
    Manager,
    ManagerError,
    Request,
    Settings,
    Watch,
    map_self,
)
from windlass.informers.builtins import ConfigMap, Event, Namespace, Node, Pod, Secret
from windlass.informers.cluster import Cluster
from windlass.informers.errors import ConfigError
from windlass.informers.keys import Key
from windlass.informers.resources import Resource

ROCKET = Resource("example.com", "v1", "Rocket", "rockets")
GALAXY = Resource("example.com", "v1", "Galaxy", "galaxies", namespaced=False)


async def nothing(ctx: Context, request: Request) -> None:
    """Reconciles by doing nothing."""


# Building: no server, no loop.


def test_building_needs_no_loop_and_starts_nothing():
    manager = Manager(kinds=[ROCKET])
    controller = manager.controller(nothing, for_=ROCKET)
    assert controller.name == "rocket"
    assert manager.controllers == (controller,)
    assert repr(manager) == "<Manager new controllers=1 runnables=0>"


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"for_": ROCKET}, "for_"),
        ({"for_": Pod, "owns": [ROCKET]}, "the controller pod (owns)"),
        ({"for_": Pod, "watches": [Watch(ROCKET, map_self)]}, "the controller pod (watches)"),
        ({"for_": Pod, "reads": [ROCKET]}, "the controller pod (reads)"),
    ],
    ids=["for_", "owns", "watches", "reads"],
)
def test_a_kind_that_is_not_registered_is_refused_wherever_it_is_used(arguments, place):
    manager = Manager()
    with pytest.raises(KindNotRegistered) as caught:
        manager.controller(nothing, **arguments)
    assert str(caught.value).startswith(f"{place} uses the kind Rocket (rockets.v1.example.com)")
    assert manager.controllers == ()


def test_an_operator_may_bring_its_kinds_along():
    manager = Manager()
    manager.register(ROCKET)
    assert manager.controller(nothing, for_=ROCKET).name == "rocket"


def test_names_are_unique_among_controllers_and_runnables():
    """C12."""

    class Thing:
        name = "pod"

        async def run(self):
            """Run."""

    manager = Manager()
    manager.controller(nothing, for_=Pod)
    with pytest.raises(DuplicateName, match="the name 'pod' is already used"):
        manager.controller(nothing, for_=Pod)
    with pytest.raises(DuplicateName):
        manager.add(Thing())
    manager.controller(nothing, for_=Pod, name="other")


def test_an_owner_relation_that_the_garbage_collector_would_undo_is_refused():
    """P10."""
    with pytest.raises(ManagerError, match="Pod is namespaced and cannot own the cluster-scoped Node"):
        Manager().controller(nothing, for_=Pod, owns=[Node])
    Manager(kinds=[GALAXY]).controller(nothing, for_=GALAXY, owns=[Node, Pod])


@pytest.mark.parametrize("arguments", [{"workers": 0}, {"deadline_seconds": 0.0}])
def test_numbers_out_of_range_are_refused(arguments):
    with pytest.raises(ManagerError, match="expected workers >= 1 and a finite deadline_seconds > 0"):
        Manager().controller(nothing, for_=Pod, **arguments)


@pytest.mark.parametrize("part", ["client", "api", "cache", "probe_address"])
def test_what_exists_only_while_it_runs_says_so_before(part):
    with pytest.raises(ManagerError, match="start"):
        getattr(Manager(), part)


async def test_waiting_for_a_manager_that_was_not_started_is_an_error():
    with pytest.raises(ManagerError, match="nothing to wait for"):
        await Manager().wait()


async def test_run_inside_a_loop_is_refused():
    with pytest.raises(ManagerError, match="inside one use `async with manager:`"):
        Manager().run()


# Starting.


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def managed(server, **settings):
    defaults = {"grace_seconds": 5.0, "connect_timeout_seconds": 2.0, "sync_timeout_seconds": 10.0}
    return Manager(
        kinds=[ROCKET], cluster=Cluster.from_dict(server.kubeconfig()), settings=Settings(**{**defaults, **settings})
    )


async def ours():
    """The tasks of this loop but those of the servers' connections, which end a moment after ours do."""
    await asyncio.sleep(0.05)
    return {task for task in asyncio.all_tasks() if "RequestHandler" not in repr(task)}


async def fails_to_start(manager):
    before = await ours()
    try:
        async with manager:
            raise AssertionError("it started")
    finally:
        assert await ours() == before


@pytest.mark.realtime
async def test_a_server_that_cannot_be_reached_is_named_within_the_time_given():
    address = f"http://127.0.0.1:{free_port()}"
    manager = Manager(cluster=Cluster(server=address), settings=Settings(connect_timeout_seconds=1.0))
    manager.controller(nothing, for_=Pod)
    started = time.monotonic()
    with pytest.raises(
        ManagerError, match=f"the API server at {address} could not be used within 1 s: .*Connection refused"
    ):
        await fails_to_start(manager)
    assert time.monotonic() - started < 3.0


@pytest.mark.realtime
async def test_credentials_that_are_refused_are_told_at_once():
    async with open_server("embedded") as server:
        config = server.kubeconfig()
        config["users"][0]["user"] = {"token": "wrong"}
        manager = Manager(cluster=Cluster.from_dict(config), settings=Settings(connect_timeout_seconds=30.0))
        manager.controller(nothing, for_=Pod)
        started = time.monotonic()
        with pytest.raises(ManagerError, match=rf"the API server at {server.url} refuses these credentials: .*401"):
            await fails_to_start(manager)
        assert time.monotonic() - started < 3.0


@pytest.mark.realtime
async def test_a_kubeconfig_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="absent"):
        await fails_to_start(Manager(kubeconfig=tmp_path / "absent"))


@pytest.mark.realtime
@pytest.mark.parametrize("server_kind", ["embedded", "kubernetes"])
async def test_a_kind_that_the_server_does_not_serve_is_named(server_kind):
    async with open_server(server_kind) as server:
        manager = managed(server, connect_timeout_seconds=1.0)
        manager.controller(nothing, for_=ROCKET)
        with pytest.raises(ManagerError, match=r"does not serve rockets\.v1\.example\.com: is the Custom"):
            await fails_to_start(manager)


@pytest.mark.realtime
async def test_an_occupied_probe_port_is_named():
    async with open_server("embedded") as server:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(ManagerError, match=f"cannot listen on 127.0.0.1:{port}: .*in use"):
                await fails_to_start(managed(server, probe_port=port))


@pytest.mark.realtime
async def test_a_manager_runs_once():
    async with open_server("embedded") as server:
        manager = managed(server)
        async with manager:
            pass
        with pytest.raises(ManagerError, match="a manager runs once"):
            await fails_to_start(manager)


@pytest.mark.realtime
async def test_a_stop_during_the_start_ends_it():
    async with open_server("embedded") as server:
        manager = managed(server, sync_timeout_seconds=30.0)
        manager.controller(nothing, for_=ROCKET)
        asyncio.get_running_loop().call_later(0.3, manager.stop)
        started = time.monotonic()
        with pytest.raises(ManagerError, match="stopped before it had started"):
            await fails_to_start(manager)
        assert time.monotonic() - started < 5.0


# Running and stopping.


class Part:
    """A runnable that notes when it starts and stops, and fails when told."""

    def __init__(self, name, log, *, seconds_to_stop=0.0):
        self.name = name
        self.log = log
        self.seconds_to_stop = seconds_to_stop
        self.failure = asyncio.get_running_loop().create_future()

    async def run(self):
        self.log.append(f"{self.name} starts")
        try:
            await self.failure
        finally:
            if self.seconds_to_stop:
                await asyncio.sleep(self.seconds_to_stop)
            self.log.append(f"{self.name} stops")


def secret(name):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"}}


@pytest.mark.realtime
async def test_start_and_stop_order():
    """M1, M7: caches, then runnables, then controllers; back in reverse, running keys first; and no task is left."""
    log = []

    async def slow(ctx, request):
        log.append("run begins")
        await asyncio.sleep(0.3)
        log.append("run ends")

    before = await ours()
    async with open_server("embedded") as server:
        inside = await ours()
        manager = managed(server)
        manager.controller(slow, for_=Secret)
        manager.add(Part("part", log))
        async with manager:
            assert log == ["part starts"]
            await manager.api.create(Secret, secret("a"))
            while "run begins" not in log:  # noqa: ASYNC110 - the watch brings it
                await asyncio.sleep(0.01)
        assert log == ["part starts", "run begins", "run ends", "part stops"]
        assert await ours() == inside
    assert await ours() == before


class Boom(Exception):
    pass


async def _body_fails(manager):
    async with manager:
        raise Boom


async def _part_fails(manager):
    broken = Part("broken", [])
    manager.add(broken)
    async with manager:
        broken.failure.set_exception(Boom())
        await manager.wait()


async def _part_fails_at_the_start(manager):
    broken = Part("broken", [])
    broken.failure.set_exception(Boom())
    manager.add(broken)
    async with manager:
        await manager.wait()


async def _source_fails(manager):
    class Broken:
        name = "broken"

        async def run(self, wake):
            raise Boom

    manager.controller(nothing, for_=ConfigMap, sources=[Broken()])
    async with manager:
        await manager.wait()


async def _run_hangs(manager):
    begun = asyncio.Event()

    async def hang(ctx, request):
        begun.set()
        await asyncio.Event().wait()

    manager.controller(hang, for_=ConfigMap)
    async with manager:
        manager.controllers[-1].queue.add(Key("default", "a"))
        await begun.wait()


async def _cancelled(manager):
    async def inside():
        async with manager:
            await manager.wait()

    task = asyncio.create_task(inside())
    await asyncio.sleep(0.5)
    task.cancel()
    await task


async def _kind_is_missing(manager):
    manager.controller(nothing, for_=ROCKET)
    async with manager:
        pass


SHAPES = {
    _body_fails: Boom,
    _part_fails: Boom,
    _part_fails_at_the_start: Boom,
    _source_fails: Boom,
    _run_hangs: GraceExceeded,
    _cancelled: asyncio.CancelledError,
    _kind_is_missing: ManagerError,
}


@pytest.mark.realtime
async def test_no_task_is_left_whatever_went_wrong():
    """M7, scenario 54."""
    async with open_server("embedded") as server:
        before = await ours()
        for shape, error in SHAPES.items():
            manager = managed(server, grace_seconds=0.2, connect_timeout_seconds=0.3)
            manager.controller(nothing, for_=Secret, name="secrets")
            with pytest.raises(error):
                await shape(manager)
            assert await ours() == before, shape.__name__


@pytest.mark.realtime
async def test_a_failure_stops_the_others_and_is_raised_by_wait():
    """M8."""
    log = []
    async with open_server("embedded") as server:
        manager = managed(server)
        broken, steady = Part("broken", log), Part("steady", log)
        manager.add(broken)
        manager.add(steady)
        with pytest.raises(ConnectionError, match="broker gone"):  # noqa: PT012 - raised where the body ends
            async with manager:
                broken.failure.set_exception(ConnectionError("broker gone"))
                await manager.wait()
        assert log[-2:] == ["broken stops", "steady stops"]


@pytest.mark.realtime
async def test_a_failure_interrupts_a_body_that_does_not_wait_and_the_task_stays_usable():
    async with open_server("embedded") as server:
        manager = managed(server)
        broken = Part("broken", [])
        manager.add(broken)
        with pytest.raises(ConnectionError, match="broker gone"):  # noqa: PT012 - raised where the body ends
            async with manager:
                broken.failure.set_exception(ConnectionError("broker gone"))
                await asyncio.sleep(30)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0)


@pytest.mark.realtime
async def test_a_second_failure_is_noted_on_the_first():
    async with open_server("embedded") as server:
        manager = managed(server)
        first, second = Part("first", []), Part("second", [])
        manager.add(first)
        manager.add(second)
        with pytest.raises(ValueError, match="one") as caught:  # noqa: PT012 - raised where the body ends
            async with manager:
                first.failure.set_exception(ValueError("one"))
                second.failure.set_exception(ValueError("two"))
                await manager.wait()
        assert caught.value.__notes__ == ["second failed too: ValueError: two"]


@pytest.mark.realtime
async def test_the_bodys_own_error_goes_through_and_everything_is_stopped():
    log = []
    async with open_server("embedded") as server:
        manager = managed(server)
        manager.add(Part("part", log))
        with pytest.raises(ZeroDivisionError):
            async with manager:
                1 / 0  # noqa: B018
        assert log == ["part starts", "part stops"]


@pytest.mark.realtime
async def test_an_error_that_the_body_raises_when_it_is_interrupted_carries_the_failure():
    async with open_server("embedded") as server:
        manager = managed(server)
        broken = Part("broken", [])
        manager.add(broken)
        with pytest.raises(ZeroDivisionError) as caught:  # noqa: PT012 - the body goes wrong while it is interrupted
            async with manager:
                broken.failure.set_exception(ConnectionError("broker gone"))
                try:
                    await asyncio.sleep(30)
                finally:
                    1 / 0  # noqa: B018
        assert caught.value.__notes__ == ["besides: ConnectionError: broker gone"]


@pytest.mark.realtime
async def test_being_cancelled_stops_in_order_and_stays_a_cancellation():
    log = []
    async with open_server("embedded") as server:
        manager = managed(server)
        manager.add(Part("part", log))

        async def embedding():
            async with manager:
                await asyncio.sleep(30)

        task = asyncio.create_task(embedding())
        while not log:  # noqa: ASYNC110 - it starts
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert log == ["part starts", "part stops"]


@pytest.mark.realtime
async def test_what_does_not_stop_in_time_is_named():
    """M4."""
    async with open_server("embedded") as server:
        manager = managed(server, grace_seconds=0.2)
        manager.add(Part("slow", [], seconds_to_stop=0.6))
        with pytest.raises(GraceExceeded, match=r"longer than 0\.2 s; still running: slow"):
            async with manager:
                pass


@pytest.mark.realtime
async def test_a_failure_is_raised_together_with_the_stop_error():
    """M5."""
    async with open_server("embedded") as server:
        manager = managed(server, grace_seconds=0.2)
        broken = Part("broken", [])
        manager.add(broken)
        manager.add(Part("slow", [], seconds_to_stop=0.6))
        with pytest.raises(ConnectionError) as caught:  # noqa: PT012 - raised where the body ends
            async with manager:
                broken.failure.set_exception(ConnectionError("gone"))
                await manager.wait()
        assert "still running: slow" in caught.value.__notes__[0]


@pytest.mark.realtime
async def test_parts_added_while_it_runs_start_at_once_and_after_the_stop_are_refused():
    """M6, scenario 55."""
    log = []
    async with open_server("embedded") as server:
        manager = managed(server)
        async with manager:
            manager.add(Part("late", log))
            seen = asyncio.Event()

            async def note(ctx, request):
                seen.set()

            await manager.controller(note, for_=Namespace).ready()
            await asyncio.wait_for(seen.wait(), 5.0)
            assert log == ["late starts"]
            manager.stop()
            with pytest.raises(ManagerError, match=r"too_late cannot be added: the manager has begun to stop \(M6\)"):
                manager.add(Part("too_late", log))
        with pytest.raises(ManagerError, match="has begun to stop"):
            manager.controller(note, for_=Pod)


@pytest.mark.realtime
async def test_embedding_never_touches_signals():
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    async with open_server("embedded") as server, managed(server):
        assert {number: signal.getsignal(number) for number in handlers} == handlers


@pytest.mark.realtime
async def test_the_probe_server_tells_life_readiness_numbers_and_doings():
    """C16: every counter is there at zero before the first run."""
    async with open_server("embedded") as server, aiohttp.ClientSession() as session:

        async def fail(ctx, request):
            raise RuntimeError("not today")

        manager = managed(server, probe_port=0)
        manager.controller(fail, for_=ConfigMap, workers=3)
        manager.controller(nothing, for_=Event, name="idle")
        async with manager:
            base = "http://{}:{}".format(*manager.probe_address)
            for path in ("/healthz", "/readyz"):
                async with session.get(base + path) as answer:
                    assert answer.status == 200
                    assert (await answer.text()).endswith("ok\n")
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}
            await manager.api.create(ConfigMap, body)
            while not manager.controllers[0].statistics.errors:  # noqa: ASYNC110 - the watch brings it
                await asyncio.sleep(0.01)
            async with session.get(f"{base}/metrics") as answer:
                text = await answer.text()
            assert 'controller_runtime_reconcile_total{controller="idle",result="success"} 0.0' in text
            assert 'controller_runtime_max_concurrent_reconciles{controller="configmap"} 3.0' in text
            async with session.get(f"{base}/debug/controllers") as answer:
                (first, idle) = (await answer.json())["controllers"]
            assert first["name"] == "configmap"
            assert first["workers"]["all"] == 3
            assert first["last_errors"][0]["error"] == "RuntimeError: not today"
            assert idle["queue"]["ready"] == 0
            manager.stop()
            async with session.get(f"{base}/readyz") as answer:
                assert answer.status == 503
                assert "[-] started: stopping" in await answer.text()


@pytest.mark.realtime
async def test_events_recorded_at_the_last_moment_are_still_written():
    """M1: the recorder ends last."""
    async with open_server("embedded") as server:
        manager = managed(server)
        async with manager:
            created = await manager.api.create(Secret, secret("last"))

            class Farewell(Part):
                async def run(self):
                    try:
                        await super().run()
                    finally:
                        manager.recorder.event(created, reason="Farewell", message="bye")

            manager.add(Farewell("farewell", []))
            await asyncio.sleep(0.05)
        assert manager.recorder.recorded == 1


PROGRAM = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    from windlass.controller import Manager, Settings
    from windlass.informers.builtins import ConfigMap

    class Slow:
        name = "slow"

        async def run(self):
            print("started", flush=True)
            try:
                await asyncio.sleep(1000)
            finally:
                print("stopping", flush=True)
                await asyncio.sleep(float(sys.argv[2]))
                print("stopped", flush=True)

    async def reconcile(ctx, request):
        return None

    manager = Manager(kubeconfig=Path(sys.argv[1]), settings=Settings(grace_seconds=20.0))
    manager.controller(reconcile, for_=ConfigMap)
    manager.add(Slow())
    manager.run()
    print("returned", flush=True)
""")


async def started_program(server, tmp_path, seconds_to_stop):
    server.write_kubeconfig(tmp_path / "kubeconfig")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, str(tmp_path / "kubeconfig"), str(seconds_to_stop)),
        stdout=asyncio.subprocess.PIPE,
        env=dict(os.environ),
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"started\n"
    await asyncio.sleep(0.2)
    return process


@pytest.mark.realtime
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_stops_in_order(tmp_path, number):
    """M10."""
    async with open_server("embedded") as server:
        process = await started_program(server, tmp_path, 0.2)
        process.send_signal(number)
        output, _ = await process.communicate()
        assert output == b"stopping\nstopped\nreturned\n"
        assert process.returncode == 0


@pytest.mark.realtime
async def test_the_second_signal_ends_the_process_at_once(tmp_path):
    """M10."""
    async with open_server("embedded") as server:
        process = await started_program(server, tmp_path, 15.0)
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"stopping\n"
        process.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(process.communicate(), 3.0)
        assert output == b""
        assert process.returncode == 1


@pytest.mark.realtime
async def test_a_runnable_may_hold_a_run_of_its_own_key_type():
    """A manager without controllers is a manager all the same: it connects, runs what was added, and stops."""
    async with open_server("embedded") as server:
        manager = managed(server)
        async with manager:
            assert manager.cache.informers == ()
            assert (await manager.api.get(Namespace, Key("", "default"))).name == "default"
        assert attrs.has(Settings)
