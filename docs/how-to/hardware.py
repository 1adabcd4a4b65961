"""Two jobs, one GPU: the second goes to a CPU and says why. On an embedded API server: python hardware.py."""

import asyncio
import tempfile
from pathlib import Path

from windlass.controller import Manager
from windlass.envtest.apiserver import ApiServer
from windlass.envtest.workloads import NodeSpec, Workloads
from windlass.informers import Api, Client, Cluster, Key
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, setup, write_sample_table

NODES = (
    NodeSpec("node-a", {"nvidia.com/gpu": "1"}, {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}),
    NodeSpec("node-b"),
)


def training_job(name: str, table: str) -> dict[str, object]:
    return {
        "apiVersion": "ai.windlass.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "data": {"uri": table},
            "executor": "kubernetes-job",
            "output": {"model": name},
            # Nothing computes here: the stand-in for a kubelet lets the Pod run for ten minutes.
            "workload": {"image": "example.com/trainer:1", "annotations": {"envtest.windlass.dev/run-seconds": "600"}},
            "hardware": {"classes": ["nvidia-h100", "cpu"], "cpu": {"resources": {"cpu": "4"}, "batchSize": 16}},
        },
    }


async def running(api: Api, name: str) -> None:
    while True:
        status = (await api.get(TrainingJob, Key("default", name))).as_(TrainingJob).status
        if status.phase in ("Running", "Failed") and status.attempts and status.attempts[-1].child is not None:
            break
        await asyncio.sleep(0.05)
    print(name, status.hardware.class_ if status.hardware else "")
    for line in status.hardware.explanation if status.hardware else ():
        print(f"  {line}")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_sample_table(place / "digits")
        async with ApiServer() as server:
            cluster = Cluster.from_dict(server.kubeconfig())
            async with Client(cluster) as client, Workloads(cluster, nodes=NODES):
                api = Api(client)
                await install(api, [TrainingJob])
                manager = Manager(cluster=cluster)
                setup(manager, TrainingSettings(state=place / "state", models=place / "models"))
                async with manager:
                    for name in ("first", "second"):
                        await api.create(TrainingJob, training_job(name, (place / "digits").as_uri()))
                        await running(api, name)


if __name__ == "__main__":
    asyncio.run(main())
