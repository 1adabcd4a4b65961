import asyncio
import subprocess

import pytest
from servers import control_plane_binaries, kubectl_binary, open_control_plane, open_server

from windlass.informers import Client, Cluster
from windlass.informers.requests import raw_get


@pytest.fixture
def no_binaries(monkeypatch, tmp_path):
    monkeypatch.setenv("WINDLASS_KUBERNETES_ASSETS", str(tmp_path))
    monkeypatch.setenv("WINDLASS_CACHE", str(tmp_path))
    monkeypatch.delenv("WINDLASS_REQUIRE_KUBERNETES", raising=False)


def test_absent_binaries_skip_a_test(no_binaries):
    with pytest.raises(pytest.skip.Exception, match=r"\.ci/kubernetes"):
        control_plane_binaries()
    with pytest.raises(pytest.skip.Exception, match=r"\.ci/kubectl"):
        kubectl_binary()


def test_absent_binaries_fail_a_test_where_kubernetes_is_required(no_binaries, monkeypatch):
    monkeypatch.setenv("WINDLASS_REQUIRE_KUBERNETES", "1")
    with pytest.raises(pytest.fail.Exception, match=r"\.ci/kubernetes"):
        control_plane_binaries()
    with pytest.raises(pytest.fail.Exception, match=r"\.ci/kubectl"):
        kubectl_binary()


@pytest.mark.realtime
async def test_an_unknown_server_is_refused_by_name():
    with pytest.raises(ValueError, match="'minikube'"):
        async with open_server("minikube"):
            pass


@pytest.mark.realtime
async def test_each_embedded_server_is_a_new_one_with_a_kubeconfig_of_its_own(tmp_path):
    async with open_server("embedded") as first, open_server("embedded") as second:
        assert first.url != second.url
        assert first.kubeconfig()["clusters"][0]["cluster"]["server"] == first.url
        first.write_kubeconfig(tmp_path / "kubeconfig")
        assert first.url in (tmp_path / "kubeconfig").read_text()


@pytest.mark.realtime
def test_one_control_plane_serves_all_loops_and_all_tasks_of_a_process(tmp_path):
    kubectl = kubectl_binary()

    async def use(name):
        async with open_server("kubernetes") as server:
            config = tmp_path / name
            server.write_kubeconfig(config)
            process = await asyncio.create_subprocess_exec(
                kubectl, f"--kubeconfig={config}", "get", "namespace", "default", "-o", "name", stdout=subprocess.PIPE
            )
            assert (await process.communicate())[0] == b"namespace/default\n"
            return server

    async def use_at_once():
        return await asyncio.gather(use("one"), use("two"))

    first, second = asyncio.run(use_at_once())
    third = asyncio.run(use("three"))
    assert first is second
    assert second is third


@pytest.mark.realtime
def test_giving_up_the_wait_does_not_spoil_the_control_plane_for_the_next_test():
    control_plane_binaries()

    async def give_up():
        async with asyncio.timeout(0), open_server("kubernetes"):
            pass

    async def wait():
        async with open_server("kubernetes") as server:
            return server.url

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    assert asyncio.run(wait()).startswith("https://")


@pytest.mark.realtime
async def test_a_control_plane_of_ones_own_can_be_killed_without_harm_to_the_shared_one():
    async with open_server("kubernetes") as shared, open_control_plane(controller_manager=False) as own:
        assert own.url != shared.url
        own.kill_apiserver()
        assert "kube-apiserver" not in repr(own)
        async with Client(Cluster.from_dict(shared.kubeconfig())) as client:
            assert b"gitVersion" in (await client.send(raw_get("/version"))).body
        await own.restart_apiserver()
        assert "kube-apiserver" in repr(own)
    assert repr(own) == "<ControlPlane stopped>"
