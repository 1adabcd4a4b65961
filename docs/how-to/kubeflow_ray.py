"""Three trainings on stand-ins for Kubeflow and Ray, beside an embedded API server: python kubeflow_ray.py."""

import asyncio
import contextlib
import os
import sys
import tempfile
from pathlib import Path

from windlass.controller import Manager
from windlass.envtest.apiserver import ApiServer
from windlass.envtest.workloads import Stage, Then, When, Workloads
from windlass.envtest.workloads.jobkinds import Behaviour
from windlass.envtest.workloads.ray import KubeRay
from windlass.envtest.workloads.trainer import ClusterTrainingRuntime, Trainer, torch_runtime
from windlass.envtest.workloads.trainingoperator import TrainingOperator
from windlass.informers import Api, Client, Cluster, Key, Pod
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, setup, write_sample_table

TRAINER = Path(__file__).resolve().parents[1] / "examples" / "own-trainer" / "train.py"
EXIT_CODES = "envtest.windlass.dev/exit-codes"
STAGES = (
    Stage("delete", When(deleting=True), Then(delete=True)),
    Stage("run", When(phase="Pending"), Then(run=True)),
    Stage("exit", When(phase="Running", annotated=EXIT_CODES), Then(exit=0)),
)
KILLED = Behaviour(exit_code=137)


def training_job(executor: str, data: str) -> dict[str, object]:
    return {
        "apiVersion": "ai.windlass.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": f"on-{executor}"},
        "spec": {
            "data": {"uri": data, "version": 0},
            "executor": executor,
            "workload": {"image": "example.com/trainer:1", "command": [sys.executable, "-P", str(TRAINER)]},
            "hyperparameters": {"epochs": 5},
            "retries": {"limit": 3, "base": "0s"},
            "output": {"model": f"on-{executor}"},
        },
    }


async def run_pods(api: Api) -> None:
    """What kubelets do: run the command of each Pod that has one, here as a process, and note how it ended."""
    begun: set[str] = set()

    async def run(pod: dict[str, object], container: dict[str, object]) -> None:
        told = {one["name"]: one["value"] for one in container["env"]}
        process = await asyncio.create_subprocess_exec(
            *container["command"], *container.get("args", ()), env=os.environ | told, stdout=asyncio.subprocess.DEVNULL
        )
        note = {"metadata": {"annotations": {EXIT_CODES: str(await process.wait())}}}
        await api.patch(Pod, Key("default", pod["metadata"]["name"]), note)

    async with asyncio.TaskGroup() as group:
        while True:
            for found in (await api.list(Pod, namespace="default")).items:
                pod = found.to_dict()
                container = pod["spec"]["containers"][0]
                runs = pod["status"].get("phase") == "Running" and EXIT_CODES not in found.annotations
                if runs and container.get("command") and found.uid not in begun:
                    begun.add(found.uid)
                    group.create_task(run(pod, container))
            await asyncio.sleep(0.1)


async def ended(api: Api, executor: str) -> None:
    while True:
        status = (await api.get(TrainingJob, Key("default", f"on-{executor}"))).as_(TrainingJob).status
        if status.phase in ("Succeeded", "Failed"):
            break
        await asyncio.sleep(0.1)
    for attempt in status.attempts:
        print(f"{executor:<11} {attempt.child.kind:<10} attempt {attempt.number}: {attempt.outcome}")
    print(f"{executor:<11} model {status.model.name} version {status.model.version}")


async def main(folder: Path) -> None:
    write_sample_table(folder / "table")
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(ApiServer())
        cluster = Cluster.from_dict(server.kubeconfig())
        api = Api(await stack.enter_async_context(Client(cluster)))
        await install(api, [TrainingJob])
        await stack.enter_async_context(Workloads(cluster, stages=STAGES))
        await stack.enter_async_context(Trainer(cluster))
        await stack.enter_async_context(TrainingOperator(cluster, {"on-pytorchjob-*-1": KILLED}))
        await stack.enter_async_context(KubeRay(cluster))
        await api.create(ClusterTrainingRuntime, torch_runtime())
        manager = Manager(cluster=cluster)
        setup(manager, TrainingSettings(folder / "state", folder / "models"))
        await stack.enter_async_context(manager)
        kubelet = asyncio.create_task(run_pods(api))
        executors = ("trainjob", "pytorchjob", "rayjob")
        for executor in executors:
            await api.create(TrainingJob, training_job(executor, (folder / "table").as_uri()), namespace="default")
        for executor in executors:
            await ended(api, executor)
        kubelet.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await kubelet


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(main(Path(made)))
