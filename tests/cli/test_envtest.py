import asyncio
import json
import socket
import stat
from contextlib import asynccontextmanager

import pytest
from archives import mirror
from click.testing import CliRunner
from programs import WINDLASS, run, running
from servers import container_image, control_plane_binaries, kubectl_binary

from windlass.cli.envtest import start
from windlass.informers import Api, Client, Cluster, ConfigMap, Job, Key, Pod
from windlass.informers.errors import ConnectionFailed
from windlass.informers.requests import raw_get

pytestmark = pytest.mark.realtime

INSTALL = (*WINDLASS, "envtest", "install")
START = (*WINDLASS, "envtest", "start")
BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept", "namespace": "default"}}


@asynccontextmanager
async def started(*options, cwd):
    async with running(*START, *options, cwd=cwd) as program:
        await program.line("KUBECONFIG=")
        async with Client(await Cluster.load(cwd / "kubeconfig")) as client:
            yield program, Api(client)


async def test_it_serves_until_ctrl_c_and_remembers_in_its_folder(tmp_path):
    async with started("--data", "a/b", cwd=tmp_path) as (program, api):
        await api.create(ConfigMap, BODY)
        program.interrupt()
        ended = await program.end(seconds=5)
    assert (ended.code, ended.err) == (0, "stopping in order; a second Ctrl-C ends it at once\n")
    assert ended.out.splitlines()[-1] == f"kubectl      export KUBECONFIG={tmp_path}/kubeconfig"
    assert stat.S_IMODE((tmp_path / "kubeconfig").stat().st_mode) == 0o600, "it holds a token"

    async with started("--data", "a/b", cwd=tmp_path) as (_, api):
        assert (await api.get(ConfigMap, Key("default", "kept"))).name == "kept"


async def test_an_unmodified_kubectl_uses_it(tmp_path):
    kubectl = str(kubectl_binary())
    async with started(cwd=tmp_path):
        process = await asyncio.create_subprocess_exec(
            kubectl, "--kubeconfig", str(tmp_path / "kubeconfig"), "create", "configmap", "made", "--from-literal=a=b",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()

    assert said == b"configmap/made created\n"


@pytest.mark.realtime(limit=180)
@pytest.mark.parametrize("server", ["binaries", "container"])
async def test_the_real_programs_serve_until_ctrl_c_and_leave_nothing_behind(server, tmp_path):
    control_plane_binaries()  # or .ci/docker could not have made the image either
    options = ("--unprivileged", "--image", container_image()) if server == "container" else ()
    async with running(*START, "--server", server, *options, cwd=tmp_path) as program:
        await program.line("KUBECONFIG=", seconds=150)
        async with Client(await Cluster.load(tmp_path / "kubeconfig")) as client:
            assert (await Api(client).create(ConfigMap, BODY)).name == "kept"
            version = json.loads((await client.send(raw_get("/version"))).body)
        program.interrupt()
        ended = await program.end(seconds=30)
    assert version["gitVersion"].startswith("v1.20.2")
    assert (ended.code, ended.err) == (0, "stopping in order; a second Ctrl-C ends it at once\n")
    assert stat.S_IMODE((tmp_path / "kubeconfig").stat().st_mode) == 0o600
    with pytest.raises(ConnectionFailed):
        async with Client(await Cluster.load(tmp_path / "kubeconfig")) as client:
            await client.send(raw_get("/version"))


@pytest.mark.parametrize(
    "content",
    ["clusters: [{name: production}]", "clusters: [{name: windlass}, {name: b}]", "?", ""],
    ids=["another", "ours and another", "no kubeconfig", "empty"],
)
def test_a_kubeconfig_that_knows_another_cluster_is_kept(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kubeconfig").write_text(content)
    refused = CliRunner().invoke(start, [])

    assert (refused.exit_code, "API server" in refused.output) == (2, False)
    assert f"{tmp_path}/kubeconfig is there already and was not written by this command" in refused.output
    assert (tmp_path / "kubeconfig").read_text() == content


async def test_what_cannot_be_started_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "apiserver.db").write_bytes(b"this is no database" * 100)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        cases = {
            ("--port", port): (1, f"127.0.0.1:{port}"),
            ("--kubeconfig", "file/below/kubeconfig"): (1, "file/below"),
            ("--data", "file"): (2, "--data"),
            ("--data", "file/below"): (1, "file/below"),
            ("--data", "damaged"): (1, "damaged/apiserver.db"),
        }
        ended = [await run(*START, *options, cwd=tmp_path) for options in cases]

    for one, (code, word) in zip(ended, cases.values(), strict=True):
        assert (one.code, one.err.count("\n")) == (code, 1), one.err
        assert word in one.err
        assert one.out == ""


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--server", "binaries", "--port", "1234"), "--port and --data are for the embedded server"),
        (("--server", "container", "--data", "d"), "--port and --data are for the embedded server"),
        (("--server", "container", "--workloads"), "K3s runs workloads itself"),
        (("--image", "k3s"), "--image is for --server=container, not for --server=embedded"),
        (("--server", "binaries", "--image", "k3s"), "--image is for --server=container, not for --server=binaries"),
        (("--unprivileged",), "--unprivileged is for --server=container, not for --server=embedded"),
        (("--stages", "s.yaml"), "--stages needs --workloads"),
        (("--server", "minikube"), "'minikube' is not one of"),
    ],
)
def test_options_that_do_not_go_together_start_nothing(options, word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(start, options)
    assert (refused.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert word in " ".join(refused.output.split())


def test_a_control_plane_that_cannot_be_had_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WINDLASS_KUBERNETES_ASSETS", str(tmp_path))
    absent = CliRunner().invoke(start, ["--server", "binaries"])
    assert (absent.exit_code, absent.output.count("\n")) == (1, 1)
    assert f"WINDLASS_KUBERNETES_ASSETS={tmp_path}: expected a folder with etcd and kube-apiserver" in absent.output
    assert "`windlass envtest install` fetches them" in absent.output
    (tmp_path / "s.yaml").write_text("- {name: a}")
    broken = CliRunner().invoke(start, ["--workloads", "--stages", "s.yaml"])
    assert (broken.exit_code, broken.output.count("\n")) == (1, 1)
    assert "s.yaml: stages[0]" in broken.output


async def test_workloads_run_by_a_script_of_ones_own(tmp_path):
    (tmp_path / "s.yaml").write_text(
        "- {name: run, when: {phase: Pending}, then: {run: true, status: {podIP: 10.1.2.3}}}\n"
        "- {name: fail, when: {phase: Running, labels: {job-name: fails}}, then: {exit: 137, reason: OOMKilled}}\n"
        "- {name: end, when: {phase: Running, restartPolicy: [Never]}, then: {exit: 0}}\n"
    )
    spec = {
        "backoffLimit": 0,
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "m", "image": "i"}]}},
    }
    async with started("--workloads", "--stages", "s.yaml", cwd=tmp_path) as (program, api):
        ends = {}
        for name in ("works", "fails"):
            metadata = {"name": name, "namespace": "default"}
            await api.create(Job, {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})
        while len(ends) < 2:
            for job in (await api.list(Job)).items:
                conditions = job.to_dict()["status"].get("conditions", ())
                ends |= {job.name: conditions[0]["type"]} if conditions else {}
            await asyncio.sleep(0.05)
        pods = [one.to_dict()["status"] for one in (await api.list(Pod)).items]
        program.interrupt()
        ended = await program.end(seconds=10)
    assert ends == {"works": "Complete", "fails": "Failed"}
    reasons = sorted(one["containerStatuses"][0]["state"]["terminated"]["reason"] for one in pods)
    assert (reasons, {one["podIP"] for one in pods}) == (["Completed", "OOMKilled"], {"10.1.2.3"})
    assert ended.code == 0


async def test_programs_are_fetched_from_an_index(tmp_path, monkeypatch):
    monkeypatch.setenv("WINDLASS_CACHE", str(tmp_path / "cache"))
    async with mirror() as served:
        served.add("v1.30.2")
        ended = await run(*INSTALL, "--version", "1.30", "--index", served.url, cwd=tmp_path)
        unknown = await run(*INSTALL, "--version", "1.31", "--index", served.url, cwd=tmp_path)
    (folder,) = (tmp_path / "cache").iterdir()
    assert (ended.code, ended.out.splitlines()[0]) == (0, f"programs     {folder}")
    assert ended.out.splitlines()[1] == f"other tools  export KUBEBUILDER_ASSETS={folder}"
    assert (unknown.code, unknown.out, unknown.err.count("\n")) == (1, "", 1)
    assert "no version 1.31 is there" in unknown.err
