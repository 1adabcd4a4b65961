"""Jobs whose Pods get hardware, on both servers: chosen, told, waited for, and moved.

Nothing computes here: Pods without a command run until somebody deletes them, on nodes that nothing stands behind.
"""

import asyncio
import contextlib
import json
import os
import secrets

import attrs
import pytest
from kubelet import STAGES
from servers import control_plane_binaries, kubectl_binary, open_server

from windlass.controller import ExecutorRegistry, Manager
from windlass.envtest.controlplane import ControlPlane
from windlass.envtest.workloads import NodeSpec, Taint, Workloads
from windlass.envtest.workloads.reconcilers import JobReconciler, Scheduler
from windlass.informers import Api, Client, Cluster, Job, Key, Node, Pod
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, setup, write_sample_table
from windlass.operators.training.executors.dressing import JOB_ANNOTATION

pytestmark = pytest.mark.realtime(limit=180)
RACK = "cloud.provider.com/topology-rack"
H100 = "NVIDIA-H100-80GB-HBM3"
KEPT = Taint("nvidia.com/gpu", "present")
NODES = (
    NodeSpec("gpu", {"nvidia.com/gpu": "1"}, {RACK: "r1", "nvidia.com/gpu.product": H100}, (KEPT,)),
    NodeSpec("left", {}, {RACK: "r1"}),
    NodeSpec("right", {}, {RACK: "r2"}),
)


class Ground:
    """A cluster with nodes, and a controller of TrainingJobs."""

    def __init__(self, path, api, server):
        self.path, self.api, self.server = path, api, server
        self.cluster = Cluster.from_dict(server.kubeconfig())
        self.mark = secrets.token_hex(3)  # other tests have had jobs of these names on the shared control plane
        self.settings = TrainingSettings(
            path / "state", path / "models", executors=ExecutorRegistry(discover=lambda: ())
        )

    @contextlib.asynccontextmanager
    async def controller(self):
        manager = Manager(kinds=[TrainingJob], cluster=self.cluster)
        setup(manager, self.settings)
        async with manager:
            yield manager

    def key(self, name):
        return Key("default", f"{name}-{self.mark}")

    async def apply(self, name, *, hardware, queue="default", **workload):
        body = {
            "apiVersion": "ai.windlass.dev/v1alpha1",
            "kind": "TrainingJob",
            "metadata": {"name": self.key(name).name, "namespace": "default"},
            "spec": {
                "data": {"uri": (self.path / "digits").as_uri(), "version": 0},
                "executor": "kubernetes-job",
                "output": {"model": name},
                "workload": {"image": "example.com/trainer:1"} | workload,
                "hardware": hardware,
                "queue": queue,
            },
        }
        await self.api.create(TrainingJob, body)

    async def until(self, name, condition, *, seconds=90.0):
        """The status, once it is so; the condition may be asked about before there is any hardware in it."""
        async with asyncio.timeout(seconds):
            while True:
                found = (await self.api.get(TrainingJob, self.key(name))).as_(TrainingJob).status
                if found.hardware is not None and condition(found):
                    return found
                await asyncio.sleep(0.05)

    async def delete(self, name):
        await self.api.delete(TrainingJob, self.key(name))

    async def pods(self, name, *, count=1):
        """The Pods of a job, once so many have a node and run."""
        async with asyncio.timeout(60):
            while True:
                found = [one.to_dict() for one in (await self.api.list(Pod, namespace="default")).items]
                mine = [
                    pod
                    for pod in found
                    if pod["metadata"].get("annotations", {}).get(JOB_ANNOTATION) == self.key(name).name
                ]
                ready = [pod for pod in mine if pod["spec"].get("nodeName") and pod["status"].get("phase") == "Running"]
                if len(ready) == count == len(mine):
                    return ready
                await asyncio.sleep(0.05)

    async def described(self, name):
        """What `kubectl describe` says."""
        config = self.path / "kubeconfig"
        self.server.write_kubeconfig(config)
        process = await asyncio.create_subprocess_exec(
            *(kubectl_binary(), "--kubeconfig", config, "describe", "trainingjob", self.key(name).name),
            env={"HOME": str(self.path), "PATH": os.environ["PATH"]},
            stdout=asyncio.subprocess.PIPE,
        )
        return (await process.communicate())[0].decode()


@contextlib.asynccontextmanager
async def ground(path, server):
    await asyncio.to_thread(write_sample_table, path / "digits")
    async with server as running, Client(Cluster.from_dict(running.kubeconfig())) as client:
        api = Api(client)
        await install(api, [TrainingJob])
        yield Ground(path, api, running)


@contextlib.asynccontextmanager
async def running(place, reconciler, **declared):
    """A part of a control plane, which a test starts when it likes."""
    manager = Manager(cluster=place.cluster)
    manager.controller(reconciler, **declared)
    async with manager:
        yield


def watched(manager):
    return {informer.resource.plural for informer in manager.cache.informers}


def reason(status):
    return next((one.reason for one in status.conditions if one.type == "Placed"), None)


def is_placed(status):
    return reason(status) == "Placed" and status.phase == "Running"


@pytest.mark.parametrize("kind", ["embedded", "kubernetes"])
async def test_jobs_are_given_the_first_class_with_room_and_say_why_it_was_not_another(tmp_path, kind):
    """C1, C2, C3, C5: onto the GPU, onto a CPU as it is taken, waiting for a rack, and placed when there is one."""
    real = kind == "kubernetes"
    server = ControlPlane(control_plane_binaries(), scheduler=True) if real else open_server(kind)
    async with contextlib.AsyncExitStack() as stack:
        place = await stack.enter_async_context(ground(tmp_path, server))
        cluster = Workloads(place.cluster, nodes=NODES, stages=STAGES, controllers=not real)
        await stack.enter_async_context(cluster)
        manager = await stack.enter_async_context(place.controller())
        watched_before = watched(manager)
        classes = {"classes": ["nvidia-h100", "cpu"], "cpu": {"resources": {"cpu": "2"}}}
        await place.apply("first", hardware=classes)
        on_gpu = await place.until("first", is_placed)
        (gpu_pod,) = await place.pods("first")
        watched_since = watched(manager)

        await place.apply("second", hardware=classes)
        on_cpu = await place.until("second", is_placed)
        (cpu_pod,) = await place.pods("second")

        beside = {"classes": ["cpu"], "topology": {"required": "rack"}}
        await place.apply("third", hardware=beside, nodes=2, resources={"requests": {"cpu": "5"}})
        waiting = await place.until("third", lambda status: reason(status) == "TopologyUnmet")
        told = await place.described("third")
        moved = {"metadata": {"labels": {RACK: "r1"}}}
        await place.api.patch(Node, Key("", "right"), moved)
        together = await place.until("third", is_placed)
        gang = await place.pods("third", count=2)

    assert watched_before == {"trainingjobs"}  # nodes are nobody's business before a job asks
    assert watched_since == {"trainingjobs", "nodes", "pods"}
    assert (on_gpu.hardware.class_, on_gpu.hardware.models) == ("nvidia-h100", (H100,))
    assert gpu_pod["spec"]["nodeName"] == "gpu"
    resources = gpu_pod["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}

    assert on_cpu.hardware.class_ == "cpu"
    assert on_cpu.hardware.explanation[0] == (
        "nvidia-h100: InsufficientCapacity: gpu with too little nvidia.com/gpu free; left, right without nvidia.com/gpu"
    )
    assert "nvidia.com" not in json.dumps({**cpu_pod, "metadata": {}})
    variables = {one["name"]: one.get("value", "") for one in cpu_pod["spec"]["containers"][0]["env"]}
    assert (variables["CUDA_VISIBLE_DEVICES"], variables["OMP_NUM_THREADS"]) == ("", "2")

    assert (waiting.phase, waiting.run) == ("Queued", None)
    assert f"no domain of {RACK} holds 2 Pods, though 2 nodes have room for 2" in told
    assert (together.hardware.domain.value, together.hardware.nodes) == ("r1", ("left", "right"))
    assert {pod["spec"]["nodeName"] for pod in gang} == {"left", "right"}


@pytest.mark.parametrize("kind", ["embedded", "kubernetes"])
async def test_a_job_whose_node_goes_away_before_it_has_begun_is_moved_to_its_next_class(tmp_path, kind):
    """F5, G1: another attempt with another Job, which says nothing of the device any more; nothing has failed."""
    chip = f"chips.example.com/{secrets.token_hex(3)}"  # other tests have nodes on the shared control plane, too
    nodes = (NodeSpec(f"chip-{chip[-6:]}", {chip: "1"}), NodeSpec(f"plain-{chip[-6:]}"))
    async with ground(tmp_path, open_server(kind)) as place, contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(Workloads(place.cluster, nodes=nodes, stages=STAGES, controllers=False))
        if kind == "embedded":
            await stack.enter_async_context(running(place, JobReconciler(0.1), for_=Job, owns=[Pod]))
        await stack.enter_async_context(place.controller())
        await place.apply("job", hardware={"classes": [chip, "cpu"]})
        before = await place.until("job", lambda status: is_placed(status) and status.attempts[-1].child is not None)

        await place.api.delete(Node, Key("", nodes[0].name))
        await stack.enter_async_context(running(place, Scheduler(), for_=Pod, reads=[Node], workers=1))
        after = await place.until("job", lambda status: is_placed(status) and status.run.attempt == 2)
        (pod,) = await place.pods("job")
        jobs = [one.name for one in (await place.api.list(Job, namespace="default")).items if place.mark in one.name]

    assert (before.hardware.class_, before.hardware.attempt) == (chip, 1)
    assert (after.hardware.class_, after.hardware.attempt, after.run.failures) == ("cpu", 2, 0)
    assert after.hardware.explanation[0].startswith(f"{chip}: NoCapacity: ")
    assert chip not in json.dumps(pod)
    assert len(jobs) == 1
    assert "moved to cpu" in str(after.attempts)


@pytest.mark.parametrize("kind", ["embedded", "kubernetes"])
async def test_a_job_that_waits_for_hardware_lets_those_behind_it_in_its_queue_go_first(tmp_path, kind):
    nodes = (NodeSpec(f"plain-{secrets.token_hex(3)}"),)
    async with ground(tmp_path, open_server(kind)) as place, contextlib.AsyncExitStack() as stack:
        place.settings = attrs.evolve(place.settings, queues={"small": 1})
        await stack.enter_async_context(Workloads(place.cluster, nodes=nodes, stages=STAGES, controllers=False))
        await stack.enter_async_context(place.controller())
        await place.apply("elder", hardware={"classes": ["chips.example.com/none"]}, queue="small")
        elder = await place.until("elder", lambda status: reason(status) == "NoCapacity")
        await place.apply("younger", hardware={"classes": ["cpu"]}, queue="small")
        younger = await place.until("younger", is_placed)

    assert (elder.phase, younger.phase) == ("Queued", "Running")
