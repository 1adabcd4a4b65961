import asyncio
import contextlib
import json
import os
import secrets

import pytest
import yaml
from conformance.session import DEFINITION, kubectls
from servers import open_server

CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "timetable"}}


def train(name, cars, **spec):
    return {"apiVersion": "rail.dev/v1", "kind": "Train", "metadata": {"name": name}, "spec": {"cars": cars} | spec}


class Kubectl:
    def __init__(self, binary, home, namespace):
        self.binary = binary
        self.home = home
        self.namespace = namespace

    def scope(self, arguments):
        return () if {"-n", "-A"} & set(arguments) else ("--namespace", self.namespace)

    def start(self, *arguments):
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"]}
        return asyncio.create_subprocess_exec(
            *(self.binary, "--kubeconfig", str(self.home / "config"), *self.scope(arguments), *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )

    async def __call__(self, *arguments, given=None, fails=False):
        process = await self.start(*arguments)
        text = None if given is None else given if isinstance(given, str) else json.dumps(given)
        async with asyncio.timeout(20):
            out, errors = await process.communicate(text.encode() if text else None)
        assert (process.returncode != 0) is fails, (arguments, out, errors)
        return (errors if fails else out).decode()

    async def no_longer_lists(self, resource):
        """A real server drops a kind and its group from discovery some time later, and in between kubectl fails."""
        async with asyncio.timeout(20):
            while True:
                process = await self.start("api-resources")
                out, errors = await process.communicate()
                if process.returncode == 0 and resource not in out.decode():
                    break
                assert process.returncode == 0 or b"could not find the requested resource" in errors, errors
                await asyncio.sleep(0.1)

    async def apply(self, body, *arguments, **options):
        return await self("apply", "-f", "-", *arguments, given=body, **options)


@contextlib.asynccontextmanager
async def railway(binary, server, home):
    if binary is None:
        message = "no kubectl is found by $KUBECTL, on PATH or in ~/.cache/windlass/kubectl-1.20.2"
        if os.environ.get("WINDLASS_REQUIRE_KUBERNETES") == "1":
            pytest.fail(message)
        pytest.skip(message)
    async with open_server(server) as running:
        running.write_kubeconfig(home / "config")
        kubectl = Kubectl(binary, home, f"rail-{secrets.token_hex(4)}")
        await kubectl("create", "namespace", kubectl.namespace)
        assert "trains.rail.dev created" in await kubectl.apply(DEFINITION)
        await kubectl("wait", "--for=condition=Established", "crd/trains.rail.dev", "--timeout=5s")
        try:
            yield kubectl
        finally:
            await kubectl("delete", "crd", "trains.rail.dev", "--ignore-not-found")


async def eventually(kubectl, expected, *arguments):
    """The real server publishes a new definition's schema and kinds after some seconds."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(AssertionError):
                if expected in await kubectl(*arguments):
                    return
            await asyncio.sleep(0.3)


pytestmark = [
    pytest.mark.realtime,
    pytest.mark.parametrize("binary", kubectls(), ids=lambda place: place or "none"),
    pytest.mark.parametrize("server", ["embedded", "kubernetes"]),
]


async def test_kubectl_discovers_kinds_and_shows_objects_in_every_form(binary, server, tmp_path):
    async with railway(binary, server, tmp_path) as kubectl:
        resources = await kubectl("api-resources")
        assert any(line.split() == ["trains", "tr", "rail.dev/v1", "true", "Train"] for line in resources.splitlines())
        assert "trains.rail.dev" in await kubectl("get", "crd")
        assert await kubectl.apply(train("express", 3)) == "train.rail.dev/express created\n"
        heading, row = (await kubectl("get", "trains")).splitlines()
        assert heading.split() == ["NAME", "CARS", "READY", "AGE"]
        assert row.split()[:2] == ["express", "3"]
        assert "GAUGE" in await kubectl("get", "tr", "-o", "wide")
        assert "train.rail.dev/express" in await kubectl("get", "all")
        shown = json.loads(await kubectl("get", "train", "express", "-o", "json"))
        assert shown["spec"] == {"cars": 3, "gauge": "broad"}
        assert yaml.safe_load(await kubectl("get", "train", "express", "-o", "yaml"))["metadata"] == shown["metadata"]
        assert await kubectl("get", "trains", "-o", "name") == "train.rail.dev/express\n"
        assert "express" in await kubectl("get", "trains", "-A", "--chunk-size=1")
        await eventually(kubectl, "How many cars.", "explain", "train.spec.cars")


async def test_kubectl_watches_rows_as_they_come(binary, server, tmp_path):
    async with railway(binary, server, tmp_path) as kubectl:
        await kubectl.apply(train("early", 1))
        process = await kubectl.start("get", "trains", "-w")
        try:
            async with asyncio.timeout(20):
                assert (await process.stdout.readline()).split()[0] == b"NAME"
                assert (await process.stdout.readline()).split()[0] == b"early"
                await kubectl.apply(train("late", 2))
                assert (await process.stdout.readline()).split()[:2] == [b"late", b"2"]
                await kubectl("patch", "train", "late", "--type", "merge", "-p", '{"spec":{"cars":7}}')
                assert (await process.stdout.readline()).split()[:2] == [b"late", b"7"]
        finally:
            process.kill()
            await process.communicate()


async def test_kubectl_changes_objects_by_apply_patch_label_and_scale(binary, server, tmp_path):
    async with railway(binary, server, tmp_path) as kubectl:
        await kubectl.apply(train("express", 3))
        assert await kubectl.apply(train("express", 3)) == "train.rail.dev/express unchanged\n"
        assert await kubectl.apply(train("express", 4)) == "train.rail.dev/express configured\n"
        await kubectl(
            "patch", "train", "express", "--type", "json", "-p", '[{"op":"replace","path":"/spec/cars","value":5}]'
        )
        await kubectl("label", "train", "express", "line=north")
        await kubectl("annotate", "train", "express", "note=here")
        assert "express" in await kubectl("get", "trains", "-l", "line in (north,south)")
        assert await kubectl("get", "trains", "-l", "line=south", "-o", "name") == ""
        await kubectl("scale", "train/express", "--replicas=6")
        found = json.loads(await kubectl("get", "train", "express", "-o", "json"))
        assert found["spec"]["cars"] == 6
        assert found["metadata"]["annotations"]["note"] == "here"
        refused = await kubectl.apply(train("express", 99, gauge="odd"), fails=True)
        assert "spec.cars: Invalid value: 99: spec.cars in body should be less than or equal to 10" in refused
        assert 'spec.gauge: Unsupported value: "odd": supported values: "broad", "narrow"' in refused
        assert 'namespaces "nowhere" not found' in await kubectl.apply(train("x", 1), "-n", "nowhere", fails=True)


async def test_kubectl_applies_built_in_kinds_in_three_ways(binary, server, tmp_path):
    async with railway(binary, server, tmp_path) as kubectl:
        await kubectl.apply(CONFIG | {"data": {"a": "1", "b": "2"}})
        assert "configured" in await kubectl.apply(CONFIG | {"data": {"a": "3"}})
        found = json.loads(await kubectl("get", "configmap", "timetable", "-o", "json"))
        assert found["data"] == {"a": "3"}
        container = {"name": "main", "image": "one"}
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "shed"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
        }
        await kubectl.apply(deployment)
        change = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "two"}]}}}}
        await kubectl("patch", "deployment", "shed", "-p", json.dumps(change))
        found = json.loads(await kubectl("get", "deploy", "shed", "-o", "json"))
        assert {item["name"] for item in found["spec"]["template"]["spec"]["containers"]} == {"main", "side"}
        applied = await kubectl.apply(train("ssa", 2), "--server-side", "--field-manager=yard")
        assert applied == "train.rail.dev/ssa serverside-applied\n"
        conflict = await kubectl.apply(train("ssa", 3), "--server-side", "--field-manager=other", fails=True)
        assert 'conflict with "yard": .spec.cars' in conflict.replace("\n", " ")


async def test_kubectl_creates_core_kinds_imperatively(binary, server, tmp_path):
    async with railway(binary, server, tmp_path) as kubectl:
        await kubectl("create", "namespace", "yard")
        await kubectl("create", "configmap", "signals", "-n", "yard", "--from-literal=red=stop")
        await kubectl("create", "secret", "generic", "key", "-n", "yard", "--from-literal=pin=1234")
        await kubectl("create", "serviceaccount", "driver", "-n", "yard")
        found = json.loads(await kubectl("get", "cm", "signals", "-n", "yard", "-o", "json"))
        assert found["data"] == {"red": "stop"}
        secret = json.loads(await kubectl("get", "secret", "key", "-n", "yard", "-o", "json"))
        assert (secret["data"], secret["type"]) == ({"pin": "MTIzNA=="}, "Opaque")
        assert "yard" in await kubectl("get", "ns")
        await kubectl("delete", "namespace", "yard")
        assert "yard" not in await kubectl("get", "ns")


async def test_kubectl_describes_waits_and_deletes(binary, server, tmp_path):
    async with railway(binary, server, tmp_path) as kubectl:
        await kubectl.apply(train("express", 3))
        found = json.loads(await kubectl("get", "train", "express", "-o", "json"))
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "express.1", "namespace": kubectl.namespace},
            "involvedObject": {
                "apiVersion": "rail.dev/v1",
                "kind": "Train",
                "name": "express",
                "namespace": kubectl.namespace,
                "uid": found["metadata"]["uid"],
            },
            "reason": "Departed",
            "message": "on time",
            "type": "Normal",
            "count": 1,
            "lastTimestamp": found["metadata"]["creationTimestamp"],
        }
        await kubectl("create", "-f", "-", given=event)
        described = await kubectl("describe", "train", "express")
        assert "Cars:" in described
        assert "Departed" in described
        assert "on time" in described
        assert "Departed" in await kubectl("get", "events")
        waiting = asyncio.ensure_future(kubectl("wait", "--for=condition=Ready", "train/express", "--timeout=15s"))
        await asyncio.sleep(0.3)
        ready = found | {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        status = f"/apis/rail.dev/v1/namespaces/{kubectl.namespace}/trains/express/status"
        await kubectl("replace", "--raw", status, "-f", "-", given=ready)
        assert "condition met" in await waiting
        assert await kubectl("delete", "train", "express") == 'train.rail.dev "express" deleted\n'
        assert "NotFound" in await kubectl("get", "train", "express", fails=True)
        await kubectl("delete", "crd", "trains.rail.dev")
        await kubectl.no_longer_lists("trains")


async def test_kubectl_shows_differences_and_asks_for_permission(binary, server, tmp_path):
    async with railway(binary, server, tmp_path) as kubectl:
        await kubectl.apply(train("express", 3))
        process = await kubectl.start("diff", "-f", "-")
        out, errors = await process.communicate(json.dumps(train("express", 4)).encode())
        lines = [line for line in out.decode().splitlines() if line[:1] in "+-" and "cars" in line]
        assert (process.returncode, lines) == (1, ["-  cars: 3", "+  cars: 4"]), errors
        assert await kubectl("diff", "-f", "-", given=train("express", 3)) == ""
        assert await kubectl("auth", "can-i", "delete", "trains") == "yes\n"
        dry = await kubectl.apply(train("dry", 1), "--dry-run=server")
        assert dry == "train.rail.dev/dry created (server dry run)\n"
        assert "NotFound" in await kubectl("get", "train", "dry", fails=True)
