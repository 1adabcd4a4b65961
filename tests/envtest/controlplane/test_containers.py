import asyncio
import gc
import json
import os
import signal
import stat
import subprocess
import sys
import uuid

import pytest
from servers import container_image, kubectl_binary, open_server

from windlass.envtest.controlplane.containers import K3S_IMAGE, OWNER_LABEL, ClusterContainer
from windlass.envtest.controlplane.owners import is_left_behind, owner_mark
from windlass.envtest.errors import ContainerError, EnvtestError
from windlass.informers import Api, Client, Cluster, ConfigMap, Key

HOLDER = """
import asyncio, sys
from windlass.envtest.controlplane.containers import ClusterContainer

async def main():
    container = ClusterContainer(sys.argv[1], privileged=False)
    await container._call(container._launch)
    print(container._container.get_container_id(), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def docker(*words):
    return subprocess.run(("docker", *words), capture_output=True, text=True, check=True).stdout


def containers():
    """The ids of the containers that Docker knows, by the mark of the process that uses them; others run tests, too."""
    shown = f'{{{{.ID}}}} {{{{.Label "{OWNER_LABEL}"}}}}'
    lines = docker("ps", "--all", "--no-trunc", "--filter", f"label={OWNER_LABEL}", "--format", shown).splitlines()
    found = {}
    for line in lines:
        name, mark = line.split(" ", 1)
        found.setdefault(mark, set()).add(name)
    return found


def everybodys():
    """The ids of the containers of all processes."""
    return set().union(*containers().values())


def mine():
    """The ids of the containers of this process."""
    return containers().get(owner_mark(), set())


@pytest.fixture
def image():
    return container_image()


@pytest.fixture
def tagged(image):
    """A function that makes an image of what the command of the container is; removed at the end."""
    made = []

    def tag(script):
        name = f"windlass-test-{uuid.uuid4().hex[:8]}"
        made.append(name)
        dockerfile = f"FROM {image}\nENTRYPOINT {json.dumps(['/bin/busybox', 'sh', '-c', script])}\n"
        subprocess.run(("docker", "build", "--quiet", "--tag", name, "-"), input=dockerfile.encode(), check=True,
                       capture_output=True, env={**os.environ, "DOCKER_BUILDKIT": "0"})  # fmt: skip
        return name

    yield tag
    for name in made:
        docker("rmi", "--force", name)


def test_container_errors_are_errors_of_the_surroundings():
    assert issubclass(ContainerError, EnvtestError)


@pytest.mark.realtime(limit=180)
async def test_a_cluster_in_a_container_serves_kubectl_and_our_client(tmp_path):
    async with open_server("container") as server:
        path = tmp_path / "kubeconfig"
        server.write_kubeconfig(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        process = await asyncio.create_subprocess_exec(
            kubectl_binary(), f"--kubeconfig={path}", "version", "-o", "json", stdout=subprocess.PIPE
        )
        assert b'"gitVersion": "v1.20.2"' in (await process.communicate())[0]
        name = f"made-{uuid.uuid4().hex[:8]}"
        async with Client(Cluster.from_dict(server.kubeconfig())) as client:
            body = {"metadata": {"name": name, "namespace": "default"}}
            await Api(client).create(ConfigMap, body)
            assert (await Api(client).get(ConfigMap, Key("default", name))).name == name
        assert server.url in repr(server)
        server.kubeconfig()["clusters"][0]["cluster"]["server"] = "https://elsewhere:1"
        assert "elsewhere" not in server.url, "a configuration that was handed out is its receiver's"
        assert not is_left_behind(owner_mark())
        assert mine() != set()


@pytest.mark.realtime(limit=180)
async def test_a_running_container_is_not_started_twice():
    async with open_server("container") as server:
        with pytest.raises(ContainerError, match="already running"):
            await server.start()
        assert server.url.startswith("https://")


@pytest.mark.realtime
async def test_the_next_start_removes_what_a_killed_process_left_and_nothing_else(image, tagged):
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, tagged("exec /bin/busybox sleep 600"), stdout=subprocess.PIPE
    )
    left = (await holder.stdout.readline()).decode().strip()
    assert left in everybodys()
    ended = ClusterContainer(tagged("exit 3"), privileged=False)
    with pytest.raises(ContainerError):
        await ended.start()
    assert left in everybodys(), "its process lives"
    os.kill(holder.pid, signal.SIGKILL)
    await holder.communicate()
    with pytest.raises(ContainerError):
        await ended.start()
    assert left not in everybodys()


@pytest.mark.realtime
async def test_a_container_that_ends_during_the_start_is_named_with_the_end_of_its_log(tagged):
    before = mine()
    container = ClusterContainer(tagged("echo the disk is full; exit 4"), privileged=False)
    with pytest.raises(ContainerError, match=r"(?s)windlass-test-\w+ ended while it started.*the disk is full"):
        await container.start()
    assert mine() == before
    with pytest.raises(ContainerError, match="not running"):
        container.kubeconfig()
    await container.stop()  # safe, and nothing to do


@pytest.mark.realtime
async def test_a_cluster_that_never_answers_is_given_up_with_the_end_of_its_log(tagged, monkeypatch):
    monkeypatch.setattr("windlass.envtest.controlplane.containers._START_SECONDS", 1.0)
    before = mine()
    container = ClusterContainer(tagged("echo waiting for a leader; exec /bin/busybox sleep 600"), privileged=False)
    with pytest.raises(ContainerError, match=r"(?s)was not ready within 1 s.*waiting for a leader"):
        await container.start()
    assert mine() == before


@pytest.mark.realtime
async def test_a_cancelled_start_leaves_nothing_behind(tagged):
    before = mine()
    container = ClusterContainer(tagged("exec /bin/busybox sleep 600"), privileged=False)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await container.start()
    assert mine() == before
    assert "stopped" in repr(container)


@pytest.mark.realtime
async def test_an_image_that_is_nowhere_is_one_clear_error(image):
    with pytest.raises(ContainerError, match=r"127\.0\.0\.1:1/absent|cannot be pulled|connection refused"):
        await ClusterContainer("127.0.0.1:1/absent:1").start()


@pytest.mark.realtime
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Docker's client leaves its socket to the garbage collector
async def test_a_daemon_that_does_not_answer_is_one_clear_error(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")
    with pytest.raises(ContainerError, match="Docker does not do what a cluster in a container needs"):
        await ClusterContainer().start()
    gc.collect()


@pytest.mark.realtime
async def test_without_testcontainers_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "testcontainers.core.container", None)
    with pytest.raises(ContainerError, match=r"windlass\[containers\]"):
        await ClusterContainer().start()


def test_k3s_is_what_it_starts_when_nothing_is_said():
    assert K3S_IMAGE.startswith("rancher/k3s:v")
    assert repr(ClusterContainer()) == f"<ClusterContainer {K3S_IMAGE} stopped>"
