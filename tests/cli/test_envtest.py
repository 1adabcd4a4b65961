import asyncio
import socket
import stat
from contextlib import asynccontextmanager

import pytest
from programs import WINDLASS, run, running
from servers import kubectl_binary

from windlass.informers import Api, Client, Cluster, ConfigMap, Key

pytestmark = pytest.mark.realtime

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
