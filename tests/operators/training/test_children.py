"""Objects of attempts on real API servers: created once, never adopted, never deleted as somebody else's."""

import asyncio
import contextlib
import json
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace

import attrs
import pytest
from accounts import token_of
from attempts import RUN, spec
from servers import open_server

from windlass.informers import Api, Client, Cluster, Job, Key, Namespace, Pod, Resource, ServiceAccount
from windlass.informers.errors import AlreadyExists
from windlass.informers.requests import PatchType
from windlass.manifests.install import install
from windlass.operators.errors import ExecutorUnavailable, ManifestRefused, NameConflict, StillEnding
from windlass.operators.training import TrainingJob
from windlass.operators.training.children import Children
from windlass.operators.training.childwatch import ChildWatch
from windlass.operators.training.executors.dressing import labels_of
from windlass.operators.training.executors.kubernetes_job import KUBERNETES_JOB
from windlass.operators.training.identity import child_name

pytestmark = [pytest.mark.realtime(limit=90), pytest.mark.parametrize("server", ["embedded", "kubernetes"])]

CONTAINER = {"name": "main", "image": "example.com/a:1"}


class Ward:
    """A namespace with a TrainingJob, and the objects of its attempts."""

    def __init__(self, server, api, namespace):
        self.server, self.api, self.namespace = server, api, namespace

    async def begin(self):
        body = {"apiVersion": "ai.windlass.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "digits"}}
        told = {"data": {"uri": "/t"}, "executor": "kubernetes-job", "output": {"model": "digits"}}
        made = await self.api.create(TrainingJob, body | {"spec": told}, namespace=self.namespace)
        self.job = made.as_(TrainingJob)
        run = self.namespace[-12:] + "00000000"  # of its own, for the watch sees all namespaces
        self.run = attrs.evolve(RUN, key=Key(self.namespace, "digits"), id=run, uid=made.uid)
        # It is not run: nothing has been seen then, and the server is asked.
        self.watch = ChildWatch(lambda _: None, lambda: self.api.client)

    def children(self, api=None):
        ctx = SimpleNamespace(api=api or self.api)
        return Children(ctx, self.job, self.watch, clock=lambda: datetime.now(UTC))

    def plan(self, **changes):
        return KUBERNETES_JOB.render(spec(), attrs.evolve(self.run, **changes))

    async def jobs(self):
        found = (await self.api.list(Job, namespace=self.namespace)).items
        return sorted(one.name for one in found)

    async def foreign(self, name):
        template = {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}
        body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": self.namespace}}
        return await self.api.create(Job, body | {"spec": {"parallelism": 0, "template": template}})

    async def pod(self, run, **status):
        """A Pod of an attempt that nothing runs."""
        rendered = KUBERNETES_JOB.render(spec(), run)
        template = json.loads(rendered.manifest)["spec"]["template"]
        metadata = {"name": f"lingering-{run.attempt}", "namespace": self.namespace, **template["metadata"]}
        await self.api.create(Pod, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
        if status:
            key = Key(self.namespace, metadata["name"])
            await self.api.patch(Pod, key, {"status": status}, type=PatchType.MERGE, subresource="status")

    @property
    def name(self):
        return child_name("digits", self.run.id, self.run.attempt)


async def until(condition, *, seconds=30):
    end = asyncio.get_running_loop().time() + seconds
    while not await condition():
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def ward(kind):
    async with open_server(kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        await install(api, [TrainingJob])
        namespace = f"children-{uuid.uuid4().hex[:12]}"
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        place = Ward(server, api, namespace)
        await place.begin()
        yield place


async def test_however_often_and_by_however_many_it_is_created_there_is_one_object(server):
    """A8: two reconciles at once, or a crash right after the first."""
    async with ward(server) as place:
        children = place.children()

        await asyncio.gather(*(children.create(place.plan()) for _ in range(4)))
        await place.children().create(place.plan())

        assert [place.name] == await place.jobs()
        found = await children.find(Job, place.run)
        assert found["metadata"]["ownerReferences"][0]["uid"] == place.job.metadata.uid


async def test_a_namesake_is_a_conflict_and_stays_as_it_is(server):
    """G2."""
    async with ward(server) as place:
        made = await place.foreign(place.name)

        with pytest.raises(NameConflict, match="somebody else's"):
            await place.children().create(place.plan())

        await place.children().remove(Job, place.run.id)
        assert (await place.api.get(Job, Key(place.namespace, place.name))).uid == made.uid


async def test_what_carries_our_labels_but_is_another_job_s_is_not_deleted(server):
    """G6, and a spec that copies labels."""
    async with ward(server) as place:
        await place.children().create(place.plan(uid="another"))

        await place.children().remove(Job, place.run.id)

        assert [place.name] == await place.jobs()


async def test_an_earlier_attempt_s_object_is_gone_before_the_next_may_be_made(server):
    """A10."""
    async with ward(server) as place:
        children = place.children()
        await children.create(place.plan())
        later = attrs.evolve(place.run, attempt=3, op_id="later")

        assert not await children.is_clear(Job, later)
        await until(lambda: children.is_clear(Job, later))

        assert await place.jobs() == []


async def test_a_pod_of_an_earlier_attempt_that_may_write_is_waited_for(server):
    """A10: its Job may be gone already."""
    async with ward(server) as place:
        await place.pod(place.run)
        later = attrs.evolve(place.run, attempt=3, op_id="later")

        assert not await place.children().is_clear(Job, later)
        await place.api.patch(
            Pod, Key(place.namespace, "lingering-2"), {"status": {"phase": "Failed"}}, subresource="status"
        )

        assert await place.children().is_clear(Job, later)


async def test_removal_is_over_when_everything_is_gone_and_can_be_asked_for_again(server):
    async with ward(server) as place:
        children = place.children()
        await children.create(place.plan())

        async def removed():
            with contextlib.suppress(StillEnding):
                await children.remove(Job, place.run.id)
                return True
            return False

        await until(removed)

        assert await place.jobs() == []
        await children.remove(Job, place.run.id)


async def test_a_kind_that_is_not_installed_is_said_to_be_so_at_first_sight(server):
    async with ward(server) as place:
        children = place.children()
        for unknown in (Resource("nowhere.dev", "v1", "Ghost", "ghosts"), Resource("batch", "v1", "Ghost", "ghosts")):
            with pytest.raises(ExecutorUnavailable, match="does not serve Ghost") as caught:
                await children.require(unknown)
            assert caught.value.reason == "KindNotInstalled"
        await children.require(Job)


async def test_who_may_not_read_the_kind_is_told_that_and_not_a_wrong_name(server):
    if server == "embedded":
        return  # it has one administrator, unless it is told to judge others
    async with ward(server) as place:
        body = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "poor", "namespace": place.namespace},
        }
        await place.api.create(ServiceAccount, body)
        config = place.server.kubeconfig()
        for user in config["users"]:
            user["user"] = {"token": await token_of(place.api, place.namespace, "poor")}
        async with Client(Cluster.from_dict(config)) as client:
            for work in (place.children(Api(client)).require(Job), place.children(Api(client)).create(place.plan())):
                with pytest.raises(ExecutorUnavailable) as caught:
                    await work
                assert caught.value.reason == "ExecutorForbidden"


async def test_what_the_server_finds_invalid_is_for_good(server):
    async with ward(server) as place:
        wrong = attrs.evolve(place.plan(), manifest=place.plan().manifest.replace(place.name.encode(), b"Not A Name"))

        with pytest.raises(ManifestRefused):
            await place.children().create(wrong)


async def test_a_suspended_job_has_no_pods_and_goes_on_where_that_is_known_else_it_is_deleted(server):
    """A12; before Kubernetes 1.21 a Job cannot be suspended, and the server drops the field."""
    async with ward(server) as place:
        children = place.children()
        await children.create(place.plan())
        pause, go_on = KUBERNETES_JOB.suspension(suspended=True), KUBERNETES_JOB.suspension(suspended=False)

        async def suspended():
            with contextlib.suppress(StillEnding):
                await children.suspend(Job, place.run, pause)
                return True
            return False

        await until(suspended)
        await children.suspend(Job, place.run, pause)

        if server == "embedded":
            assert (await children.find(Job, place.run))["spec"]["suspend"] is True
            await children.resume(Job, place.run, go_on)
            assert not (await place.api.get(Job, Key(place.namespace, place.name))).to_dict()["spec"].get("suspend")
        else:

            async def gone():
                return await place.jobs() == []

            await until(gone)
            await children.resume(Job, place.run, go_on)


async def test_pods_are_those_of_the_attempt(server):
    async with ward(server) as place:
        await place.pod(place.run)
        await place.pod(attrs.evolve(place.run, attempt=3, op_id="later"))

        found = await place.children().pods(place.run, live=True)

        assert [one["metadata"]["name"] for one in found] == ["lingering-2"]
        assert labels_of(place.run).items() <= found[0]["metadata"]["labels"].items()
        with pytest.raises(AlreadyExists):
            await place.pod(place.run)
