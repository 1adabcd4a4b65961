"""A cluster with jobs whose statuses a test writes, and the command as a user calls it."""

import asyncio
import contextlib
import uuid

import attrs
import yaml
from click.testing import CliRunner
from servers import open_server

from windlass.cli.job.commands import command
from windlass.informers import Api, Client, Cluster, Key
from windlass.informers.builtins import Namespace
from windlass.informers.requests import PatchType
from windlass.manifests.install import install
from windlass.operators.promotion.types import Promotion
from windlass.operators.training import TrainingJob

SPEC = {"data": {"uri": "/data"}, "executor": "softmax", "output": {"model": "m"}}
PROGRESS = {"epoch": 3, "epochs": 10, "step": 30, "loss": 0.25, "accuracy": 0.9}
RUN = {
    "id": "run-1", "generation": 1, "executor": "softmax", "opId": "op", "attempt": 2, "failures": 1,
    "startedAt": "2026-08-01T12:00:03Z", "resumedFromStep": 20,
}  # fmt: skip
RUNNING = {"observedGeneration": 1, "lifeGeneration": 1, "phase": "Running", "progress": PROGRESS, "run": RUN}


def entry(source, target, cause, second):
    return {"at": f"2026-08-01T12:00:{second:02}Z", "source": source, "target": target, "cause": cause, "generation": 1}


def condition(kind, status="True", reason="Set", message=""):
    at = "2026-08-01T12:00:00Z"
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": at}


ATTEMPTS = [
    {"number": 1, "opId": "a", "startedAt": "2026-08-01T12:00:03Z", "finishedAt": "2026-08-01T12:00:20Z",
     "outcome": "Lost", "counted": True},
    {"number": 2, "opId": "op", "startedAt": "2026-08-01T12:00:20Z", "resumedFromStep": 20,
     "finishedAt": "2026-08-01T12:00:40Z", "outcome": "Succeeded"},
]  # fmt: skip
SUCCEEDED = {
    **RUNNING,
    "attempts": ATTEMPTS,
    "phase": "Succeeded",
    "validation": {"accuracy": 0.95, "rows": 100, "passed": True},
    "model": {"name": "m", "version": 4, "sha256": "0" * 64, "uri": "file:///m/4"},
    "conditions": [condition("Accepted"), condition("Succeeded", message="model m version 4")],
    "journal": [
        entry("Pending", "VerifyingData", "accept", 1), entry("VerifyingData", "Queued", "pin", 2),
        entry("Queued", "Running", "start", 3), entry("Running", "Running", "resume", 20),
        entry("Running", "Validating", "finish", 40), entry("Validating", "Publishing", "pass", 41),
        entry("Publishing", "Succeeded", "publish", 42),
    ],
}  # fmt: skip
FAILED = {
    **RUNNING,
    "phase": "Failed",
    "conditions": [condition("Succeeded", "False", "TrainerFailed", "it said \x1b[31mno\x1b[0m")],
}


@attrs.frozen
class House:
    """A namespace of its own on a server, and the program that looks at it."""

    api: Api
    namespace: str
    config: object

    async def job(self, name, status=None, **spec):
        metadata = {"name": name, "namespace": self.namespace}
        resource = TrainingJob.__windlass_resource__
        body = {"apiVersion": resource.api_version, "kind": "TrainingJob", "metadata": metadata, "spec": SPEC | spec}
        found = await self.api.create(TrainingJob, body)
        if status is not None:
            await self.status(name, status)
        return found

    async def status(self, name, status):
        key = Key(self.namespace, name)
        await self.api.patch(TrainingJob, key, {"status": status}, type=PatchType.MERGE, subresource="status")

    async def promotion(self, job, *, phase, weight, recorded=True):
        target = {"endpoint": {"url": "http://127.0.0.1:1", "route": "r"}}
        release = {"modelSha256": "0" * 64, "model": {"name": "m", "version": "4"}}
        owner = {"apiVersion": "ai.windlass.dev/v1alpha1", "kind": "TrainingJob", "name": job.name, "uid": job.uid}
        metadata = {"name": f"{job.name}-1", "namespace": self.namespace, "ownerReferences": [owner]}
        resource = Promotion.__windlass_resource__
        body = {"apiVersion": resource.api_version, "kind": "Promotion", "metadata": metadata}
        with contextlib.suppress(Exception):
            await self.api.create(Promotion, body | {"spec": {"target": target, "release": release}})
        key = Key(self.namespace, metadata["name"])
        status = {"phase": phase, "weight": weight}
        await self.api.patch(Promotion, key, {"status": status}, type=PatchType.MERGE, subresource="status")
        if recorded:
            record = {"name": metadata["name"], "opId": "op", "intendedAt": "2026-08-01T12:00:43Z"}
            await self.status(job.name, {"promotion": record})

    async def run(self, *arguments):
        """In a thread: the command has an event loop of its own."""
        given = [*arguments, "--kubeconfig", str(self.config), "-n", self.namespace]
        return await asyncio.to_thread(invoke, *given)


def invoke(*arguments):
    return CliRunner().invoke(command, arguments, standalone_mode=False)


@contextlib.asynccontextmanager
async def house(kind, tmp_path, *kinds):
    """A namespace on that server, which knows these kinds: TrainingJobs and promotions unless told otherwise."""
    config = tmp_path / "kubeconfig"
    async with open_server(kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        config.write_text(yaml.safe_dump(server.kubeconfig()))
        api, namespace = Api(client), f"job-{uuid.uuid4().hex[:8]}"
        await install(api, list(kinds) or [TrainingJob, Promotion])
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        yield House(api, namespace, config)
