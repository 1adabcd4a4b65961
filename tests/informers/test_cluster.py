"""Where the cluster is and how to be trusted there: kubeconfigs, pods, and what is wrong with them."""

import base64
import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from windlass.informers.cluster import Cluster
from windlass.informers.credentials import Anonymous, ExecPlugin, StaticHeader, TokenFile
from windlass.informers.errors import ConfigError

pytestmark = pytest.mark.realtime


def config(user=None, cluster=None, *, name="c", server="http://127.0.0.1:8001"):
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": name, "user": user or {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": f"ns-{name}"}}],
        "current-context": name,
    }


def write(path, value):
    path.write_text(yaml.safe_dump(value))
    return path


def test_the_package_does_not_bring_the_big_library():
    script = "import sys, windlass.informers; print([m for m in sys.modules if m.startswith('kubernetes_asyncio')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=_env())

    assert done.stdout.strip() == "[]"


WHOLE = """
import sys, threading
from windlass.informers import Cluster
Cluster.from_dict(CONFIG)
late = [name for name in sys.modules if name.startswith("kubernetes_asyncio.client.models.")]
import kubernetes_asyncio.client as client
found = []
threads = [threading.Thread(target=lambda: found.append(client.V1Pod)) for _ in range(4)]
[one.start() for one in threads]; [one.join() for one in threads]
from kubernetes_asyncio.client import *
print(late, {one is V1Pod is client.models.V1Pod for one in found}, len(found), "CoreV1Api" in dir(client))
"""


def test_reading_a_configuration_brings_no_models_and_whoever_wants_them_finds_them_all():
    script = WHOLE.replace("CONFIG", repr(config()))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=_env())

    assert done.stdout.strip() == "[] {True} 4 True"


def _env():
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_a_dict_is_enough():
    cluster = Cluster.from_dict(config({"token": "t"}))

    assert (cluster.server, cluster.namespace) == ("http://127.0.0.1:8001", "ns-c")
    assert cluster.credentials == StaticHeader("Bearer t")
    assert cluster.ssl_context() is None
    assert repr(cluster) == "<Cluster http://127.0.0.1:8001>"


def test_another_context_can_be_chosen():
    both = config({"token": "t"})
    other = config({"token": "u"}, name="other", server="http://other")
    for part in ("clusters", "users", "contexts"):
        both[part] += other[part]

    assert Cluster.from_dict(both, "other").server == "http://other"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({}, Anonymous()),
        ({"token": "t\n"}, StaticHeader("Bearer t")),
        ({"username": "u", "password": "p"}, StaticHeader("Basic " + base64.b64encode(b"u:p").decode())),
    ],
    ids=["nobody", "token", "password"],
)
def test_users(user, expected):
    assert Cluster.from_dict(config(user)).credentials == expected


def test_a_context_without_a_user_is_nobody():
    value = config()
    del value["contexts"][0]["context"]["user"]

    assert Cluster.from_dict(value).credentials == Anonymous()


async def test_a_token_file_is_read_when_it_is_needed_and_found_beside_the_kubeconfig(tmp_path):
    (tmp_path / "tok").write_text("fresh\n")
    path = write(tmp_path / "config", config({"tokenFile": "tok"}))

    cluster = await Cluster.load(path)

    assert isinstance(cluster.credentials, TokenFile)
    assert await cluster.credentials.header() == "Bearer fresh"


async def test_an_exec_plugin_is_run_when_it_is_needed(tmp_path):
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t1"}}
    script = tmp_path / "plugin"
    script.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\ncat <<'END'\n{json.dumps(credential)}\nEND\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script)}}

    cluster = await Cluster.load(write(tmp_path / "config", config(user)))
    assert not (tmp_path / "runs").exists()

    assert isinstance(cluster.credentials, ExecPlugin)
    assert await cluster.credentials.header() == "Bearer t1"
    assert await cluster.credentials.header(refused="Bearer t1") == "Bearer t1"
    assert (tmp_path / "runs").read_text().count("run") == 2


def test_keys_that_a_plugin_issues_do_not_outlive_the_process():
    script = "from windlass.informers.cluster import _store; print(_store('KEY'))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=_env())

    assert done.stdout.strip().endswith(".pem")
    assert not Path(done.stdout.strip()).exists()


async def test_an_exec_plugin_that_fails_is_quoted(tmp_path):
    user = {"exec": {"apiVersion": "v1", "command": "sh", "args": ["-c", "echo not logged in >&2; exit 3"]}}
    cluster = await Cluster.load(write(tmp_path / "config", config(user)))

    with pytest.raises(ConfigError, match=r"exec plugin sh: .*returned 3.*not logged in"):
        await cluster.credentials.header()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("<html>", "expected an ExecCredential with a status, found b'<html>"),
        ('{"apiVersion":"client.authentication.k8s.io/v1"}', "expected an ExecCredential with a status"),
        ('{"apiVersion":"v9","status":{"token":"t"}}', "answers in v9, expected client.authentication.k8s.io/v1"),
    ],
)
async def test_an_exec_plugin_that_answers_something_else_is_quoted(tmp_path, answer, message):
    cluster = await Cluster.load(write(tmp_path / "config", config(_shell(f"echo '{answer}'"))))

    with pytest.raises(ConfigError, match=re.escape(message)):
        await cluster.credentials.header()


async def test_an_exec_plugin_may_complain_at_length(tmp_path):
    """More than the pipe and the reader's buffer hold, before it answers."""
    answer = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t"}}'
    complain = f"head -c 1000000 /dev/zero | tr '\\0' x >&2; echo '{answer}'"
    cluster = await Cluster.load(write(tmp_path / "config", config(_shell(complain))))

    assert await cluster.credentials.header() == "Bearer t"


async def test_an_exec_plugin_that_is_given_up_does_not_live_on(tmp_path, monkeypatch):
    monkeypatch.setattr("windlass.informers.credentials.PLUGIN_SECONDS", 0.5)
    hang = f"echo $$ > {tmp_path}/pid; exec sleep 1000"
    cluster = await Cluster.load(write(tmp_path / "config", config(_shell(hang))))

    with pytest.raises(ConfigError, match="no answer within"):
        await cluster.credentials.header()

    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def _shell(text):
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", text]}}


class TestWhere:
    async def test_a_given_file_comes_first(self, tmp_path, monkeypatch):
        given = write(tmp_path / "given", config(server="http://given"))
        monkeypatch.setenv("KUBECONFIG", str(write(tmp_path / "env", config(server="http://env"))))

        assert (await Cluster.load(given)).server == "http://given"
        assert (await Cluster.load()).server == "http://env"

    async def test_the_variable_is_read_when_asked_and_may_name_several_files(self, tmp_path, monkeypatch):
        one = write(tmp_path / "one", config(server="http://one", name="a"))
        two = write(tmp_path / "two", config(server="http://two", name="b"))
        monkeypatch.setenv("KUBECONFIG", f"{one}:{tmp_path}/absent:{two}")

        assert (await Cluster.load(context="a")).server == "http://one"
        assert (await Cluster.load(context="b")).server == "http://two"

    async def test_the_home_folder_comes_next(self, tmp_path, monkeypatch):
        monkeypatch.delenv("KUBECONFIG", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".kube").mkdir()
        write(tmp_path / ".kube" / "config", config(server="http://home"))

        assert (await Cluster.load()).server == "http://home"

    async def test_nothing_at_all_is_told_with_what_was_looked_for(self, tmp_path, monkeypatch):
        monkeypatch.delenv("KUBECONFIG", raising=False)
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))

        with pytest.raises(ConfigError, match=r"no cluster is configured: ~/\.kube/config does not exist"):
            await Cluster.load()
        with pytest.raises(ConfigError, match="absent does not exist"):
            await Cluster.load(tmp_path / "absent")

    def test_a_pod_knows_its_cluster(self, tmp_path, monkeypatch):
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
        for name, text in {"token": "t\n", "ca.crt": "CA", "namespace": "mine"}.items():
            (tmp_path / name).write_text(text)

        cluster = Cluster.in_cluster(tmp_path)

        assert (cluster.server, cluster.namespace) == ("https://[fd00::1]:443", "mine")
        assert cluster.credentials == cluster.credentials
        assert isinstance(cluster.credentials, TokenFile)
        assert cluster.ca_file == str(tmp_path / "ca.crt")

    def test_a_pod_without_its_files_is_told(self, tmp_path, monkeypatch):
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")

        with pytest.raises(ConfigError, match=r"the pod's service account: .*token"):
            Cluster.in_cluster(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value.pop("clusters"), "clusters"),
        (lambda value: value.update({"current-context": "other"}), "other"),
        (lambda value: value["clusters"][0]["cluster"].pop("server"), "names no server"),
        (lambda value: value.update({"contexts": "x"}), "contexts"),
        (
            lambda value: value["clusters"][0]["cluster"].update({"server": 5}),
            "cluster.server: expected a URL as text, found 5$",
        ),
        (
            lambda value: value["users"][0]["user"].update({"token": "a\nb"}),
            r"user.token: .*, found '\\n' at character 2$",
        ),
        (lambda value: value["users"][0]["user"].update({"token": 5}), "user.token: expected text, found int$"),
    ],
)
async def test_a_broken_file_is_named_with_the_entry(tmp_path, change, message):
    value = config()
    change(value)
    path = write(tmp_path / "broken", value)

    with pytest.raises(ConfigError, match=f"broken.*{message}"):
        await Cluster.load(path)


async def test_what_is_no_yaml_is_named(tmp_path):
    path = tmp_path / "broken"
    path.write_text("{{{")

    with pytest.raises(ConfigError, match="broken"):
        await Cluster.load(path)


class TestTls:
    def test_a_server_need_not_be_verified(self):
        cluster = Cluster.from_dict(config({"token": "t"}, {"insecure-skip-tls-verify": True}, server="https://x"))

        context = cluster.ssl_context()

        assert (context.check_hostname, context.verify_mode.name) == (False, "CERT_NONE")

    def test_an_unusable_authority_is_told(self, tmp_path):
        ca = tmp_path / "ca"
        ca.write_text("nonsense")
        cluster = Cluster.from_dict(config({"token": "t"}, {"certificate-authority": str(ca)}, server="https://x"))

        with pytest.raises(ConfigError, match="TLS for https://x"):
            cluster.ssl_context()

    def test_the_name_and_the_proxy_are_taken_over(self):
        extra = {"tls-server-name": "kubernetes", "proxy-url": "http://proxy:3128", "insecure-skip-tls-verify": True}
        cluster = Cluster.from_dict(config({"token": "t"}, extra, server="https://x/"))

        assert (cluster.tls_server_name, cluster.proxy, cluster.server) == (
            "kubernetes",
            "http://proxy:3128",
            "https://x",
        )
