"""What Kubernetes 1.20 cannot show yet, and what becomes of the rest when it is deleted: on the embedded server."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from servers import open_server

from windlass.envtest.workloads import NodeSpec, Stage, Then, When, Workloads
from windlass.envtest.workloads.jobs import INDEX
from windlass.envtest.workloads.objects import ReplicaSet
from windlass.informers import Api, Client, Cluster, Deployment, Job, Key, Node, Pod
from windlass.informers.errors import ApiError, NotFound

pytestmark = pytest.mark.realtime
NOTES = "envtest.windlass.dev/"


@asynccontextmanager
async def running(**options):
    async with open_server("embedded") as server:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Workloads(cluster, **options) as workloads, Client(cluster) as client:
            yield workloads, Api(client)


def job(name, *, annotations=None, **spec):
    containers = [{"name": "main", "image": "one"}]
    template = {
        "metadata": {"annotations": annotations or {}},
        "spec": {"restartPolicy": "Never", "containers": containers},
    }
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template, **spec}}


async def until(question):
    while not (found := await question()):  # noqa: ASYNC110
        await asyncio.sleep(0.03)
    return found


async def status_of(api, name):
    return (await api.get(Job, Key("default", name))).to_dict()["status"]


async def ended(api, name):
    """The status of a Job that is over."""

    async def is_over():
        status = await status_of(api, name)
        return status if {one["type"] for one in status.get("conditions", ())} & {"Complete", "Failed"} else None

    return await until(is_over)


async def test_every_index_of_an_indexed_job_gets_its_pod():
    async with running() as (_, api):
        await api.create(Job, job("indexed", completions=5, parallelism=3, completionMode="Indexed"))
        status = await ended(api, "indexed")
        pods = [one.to_dict() for one in (await api.list(Pod)).items]
    assert (status["succeeded"], status["completedIndexes"]) == (5, "0-4")
    assert sorted(one["metadata"]["annotations"][INDEX] for one in pods) == list("01234")
    assert {one["spec"]["hostname"] for one in pods} == {f"indexed-{index}" for index in range(5)}


async def test_a_suspended_job_loses_its_pods_and_resumes():
    async with running() as (_, api):
        await api.create(Job, job("held", annotations={f"{NOTES}run-seconds": "600"}))
        await until(lambda: _active(api, "held"))
        await api.patch(Job, Key("default", "held"), {"spec": {"suspend": True}})
        await until(lambda: _has_no_pods(api))
        assert {one["type"]: one["status"] for one in (await status_of(api, "held"))["conditions"]} == {
            "Suspended": "True"
        }
        await api.patch(Job, Key("default", "held"), {"spec": {"suspend": False}})
        await until(lambda: _active(api, "held"))
        conditions = (await status_of(api, "held"))["conditions"]
        assert [(one["type"], one["status"], one["reason"]) for one in conditions] == [
            ("Suspended", "False", "JobResumed")
        ]


async def test_a_failed_pod_is_followed_by_another_until_the_limit():
    async with running(job_retry_seconds=0.1) as (_, api):
        await api.create(Job, job("fails", annotations={f"{NOTES}exit-codes": "1"}, backoffLimit=2))
        status = await ended(api, "fails")
        pods = (await api.list(Pod)).items
    assert (status["failed"], len(pods), status["conditions"][0]["reason"]) == (3, 3, "BackoffLimitExceeded")


async def test_a_job_whose_time_to_live_is_over_goes_with_its_pods():
    async with running() as (_, api):
        await api.create(Job, job("short-lived", ttlSecondsAfterFinished=0))
        await until(lambda: _is_gone(api, Job, "short-lived"))
        await until(lambda: _has_no_pods(api))


async def test_a_deleted_deployment_takes_everything_with_it():
    containers = [{"name": "main", "image": "one"}]
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": containers}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "a"}}, "template": template}
    metadata = {"name": "web", "namespace": "default"}
    async with running() as (_, api):
        await api.create(
            Deployment, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
        )
        await until(lambda: _pods_ready(api, 2))
        await api.delete(Deployment, Key("default", "web"), propagation="Foreground")
        await until(lambda: _has_no_pods(api))
        await until(lambda: _is_gone(api, Deployment, "web"))
        assert (await api.list(ReplicaSet)).items == []


async def test_a_pod_waits_for_room_and_takes_it_when_there_is_some():
    stages = (Stage("run", When(phase="Pending"), Then(run=True)),)
    nodes = (NodeSpec("small", {"pods": "1"}),)
    async with running(stages=stages, nodes=nodes) as (workloads, api):
        for name in ("first", "second"):
            body = {
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"containers": [{"name": "m", "image": "i"}]},
            }
            await api.create(Pod, {"apiVersion": "v1", "kind": "Pod"} | body)
            if name == "first":
                await until(lambda: _pods_ready(api, 1))
        condition = await until(lambda: _unscheduled(api, "second"))
        assert condition["message"] == "0/1 nodes are available: 1 Too many pods."
        await api.delete(Pod, Key("default", "first"))
        await until(lambda: _pods_ready(api, 1))
        assert "nodes=1" in repr(workloads)


async def test_nodes_that_are_there_are_brought_up_to_date():
    changed = NodeSpec("n", {"nvidia.com/gpu": "8"}, labels={"a": "b"})
    async with running(nodes=(NodeSpec("n"),)) as (_, api), Workloads(api.client.cluster, nodes=(changed,)):
        node = (await api.get(Node, Key("", "n"))).to_dict()
    assert (node["status"]["allocatable"]["nvidia.com/gpu"], node["metadata"]["labels"]["a"]) == ("8", "b")
    assert [one["status"] for one in node["status"]["conditions"]] == ["True"]


async def _active(api, name):
    return (await status_of(api, name)).get("active") == 1


async def _has_no_pods(api):
    return not (await api.list(Pod)).items


async def _is_gone(api, kind, name):
    try:
        await api.get(kind, Key("default", name))
    except NotFound:
        return True
    except ApiError:
        pass
    return False


async def _pods_ready(api, count):
    pods = [one.to_dict()["status"] for one in (await api.list(Pod)).items]
    return sum(one["phase"] == "Running" for one in pods) == count


async def _unscheduled(api, name):
    conditions = (await api.get(Pod, Key("default", name))).to_dict()["status"].get("conditions", ())
    return next((one for one in conditions if one.get("reason") == "Unschedulable"), None)
