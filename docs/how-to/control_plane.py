"""A Job that wants a GPU, on a control plane of one's choice: python control_plane.py embedded|binaries|container."""

import asyncio
import sys
from contextlib import AsyncExitStack

from windlass.envtest.apiserver import ApiServer
from windlass.envtest.controlplane import ControlPlane, find_binaries
from windlass.envtest.controlplane.containers import ClusterContainer
from windlass.envtest.workloads import NodeSpec, Workloads
from windlass.informers import Api, Client, Cluster, Job, Key

NODES = (NodeSpec("plain"), NodeSpec("gpu", {"nvidia.com/gpu": "4"}))
CONTAINER = {"name": "main", "image": "trainer:1", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "train", "namespace": "default"},
    "spec": {"completions": 2, "template": {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}},
}


async def main(kind: str) -> None:
    async with AsyncExitStack() as stack:
        if kind == "embedded":
            server = await stack.enter_async_context(ApiServer())
        elif kind == "binaries":
            folder = find_binaries(controller_manager=True) or sys.exit(
                "no kube-controller-manager: see .ci/kubernetes"
            )
            server = await stack.enter_async_context(ControlPlane(folder, scheduler=True))
        else:
            server = await stack.enter_async_context(ClusterContainer())  # K3s
        cluster = Cluster.from_dict(server.kubeconfig())
        if kind != "container":  # K3s has a kubelet
            await stack.enter_async_context(Workloads(cluster, nodes=NODES, controllers=kind == "embedded"))
        api = Api(await stack.enter_async_context(Client(cluster)))
        await api.create(Job, JOB)
        key = Key("default", "train")
        while "completionTime" not in (found := (await api.get(Job, key)).to_dict())["status"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        print(found["status"]["succeeded"], found["status"]["conditions"][-1]["type"])


asyncio.run(main(sys.argv[1] if sys.argv[1:] else "embedded"))
