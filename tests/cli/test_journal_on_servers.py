"""What a job's own status and a real API server's audit log tell about lives, good and bad."""

import asyncio
import contextlib
import json
import uuid

import pytest
import yaml
from click.testing import CliRunner
from servers import EVERY_SERVER, control_plane_binaries, open_server

from windlass.cli.journal import command
from windlass.envtest.controlplane import ControlPlane
from windlass.informers import Api, Client, Cluster, CustomResourceDefinition, Key
from windlass.informers.builtins import Namespace
from windlass.informers.errors import AlreadyExists, NotFound
from windlass.informers.requests import PatchType
from windlass.manifests import crd
from windlass.operators.training.types import TrainingJob

RESOURCE = TrainingJob.__windlass_resource__
SPEC = {"data": {"uri": "/data"}, "executor": "softmax", "output": {"model": "m"}}
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "RequestResponse", "resources": [{"group": "ai.windlass.dev"}]}, {"level": "None"}],
}


async def define(api):
    with contextlib.suppress(AlreadyExists):
        await api.create(CustomResourceDefinition, crd(TrainingJob))
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(NotFound):
                await api.list(RESOURCE)
                return
            await asyncio.sleep(0.1)


async def create(api, key):
    metadata = {"name": key.name, "namespace": key.namespace}
    return await api.create(
        RESOURCE, {"apiVersion": RESOURCE.api_version, "kind": "TrainingJob", "metadata": metadata, "spec": SPEC}
    )


async def patch(api, key, status, *, by, version=None):
    body = {"status": status} if version is None else {"metadata": {"resourceVersion": version}, "status": status}
    return await api.patch(RESOURCE, key, body, type=PatchType.MERGE, subresource="status", field_manager=by)


def condition(name):
    return {
        "type": name,
        "status": "True",
        "reason": "Set",
        "message": "",
        "lastTransitionTime": "2026-08-01T12:00:00Z",
    }


async def explained(*arguments):
    """In a thread: the command has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, command, ["explain", *arguments], standalone_mode=False)


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("kind", EVERY_SERVER)
async def test_an_object_tells_its_own_life(kind, tmp_path):
    config = tmp_path / "kubeconfig"
    async with open_server(kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        server.write_kubeconfig(config)
        api, key = Api(client), Key(f"journal-{uuid.uuid4().hex[:8]}", "digits")
        await define(api)
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": key.namespace}})
        await create(api, key)
        silent = await explained(str(key), "--kubeconfig", str(config))
        entry = {"at": "2026-08-01T12:00:00Z", "source": "Pending", "target": "VerifyingData", "cause": "accept"}
        later = {**entry, "source": "VerifyingData", "target": "Running", "cause": "start", "writer": "w"}
        journal = [{**one, "generation": 1} for one in (entry, later)]
        await patch(api, key, {"phase": "Running", "journal": journal}, by="tests")
        told = await explained(str(key), "--kubeconfig", str(config))
        absent = await explained(f"{key.namespace}/nobody", "--kubeconfig", str(config))

    assert "keeps no journal in its status" in str(silent.exception)
    assert told.return_value == 1
    assert "Pending → VerifyingData  accept" in told.output
    assert "skipped: VerifyingData → Running by w without 'Queued'" in told.output
    assert "there is no file and no TrainingJob of the name" in str(absent.exception)


@pytest.mark.realtime(limit=180)
async def test_a_real_audit_log_tells_of_an_end_undone_and_of_both_writers_of_a_lost_update(
    tmp_path,
):
    policy, log = tmp_path / "policy.yaml", tmp_path / "audit.log"
    policy.write_text(yaml.safe_dump(POLICY))
    flags = (f"--audit-policy-file={policy}", f"--audit-log-path={log}", "--audit-log-mode=blocking")
    good, bad = Key("default", "good"), Key("default", "bad")
    async with (
        ControlPlane(control_plane_binaries(), extra_apiserver_flags=flags) as plane,
        Client(Cluster.from_dict(plane.kubeconfig())) as client,
    ):
        api = Api(client)
        await define(api)
        found = await create(api, good)
        for phase in ("VerifyingData", "Queued", "Failed"):
            found = await patch(api, good, {"phase": phase}, by="controller", version=found.resource_version)
        await create(api, bad)
        await patch(api, bad, {"phase": "VerifyingData"}, by="controller")
        await patch(api, bad, {"conditions": [condition("Accepted")]}, by="controller")
        await patch(api, bad, {"conditions": [condition("DataVerified")]}, by="rival")  # as if it had read before
        await patch(api, bad, {"phase": "Failed"}, by="controller")
        await patch(api, bad, {"phase": "Running"}, by="rival")

    told = await explained(str(log))
    clean = await explained(str(log), "--only", str(good))
    machine_readable = json.loads((await explained("--json", str(log), "--only", str(bad))).output)

    assert (clean.return_value, clean.output.splitlines()[-1]) == (0, "1 object(s), 3 transition(s), no faults")
    assert told.return_value == 1
    assert "illegal: Failed → Running by admin (rival): 'Failed' is final" in told.output
    (lost,) = (one for one in machine_readable["findings"] if one["kind"] == "lost update")
    assert lost["writers"] == ["admin (controller)", "admin (rival)"]
    assert lost["message"].startswith("conditions[Accepted]: set by admin (controller)")
    assert [one["kind"] for one in machine_readable["findings"]] == ["illegal", "lost update"]
