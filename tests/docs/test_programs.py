"""The programs that the pages show, run as their readers would run them."""

import asyncio
import os
import socket
import uuid
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from greetings import GREETING, create_greeting, define, message_becomes
from programs import WINDLASS, run, running
from servers import open_server

from windlass.informers import Api, Client, Cluster, ConfigMap, Key, Namespace
from windlass.informers.errors import Invalid

pytestmark = pytest.mark.realtime(limit=150)

DOCS = Path(__file__).resolve().parents[2] / "docs"
TUTORIAL = DOCS / "tutorial"
SERVERS = pytest.mark.parametrize("kind", ["embedded", "kubernetes"])


@asynccontextmanager
async def prepared(kind, folder):
    """A server with the tutorial's definition applied, a key in a namespace of the test's own, and an environment."""
    async with open_server(kind) as server:
        server.write_kubeconfig(folder / "kubeconfig")
        async with Client(Cluster.from_dict(server.kubeconfig())) as client:
            api = Api(client)
            printed = await run(*WINDLASS, "crd", "generate", "greeting:Greeting", cwd=TUTORIAL)
            assert (printed.code, printed.err) == (0, "")
            await define(api, printed.out)
            key = Key(f"greetings-{uuid.uuid4().hex[:8]}", "world")
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": key.namespace}}
            await api.create(Namespace, namespace)
            yield api, key, {"KUBECONFIG": str(folder / "kubeconfig")}


def test_the_operator_has_twenty_five_lines():
    lines = [line for line in (TUTORIAL / "greeting.py").read_text().splitlines() if line.strip()]

    assert len(lines) <= 25


@SERVERS
async def test_the_first_operator_does_what_the_tutorial_says(kind, tmp_path):
    async with prepared(kind, tmp_path) as (api, key, environment):
        async with running("greeting.py", cwd=TUTORIAL, environment=environment) as program:
            await create_greeting(api, key, "World")
            await message_becomes(api, key, "Hello, World!")
            await api.patch(GREETING, key, {"spec": {"name": "Moon"}})
            await message_becomes(api, key, "Hello, Moon!")
            await api.delete(ConfigMap, key)
            await message_becomes(api, key, "Hello, Moon!")
            with pytest.raises(Invalid, match=r"spec\.name"):
                await api.patch(GREETING, key, {"spec": {"name": 7}})
            program.interrupt()
            ended = await program.end(seconds=5)
        assert (ended.code, ended.out, ended.err) == (0, "", "")

        await api.patch(GREETING, key, {"spec": {"name": "Sun"}})
        async with running("greeting.py", cwd=TUTORIAL, environment=environment) as program:
            await message_becomes(api, key, "Hello, Sun!")
            await api.delete(GREETING, key)
            # A real garbage collector looks for new kinds every thirty seconds.
            await message_becomes(api, key, None, seconds=60)
            program.interrupt()
            assert (await program.end(seconds=5)).code == 0


@SERVERS
async def test_a_controller_and_a_web_service_share_a_loop(kind, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with prepared(kind, tmp_path) as (api, key, environment):
        environment["PYTHONPATH"] = with_the_tutorial()
        program_file = str(DOCS / "how-to" / "embed.py")
        async with (
            running(program_file, str(port), cwd=tmp_path, environment=environment) as program,
            aiohttp.ClientSession() as session,
        ):
            await create_greeting(api, key, "World")
            await message_becomes(api, key, "Hello, World!")
            async with asyncio.timeout(10):
                while str(key) not in await greetings(session, port):  # noqa: ASYNC110  # another process's answer
                    await asyncio.sleep(0.05)
            program.interrupt()
            ended = await program.end(seconds=5)
        assert (ended.code, ended.out, ended.err) == (0, "", "")


def with_the_tutorial():
    """The page has the tutorial's program beside its own."""
    return os.pathsep.join([str(TUTORIAL), *filter(None, [os.environ.get("PYTHONPATH")])])


async def greetings(session, port):
    try:
        async with session.get(f"http://127.0.0.1:{port}/greetings") as response:
            return await response.json()
    except aiohttp.ClientConnectionError:
        return []
