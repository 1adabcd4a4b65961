"""The manifests that run `windlass run` in a cluster: kubectl applies them, and what they permit is enough."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
import yaml
from click.testing import CliRunner
from programs import WINDLASS, running
from servers import kubectl_binary, open_server

from windlass.cli import bundle
from windlass.controller.lease import LeaseRecord
from windlass.controller.leases import ApiLeases, StoredLease
from windlass.controller.settings import utc_now
from windlass.informers import Api, Client, Cluster, Event, Key, Resource
from windlass.informers.errors import Forbidden, NotFound
from windlass.operators.training import sample_job, write_sample_table

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "manifests" / "deploy"
JOB = Resource("ai.windlass.dev", "v1alpha1", "TrainingJob", "trainingjobs")
SECRETS = Resource("", "v1", "Secret", "secrets")
ACCOUNT = "system:serviceaccount:windlass-system:windlass"


def documents():
    return [
        one
        for name in sorted(path.name for path in (DEPLOY / "base").glob("*.yaml"))
        if name != "kustomization.yaml"
        for one in yaml.safe_load_all((DEPLOY / "base" / name).read_text())
        if one
    ]


def deployed(kind):
    (found,) = (one for one in documents() if one["kind"] == kind)
    return found


def kubectl(kubeconfig, *arguments):
    command = [kubectl_binary(), "--kubeconfig", kubeconfig, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_file_is_listed():
    for kustomization in DEPLOY.rglob("kustomization.yaml"):
        found = yaml.safe_load(kustomization.read_text())
        listed = {*found.get("resources", ()), *found.get("patchesStrategicMerge", ())}
        assert listed == {path.name for path in kustomization.parent.glob("*.yaml")} - {"kustomization.yaml"}


def test_the_base_is_an_account_its_role_a_volume_and_a_pod():
    assert [one["kind"] for one in documents()] == [
        "Deployment",
        "ClusterRole",
        "ClusterRoleBinding",
        "ServiceAccount",
        "PersistentVolumeClaim",
    ]


def test_the_files_are_what_the_code_says():
    checked = CliRunner().invoke(bundle.command, ["--folder", str(DEPLOY), "--check"], standalone_mode=False)

    assert (checked.return_value, checked.stderr) == (0, "")


def test_no_rule_is_a_star_and_no_secret_can_be_read():
    rules = [rule for one in documents() for rule in one.get("rules", ())]
    assert rules
    assert not [rule for rule in rules if "*" in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]]
    assert not [rule for rule in rules if "secrets" in rule["resources"]]


def test_the_container_is_not_root_and_writes_only_into_its_volumes():
    pod = deployed("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/var/lib/windlass", "/tmp"}


def test_the_image_runs_as_the_user_that_the_pod_asks_for():
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    user = deployed("Deployment")["spec"]["template"]["spec"]["securityContext"]["runAsUser"]
    assert [line for line in lines if line.startswith(("ARG", "FROM"))] == [
        "ARG BASE=python:3.11-slim",
        "FROM ${BASE} AS build",
        "FROM ${BASE}",
    ]
    assert f"USER {user}:{user}" in lines
    assert lines.index(f"USER {user}:{user}") < lines.index('ENTRYPOINT ["windlass"]')


def test_the_image_is_built_of_all_folders_that_the_wheel_is_made_of():
    let_in = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    setup = (REPOSITORY / "setup.cfg").read_text()
    folders = {
        line.split("=")[1].strip()
        for line in setup.splitlines()
        if line.strip().startswith("windlass.") and " = " in line
    }
    packages = {folder for folder in folders if (REPOSITORY / folder / "__init__.py").exists()}
    assert packages
    assert packages <= let_in
    assert {"setup.cfg", "pyproject.toml", "README.md", "LICENSE"} <= let_in


def kubeconfig_of_account(server, admin, folder):
    """A kubeconfig with a token of the service account, and nothing else that would let it in."""
    request = folder / "token-request.json"
    request.write_text(json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}))
    path = "/api/v1/namespaces/windlass-system/serviceaccounts/windlass/token"
    token = json.loads(kubectl(admin, "create", "--raw", path, "-f", request))["status"]["token"]
    config = server.kubeconfig()
    for user in config["users"]:
        user["user"] = {"token": token}
    own = folder / "own"
    own.write_text(yaml.safe_dump(config))
    return own


async def phase_becomes(api, key, wanted, *, seconds):
    status = {}
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = await api.get(JOB, key)
                status = msgspec.json.decode(found.status) if found.status else {}
                if status.get("phase") == wanted:
                    return
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"expected the phase {wanted}, found {status}") from None


@pytest.mark.realtime(limit=180)
async def test_what_the_manifests_permit_is_all_that_the_program_needs(tmp_path):
    """Real RBAC: a job is trained, its events are recorded, and its finalizer is added and removed."""
    pytest.importorskip("deltalake")
    admin = tmp_path / "admin"
    async with open_server("kubernetes") as server:
        server.write_kubeconfig(admin)
        # This server is older than rules in CEL; it leaves out what it does not know, and kubectl need not complain.
        kubectl(admin, "apply", "--validate=false", "-k", DEPLOY / "crds")
        applied = kubectl(admin, "apply", "-k", DEPLOY)
        assert "deployment.apps/windlass created" in applied
        assert "unchanged" in kubectl(admin, "apply", "-k", DEPLOY)
        kubectl(admin, "apply", "-f", DEPLOY / "overlays" / "replicas" / "lease-role.yaml")
        own = kubeconfig_of_account(server, admin, tmp_path)
        async with Client(Cluster.from_dict(server.kubeconfig())) as client:
            api = Api(client)
            write_sample_table(tmp_path / "table")
            body = sample_job(str(tmp_path / "table"))
            key = Key(body["metadata"].get("namespace", "default"), body["metadata"]["name"])
            folders = ["--state", str(tmp_path / "state"), "--models", str(tmp_path / "models")]
            arguments = [*WINDLASS, "run", "--kubeconfig", str(own), *folders, "--probe-port", "0"]
            async with running(*arguments, cwd=tmp_path) as program:
                await program.line("running")
                await api.create(JOB, body, namespace=key.namespace)
                try:
                    await phase_becomes(api, key, "Succeeded", seconds=90)
                    events = await api.list(Event, namespace=key.namespace)
                    assert [one for one in events.items if one.to_dict()["involvedObject"]["name"] == key.name]
                finally:
                    await api.delete(JOB, key)
                async with asyncio.timeout(20):
                    while True:
                        try:
                            await api.get(JOB, key)
                        except NotFound:
                            break
                        await asyncio.sleep(0.1)
                program.interrupt()
                ended = await program.end(seconds=40)
            assert ended.code == 0, ended.err
            assert "forbidden" not in ended.err.lower()
        async with Client(await Cluster.load(own)) as client:
            # Leaders and sharing replicas do no more than this.
            leases = ApiLeases(client, "windlass-system", clock=utc_now)
            stored = await leases.put(StoredLease(name="tests", version="", record=LeaseRecord("tests", 15)))
            stored = await leases.put(await leases.get(stored.name))
            await leases.list("tests=none")
            await leases.delete(stored)
            with pytest.raises(Forbidden, match="secrets"):
                await Api(client).list(SECRETS)


def elsewhere_overlay(folder, overlay, namespace):
    """An overlay upon an overlay, as users write them: this one changes the namespace."""
    shutil.copytree(DEPLOY, folder / "deploy")
    mine = folder / "mine"
    mine.mkdir()
    text = f"bases: [../deploy/overlays/{overlay}]\nnamespace: {namespace}\n"
    (mine / "kustomization.yaml").write_text(text)
    return mine


@pytest.mark.realtime(limit=120)
async def test_kubectl_applies_every_overlay_and_the_samples_to_a_real_server(tmp_path):
    admin = tmp_path / "admin"
    async with open_server("kubernetes") as server:
        server.write_kubeconfig(admin)
        kubectl(admin, "apply", "--validate=false", "-k", DEPLOY / "crds")
        for overlay in ("namespace", "image", "metrics"):
            assert "deployment.apps/windlass" in kubectl(admin, "apply", "-k", DEPLOY / "overlays" / overlay)
        kubectl(admin, "create", "namespace", "windlass-replicas")
        assert "rolebinding.rbac.authorization.k8s.io/windlass created" in kubectl(
            admin, "apply", "-k", elsewhere_overlay(tmp_path, "replicas", "windlass-replicas")
        )
        volume = ("get", "pvc", "windlass", "-n", "windlass-replicas", "-o", "jsonpath={.spec.accessModes[0]}")
        assert kubectl(admin, *volume) == "ReadWriteMany"
        settings = ("-o", "jsonpath={.spec.template.spec.containers[0]['image','env']}")
        elsewhere = kubectl(admin, "get", "deployment", "windlass", "-n", "windlass-elsewhere", *settings)
        measured = kubectl(admin, "get", "deployment", "windlass", "-n", "windlass-system", *settings)
        subjects = kubectl(admin, "get", "clusterrolebinding", "windlass", "-o", "jsonpath={.subjects[*].namespace}")
        sampled = kubectl(admin, "apply", "-k", DEPLOY / "samples", "--dry-run=server", "--validate=false")

    assert elsewhere.startswith("windlass:")
    assert "WINDLASS_RUN_PROBE_TOKEN" in measured
    assert subjects == "windlass-replicas"  # of the overlay that was applied last
    assert "trainingjob.ai.windlass.dev/digits created (server dry run)" in sampled
