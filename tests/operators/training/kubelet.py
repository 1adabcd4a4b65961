"""A kubelet for one machine: what a Pod's container would run is run here, as a process with the Pod's environment.

The player of stages starts Pods and ends them; in between, the container's command runs, and its exit code is what the
Pod ends with. A Pod that goes before takes its process along. Pods without a command are left to whoever plays them.
"""

import asyncio
import contextlib
import os
import signal

from windlass.envtest.workloads import Stage, Then, When
from windlass.informers import Api, Key, Pod
from windlass.informers.errors import ApiError, Conflict, NotFound
from windlass.operators.training.executors.dressing import RUN_LABEL

EXIT = "envtest.windlass.dev/exit-codes"
FATE = "tests.windlass.dev/fate"

# Nothing ends by itself: a Pod is done when its process is, or when a test decides its fate.
STAGES = (
    Stage("delete", When(deleting=True), Then(delete=True)),
    Stage("run", When(phase="Pending"), Then(run=True), 0.02),
    Stage(
        "evict",
        When(annotations={FATE: "evicted"}),
        Then(status={"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}),
    ),
    Stage("exit", When(phase="Running", annotated=EXIT), Then(exit=0)),
)


class Kubelet:
    """Runs the commands of Pods that carry our label. `async with Kubelet(api) as kubelet`."""

    def __init__(self, api: Api, namespace: str = "default") -> None:
        self.api, self.namespace = api, namespace
        self.started: list[dict[str, str]] = []  # the environment of each process, in order
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    async def __aenter__(self):
        self._task = asyncio.create_task(self._run(), name="kubelet")
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        for process in self._processes.values():
            _kill(process)
            await process.wait()

    async def pods(self):
        found = await self.api.list(Pod, namespace=self.namespace, labels=RUN_LABEL)
        return sorted((one.to_dict() for one in found.items), key=lambda one: one["metadata"]["creationTimestamp"])

    def started_for(self, job):
        """The environments of the processes that were started for a TrainingJob."""
        return [one for one in self.started if one["WINDLASS_JOB"] == f"{self.namespace}/{job}"]

    async def annotate(self, name, **annotations):
        """Decide what becomes of a Pod."""
        await self.api.patch(Pod, Key(self.namespace, name), {"metadata": {"annotations": annotations}})

    async def _run(self):
        async with asyncio.TaskGroup() as group:
            while True:
                with contextlib.suppress(ApiError):
                    pods = {pod["metadata"]["uid"]: pod for pod in await self.pods()}
                    for uid, pod in pods.items():
                        if pod["status"].get("phase") == "Running" and uid not in self._processes:
                            await self._start(group, uid, pod)
                    for uid, process in self._processes.items():
                        if pods.get(uid, {}).get("status", {}).get("phase") != "Running":
                            _kill(process)
                await asyncio.sleep(0.05)

    async def _start(self, group, uid, pod):
        container = pod["spec"]["containers"][0]
        environment = {one["name"]: one["value"] for one in container.get("env") or () if "value" in one}
        command = [*container.get("command", ()), *container.get("args", ())]
        if not command:
            return
        self.started.append(environment)
        process = await asyncio.create_subprocess_exec(
            *command, env={**os.environ, **environment}, start_new_session=True, stdout=asyncio.subprocess.DEVNULL
        )
        self._processes[uid] = process
        group.create_task(self._end(pod["metadata"], process))

    async def _end(self, metadata, process):
        code = await process.wait()
        # A Pod that went before may have a successor of the same name, which has not ended.
        told = {"uid": metadata["uid"], "annotations": {EXIT: str(code if code >= 0 else 128 - code)}}
        with contextlib.suppress(NotFound, Conflict):
            await self.api.patch(Pod, Key(self.namespace, metadata["name"]), {"metadata": told})


def _kill(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
