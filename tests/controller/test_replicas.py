"""Several processes on one server: who works, who waits, and what a process does that has lost its Lease."""

import asyncio
import contextlib
import signal
import uuid
from collections import defaultdict
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import attrs
import pytest
import yaml
from programs import running
from servers import open_server

from windlass.controller import (
    FencingToken,
    LeaderElection,
    LeadershipLost,
    Manager,
    ManagerError,
    Result,
    Settings,
    Sharding,
    SupportedVersions,
    VersionMismatch,
)
from windlass.controller.leases import ApiLeases
from windlass.controller.rendezvous import owner_of
from windlass.controller.settings import utc_now
from windlass.informers.api import Api
from windlass.informers.builtins import ConfigMap, Lease, Namespace
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.errors import NotFound
from windlass.informers.informer import Informer
from windlass.informers.keys import Key

PROGRAM = Path(__file__).resolve().parents[1] / "replica_program.py"
SERVERS = pytest.mark.parametrize("server_kind", ["embedded", "kubernetes"])
TIMES = {"lease_seconds": 2, "renew_seconds": 1.5, "retry_seconds": 0.2}


@attrs.define(eq=False)
class Place:
    """A server, a namespace of the test's own, and ways in."""

    server: object
    client: Client
    namespace: str

    @property
    def api(self):
        return Api(self.client)

    @property
    def leases(self):
        return ApiLeases(self.client, self.namespace, clock=utc_now)

    def manager(self, **settings):
        defaults = {"grace_seconds": 5.0, "sync_timeout_seconds": 20.0}
        return Manager(
            cluster=self.client.cluster, namespace=self.namespace, settings=Settings(**{**defaults, **settings})
        )

    def election(self, **fields):
        return LeaderElection(**{"name": "lease", "namespace": self.namespace, **TIMES, **fields})

    async def work(self, name):
        metadata = {"name": name, "namespace": self.namespace}
        await self.api.create(ConfigMap, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}})

    async def lease(self, name="lease"):
        try:
            return (await self.leases.get(name)).record
        except NotFound:
            return None

    async def held_by_another(self):
        """The Lease is held by somebody who renews it no more: for the next minute it is another's."""
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "lease", "namespace": self.namespace},
            "spec": {"holderIdentity": "other", "leaseDurationSeconds": 60, "leaseTransitions": 3},
        }
        await self.api.create(Lease, body)


@asynccontextmanager
async def place(server_kind="embedded"):
    async with open_server(server_kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        namespace = f"replicas-{uuid.uuid4().hex[:8]}"
        await Api(client).create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        yield Place(server, client, namespace)


async def until(question, *, seconds=15.0):
    async with asyncio.timeout(seconds):
        while not (answer := question()):  # noqa: ASYNC110 - other processes answer
            await asyncio.sleep(0.02)
    return answer


# One process.


@pytest.mark.realtime
async def test_a_leader_works_and_gives_its_lease_back_when_its_last_run_has_ended():
    """L10, scenario 51."""
    async with place() as here:
        manager, holders = here.manager(leader_election=here.election(identity="me")), []
        begun = asyncio.Event()

        async def slow(ctx, request):
            assert ctx.fencing_token.revision > 0
            begun.set()
            await asyncio.sleep(2.5)
            holders.append((await here.lease()).holder)

        manager.controller(slow, for_=ConfigMap, workers=1)
        await here.work("a")
        async with manager:
            await asyncio.wait_for(begun.wait(), 5)
        assert holders == ["me"], "renewed for longer than it lasts while the run went on"
        record = await here.lease()
        assert (record.holder, record.lease_seconds) == ("", 1)


@pytest.mark.realtime
async def test_a_standby_is_ready_with_its_caches_filled_and_works_nothing():
    """M9: or a rolling update would wait for ever. Sources and queues are warm before leadership."""
    async with place() as here:
        await here.held_by_another()
        manager, ran, parts = here.manager(leader_election=here.election(), probe_port=0), [], []

        class Part:
            def __init__(self, name):
                self.name = name

            async def run(self):
                parts.append(self.name)
                await asyncio.sleep(3600)

        async def reconcile(ctx, request):
            ran.append(request.key)

        controller = manager.controller(reconcile, for_=ConfigMap)
        manager.add(Part("elected"))
        manager.add(Part("everywhere"), elected=False)
        await here.work("a")
        async with manager, aiohttp.ClientSession() as session:
            await asyncio.sleep(1)
            host, port = manager.probe_address
            async with session.get(f"http://{host}:{port}/readyz") as answer:
                assert answer.status == 200
            async with session.get(f"http://{host}:{port}/healthz") as answer:
                assert (answer.status, "leases ok" in await answer.text()) == (200, True)
            async with session.get(f"http://{host}:{port}/metrics") as answer:
                text = await answer.text()
            assert 'leader_election_master_status{name="lease"} 0.0' in text
            assert 'leader_election_slowpath_total{name="lease"} 0.0' in text
            assert len(controller.queue) >= 1
            assert manager.cache.get(ConfigMap, Key(here.namespace, "a")) is not None
            assert parts == ["everywhere"]
        assert ran == []
        assert (await here.lease()).holder == "other"


@pytest.mark.realtime
async def test_a_standby_that_is_stopped_never_starts_its_elected_parts():
    """M3, scenario 52: even if the Lease is free a moment later."""
    async with place() as here:
        await here.held_by_another()
        manager, ran = here.manager(leader_election=here.election()), []

        async def reconcile(ctx, request):
            ran.append(request.key)

        manager.controller(reconcile, for_=ConfigMap)
        await here.work("a")
        async with manager:
            await asyncio.sleep(0.3)
            manager.stop()
            lease = await here.leases.get("lease")
            await here.leases.delete(lease)
            await asyncio.sleep(1)
        assert ran == []
        record = await here.lease()
        assert record is None or record.holder == ""


@pytest.mark.realtime
async def test_a_manager_that_loses_its_lease_stops_at_once_and_says_so():
    """M2, scenario 52: no grace for runs, and what is raised says what to do."""
    async with place() as here:
        manager, ended, tokens = here.manager(leader_election=here.election(identity="me"), grace_seconds=30.0), [], []
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def endless(ctx, request):
            begun.set()
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append(loop.time())
                with pytest.raises(LeadershipLost):
                    _ = ctx.fencing_token
                tokens.append("refused")

        manager.controller(endless, for_=ConfigMap)
        await here.work("a")
        with pytest.raises(LeadershipLost, match=r"the Lease lease is lost: it is held by 'thief'; me must not go on"):  # noqa: PT012
            async with manager:
                await asyncio.wait_for(begun.wait(), 5)
                theft = {"spec": {"holderIdentity": "thief", "leaseTransitions": 9}}
                await here.api.patch(Lease, Key(here.namespace, "lease"), theft)
                taken = loop.time()
                await manager.wait()
        assert ended
        assert ended[0] - taken < 1.0
        assert tokens == ["refused"]
        assert loop.time() - taken < 2.0
        assert (await here.lease()).holder == "thief"


@pytest.mark.realtime
async def test_settings_that_cannot_work_are_refused_when_the_manager_is_built():
    """L15."""
    election = LeaderElection("lease", lease_seconds=5)
    with pytest.raises(ManagerError, match="lease_seconds: expected more than renew_seconds"):
        Manager(settings=Settings(leader_election=election))
    with pytest.raises(ManagerError, match="name: expected lower-case"):
        Manager(settings=Settings(sharding=Sharding("A B")))
    with pytest.raises(ManagerError, match=r"sharded=True needs Settings\(sharding="):
        Manager().controller(lambda ctx, request: None, for_=ConfigMap, sharded=True)


@pytest.mark.realtime
async def test_a_server_of_the_wrong_version_is_refused_before_anything_runs():
    async with place() as here:
        ran = []

        async def reconcile(ctx, request):
            ran.append(request.key)

        await here.work("a")
        manager = here.manager(supported_versions=SupportedVersions(lowest="1.99"))
        manager.controller(reconcile, for_=ConfigMap)
        with pytest.raises(VersionMismatch, match=rf"at {here.client.cluster.server} is version v1\..*1\.99 or newer"):
            async with manager:
                raise AssertionError("it started")
        assert ran == []
        manager = here.manager(supported_versions=SupportedVersions(lowest="1.99", policy="warn"))
        manager.controller(reconcile, for_=ConfigMap)
        async with manager:
            await until(lambda: ran)


@pytest.mark.realtime
async def test_sharded_controllers_in_one_process_share_the_keys_and_pass_them_on():
    async with place() as here:
        names = [f"work-{number}" for number in range(20)]
        for name in names:
            await here.work(name)
        runs = defaultdict(list)

        def manager(member):
            async def reconcile(ctx, request):
                assert ctx.fencing_token is not None
                runs[request.key.name].append(member)
                return Result.after(0.1)

            made = here.manager(sharding=Sharding("group", here.namespace, member=member, **TIMES))
            made.controller(reconcile, for_=ConfigMap, sharded=True)
            return made

        def workers(last=3):
            return {name: set(runs[name][-last:]) for name in names}

        async with manager("a"):
            await until(lambda: all(workers()[name] == {"a"} for name in names))
            async with manager("b"):
                await until(lambda: {"b"} in workers().values())
                await until(lambda: all(len(found) == 1 for found in workers().values()))
                assert {min(found) for found in workers().values()} == {"a", "b"}
            await until(lambda: all(workers()[name] == {"a"} for name in names))


# Many processes.


class Partition:
    """A TCP proxy that forwards until `cut`; then nothing passes any more, either way, and nothing is closed."""

    def __init__(self, target):
        self.target = urlsplit(target)
        self.open = asyncio.Event()
        self.open.set()
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self):
        self.open.clear()

    @property
    def url(self):
        return f"{self.target.scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _accept(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        ends = [writer]
        try:
            await self.open.wait()
            out_reader, out_writer = await asyncio.open_connection(self.target.hostname, self.target.port)
            ends.append(out_writer)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, out_writer))
                group.create_task(self._pump(out_reader, writer))
        except* OSError:
            pass
        finally:
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader, writer):
        while chunk := await reader.read(65536):
            await self.open.wait()
            writer.write(chunk)
            await writer.drain()
        writer.close()


@attrs.define(eq=False)
class Fleet:
    """Replicas as processes, each behind a proxy of its own, and all that was ever written, in the server's order."""

    place: Place
    mode: str
    folder: Path
    stack: contextlib.AsyncExitStack
    programs: dict = attrs.field(factory=dict)
    proxies: dict = attrs.field(factory=dict)
    history: dict = attrs.field(factory=lambda: defaultdict(list))

    async def start(self, *names):
        for name in names:
            proxy = await self.stack.enter_async_context(Partition(self.place.server.url))
            config = self.place.server.kubeconfig()
            name_of_server = urlsplit(self.place.server.url).hostname  # what its certificate bears, wherever it is met
            config["clusters"][0]["cluster"] |= {"server": proxy.url, "tls-server-name": name_of_server}
            path = self.folder / f"{name}.yaml"
            path.write_text(yaml.safe_dump(config))
            locks = self.folder / "locks"
            locks.mkdir(exist_ok=True)
            arguments = (str(PROGRAM), str(path), self.place.namespace, self.mode, name, str(locks))
            self.proxies[name] = proxy
            self.programs[name] = await self.stack.enter_async_context(running(*arguments, cwd=self.folder))

    def signal(self, name, number):
        self.programs[name].process.send_signal(number)

    def record(self, change):
        obj = change.new if hasattr(change, "new") else change.object
        data = obj.to_dict().get("data") or {}
        if "token" in data:
            self.history[obj.name].append((data["writer"], FencingToken.parse(data["token"])))

    def writer(self, name):
        """Who wrote last, if that was since `name` was cut out of the history."""
        return self.history[name][-1][0] if self.history[name] else None

    def writers(self):
        return {name: self.writer(name) for name in self.history}

    def said(self, word):
        return [line for one in self.programs.values() for line in one.out if word in line]

    def check_tokens(self):
        """No write under an older token came through after one under a newer, on any object."""
        for name, written in self.history.items():
            tokens = [token for _, token in written]
            assert tokens == sorted(tokens), f"{name}: {written}"


@asynccontextmanager
async def fleet(server_kind, mode, folder, objects):
    async with place(server_kind) as here, contextlib.AsyncExitStack() as stack:
        for name in objects:
            await here.work(name)
        made = Fleet(here, mode, folder, stack)
        informer = Informer(here.client, ConfigMap, namespace=here.namespace)
        informer.add_handler(made.record, name="history")
        watching = asyncio.create_task(informer.run())
        await informer.ready()
        try:
            yield made
        finally:
            watching.cancel()
            await asyncio.wait([watching])


@SERVERS
@pytest.mark.slow
@pytest.mark.realtime(limit=150)
async def test_killed_paused_and_cut_off_leaders_never_write_after_their_successors(server_kind, tmp_path):
    """L13 with fencing: three replicas; kill -9, SIGSTOP past the lease and SIGCONT, a partition, an orderly end."""
    async with fleet(server_kind, "leader", tmp_path, ["work"]) as replicas:

        async def next_leader(*former):
            return await until(lambda: replicas.writer("work") not in (*former, None) and replicas.writer("work"))

        await replicas.start("a", "b", "c")
        first = await next_leader()

        replicas.signal(first, signal.SIGKILL)
        second = await next_leader(first)

        replicas.signal(second, signal.SIGSTOP)
        third = await next_leader(first, second)
        await asyncio.sleep(0.5)
        replicas.signal(second, signal.SIGCONT)
        ended = await replicas.programs[second].end(seconds=10)
        assert ended.code != 0
        assert "the Lease replicas is lost" in ended.err

        await replicas.start("d", "e")
        await replicas.programs["e"].line("held by")
        replicas.proxies[third].cut()
        fourth = await next_leader(first, second, third)
        ended = await replicas.programs[third].end(seconds=10)
        assert ended.code != 0
        assert "no renewal was acknowledged within 2 s" in ended.err

        replicas.signal(fourth, signal.SIGTERM)
        ended = await replicas.programs[fourth].end(seconds=10)
        assert ended.code == 0, ended.err
        fifth = await next_leader(first, second, third, fourth)
        assert len({first, second, third, fourth, fifth}) == 5
        replicas.check_tokens()
        transitions = [token.transitions for _, token in replicas.history["work"]]
        assert sorted(set(transitions)) == [0, 1, 2, 3, 4]


@SERVERS
@pytest.mark.slow
@pytest.mark.realtime(limit=300)
async def test_replicas_that_share_keys_never_work_one_at_once(server_kind, tmp_path):
    """Three replicas; one joins, one is killed, one is cut off, one leaves in order; at last one is paused."""
    names = [f"work-{number}" for number in range(12)]
    async with fleet(server_kind, "sharded", tmp_path, names) as replicas:

        async def shared_by(*members):
            """Every object has been written since by the member that the ring gives it to."""
            replicas.check_tokens()
            marks = {name: len(replicas.history[name]) for name in names}
            owners = {name: owner_of(Key(replicas.place.namespace, name), members) for name in names}

            def shared():
                return all(
                    len(replicas.history[name]) > marks[name] and replicas.writer(name) == owners[name]
                    for name in names
                )

            await until(shared, seconds=40)

        await replicas.start("a", "b")
        await shared_by("a", "b")
        await replicas.start("c")
        await shared_by("a", "b", "c")
        replicas.signal("a", signal.SIGKILL)
        await shared_by("b", "c")
        await replicas.start("d")
        await shared_by("b", "c", "d")
        replicas.proxies["b"].cut()
        await shared_by("c", "d")
        assert (await replicas.programs["b"].end(seconds=10)).code != 0
        await replicas.start("e")
        await shared_by("c", "d", "e")
        replicas.signal("c", signal.SIGTERM)
        await shared_by("d", "e")
        assert (await replicas.programs["c"].end(seconds=10)).code == 0
        assert replicas.said("COLLISION") == []

        replicas.signal("d", signal.SIGSTOP)
        await shared_by("e")
        replicas.signal("d", signal.SIGCONT)
        ended = await replicas.programs["d"].end(seconds=10)
        assert "the Lease replicas.d is lost" in ended.err
        await asyncio.sleep(1)
        replicas.check_tokens()
