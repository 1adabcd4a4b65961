"""kubectl cannot tell the embedded server from a real one: the same session on both, compared line by line."""

import asyncio
import contextlib
import difflib
import os
import re

import pytest
from conformance.session import COMMANDS, DEFINITION, kubectls, steady
from servers import open_control_plane

from windlass.envtest.apiserver import ApiServer

NAMESPACE = "yard"
# Kubernetes 1.20 is what we have; the embedded server follows 1.32.
OTHERWISE = ("api-resources", "apply", "auth", "create", "delete", "diff", "patch", "replace", "run", "scale", "wait")
NEWER = re.compile(
    r"selfsubjectreviews\.authentication\.k8s\.io "  # since 1.28
    r"|^selfsubjectreviews "
)


class Typist:
    """Types into one kubectl, for one server."""

    def __init__(self, binary, server, home):
        self.home = home
        home.mkdir()
        server.write_kubeconfig(home / "config")
        self.start = (str(binary), "--kubeconfig", str(home / "config"), "--namespace", NAMESPACE)

    async def type(self, arguments, text=b""):
        process = await asyncio.create_subprocess_exec(
            *self.start,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={
                "HOME": str(self.home),
                "PATH": os.environ["PATH"],
                "KUBECTL_EXTERNAL_DIFF": "diff -U0 -N",
            },
        )
        async with asyncio.timeout(60):
            out, _ = await process.communicate(text)
        return process.returncode, out.decode()

    async def record(self, commands):
        code, out = await self.type(["create", "namespace", NAMESPACE])
        assert code == 0, out
        code, out = await self.type(["apply", "--validate=false", "-f", "-"], DEFINITION.encode())
        assert code == 0, out
        await self.type(["wait", "--for=condition=Established", "crd/trains.rail.dev", "--timeout=30s"])
        async with asyncio.timeout(60):  # the real server publishes schemas some seconds later
            while "How many cars." not in (await self.type(["explain", "train.spec.cars"]))[1]:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
        lines = []
        for command in commands:
            code, out = await self.type([word.replace("NAME", NAMESPACE) for word in command.arguments], command.text)
            lines += [f"$ {command.typed}", *(line for line in steady(out) if not NEWER.search(line)), f"exit {code}"]
        return lines


async def minor_version(binary):
    process = await asyncio.create_subprocess_exec(
        str(binary), "version", "--client", "-o", "json", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return int(re.search(rb'"minor": "([0-9]+)', out)[1])


@pytest.mark.realtime(limit=300)
@pytest.mark.parametrize("binary", kubectls(), ids=lambda place: place or "none")
async def test_a_session_of_kubectl_reads_the_same_on_both_servers(binary, tmp_path):
    if binary is None:
        pytest.fail("no kubectl") if os.environ.get("WINDLASS_REQUIRE_KUBERNETES") == "1" else pytest.skip("no kubectl")
    minor = await minor_version(binary)
    commands = [command for command in COMMANDS if command.since <= minor < command.before]
    if minor > 20:  # the whole session is for one kubectl; of others, what they send in another form
        commands = [command for command in commands if command.arguments[0] in OTHERWISE]
    async with contextlib.AsyncExitStack() as stack:
        # Without controllers nothing happens that nobody typed.
        real = await stack.enter_async_context(open_control_plane(controller_manager=False))
        embedded = await stack.enter_async_context(ApiServer())
        typists = [Typist(binary, embedded, tmp_path / "embedded"), Typist(binary, real, tmp_path / "real")]
        found, expected = await asyncio.gather(*(typist.record(commands) for typist in typists))
    difference = "\n".join(difflib.unified_diff(expected, found, "kubernetes", "embedded", n=6, lineterm=""))
    assert not difference, difference
