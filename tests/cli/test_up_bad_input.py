"""What cannot work is said in one line within seconds: the option, file or address, and why. No traceback, no hang."""

import asyncio
import json
import socket
from contextlib import ExitStack, asynccontextmanager

import pytest
import yaml
from aiohttp import web
from click.testing import CliRunner
from programs import WINDLASS, run, running, until
from servers import open_server

from windlass.cli import up

pytestmark = pytest.mark.realtime

UP = (*WINDLASS, "up", "--once", "--no-progress")


def occupied(stack):
    """A port of 127.0.0.1 that somebody listens on and never answers at."""
    listener = stack.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener.getsockname()[1]


def kubeconfig(server, token="t"):
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


def refused(ended, code, *words):
    """It ended with `code` and said one line with each of `words`."""
    assert ended.code == code, ended.err
    assert ended.err.startswith("windlass: ")
    assert ended.err.count("\n") == 1, ended.err
    assert "Traceback" not in ended.err
    assert [word for word in words if word not in ended.err] == [], ended.err
    assert ended.out == ""
    assert ended.seconds < 50  # it is 12 at most on a machine with nothing else to do


async def test_an_occupied_port_is_named(tmp_path):
    with ExitStack() as stack:
        port = occupied(stack)
        refused(await run(*UP, "--port", str(port), cwd=tmp_path), 1, f"127.0.0.1:{port}", "address already in use")


async def test_an_occupied_port_of_the_api_server_is_named(tmp_path):
    with ExitStack() as stack:
        port = occupied(stack)
        ended = await run(*UP, "--port", "0", "--api-port", str(port), cwd=tmp_path)
        refused(ended, 1, f"127.0.0.1:{port}", "address already in use")


async def test_a_folder_in_use_is_named_and_its_user_is_not_disturbed(tmp_path):
    async with running(*UP, "--port", "0", "--data", "data", cwd=tmp_path) as first:
        await first.line("default/digits: ")
        before = (tmp_path / "data" / "kubeconfig").read_text()
        second = await run(*UP, "--port", "0", "--data", "data", cwd=tmp_path)
        refused(second, 1, f"--data {tmp_path}/data", "another `windlass up` uses this folder")
        assert (tmp_path / "data" / "kubeconfig").read_text() == before
        assert first.process.returncode is None


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        pytest.param(("--data", "file"), 2, ["--data", "'file' is a file"], id="data is a file"),
        pytest.param(("--data", "file/below"), 1, ["--data", "file/below", "Not a directory"], id="data below a file"),
        pytest.param(("--data", "/proc/windlass"), 1, ["--data /proc/windlass"], id="data cannot be made"),
        pytest.param(("--data", ""), 2, ["--data", "empty"], id="data is empty"),
        pytest.param(("--data", "what%3f"), 2, ["--data", "without '%3f'", "what%3f"], id="data has an escape"),
        pytest.param(("--data", "a\\b"), 2, ["--data", "without '\\\\'", "no table"], id="data has a backslash"),
        pytest.param(("--data", "a[b]"), 2, ["--data", "without '['"], id="data has a bracket"),
        pytest.param(("--port", "70000"), 2, ["--port", "70000"], id="port out of range"),
        pytest.param(("--kubeconfig", "absent"), 2, ["--kubeconfig", "absent does not exist"], id="missing"),
        pytest.param(("--kubeconfig", "."), 2, ["--kubeconfig", "is a directory"], id="a folder"),
        pytest.param(("--kubeconfig", "broken"), 2, ["--kubeconfig", "broken", "line 1"], id="malformed YAML"),
        pytest.param(("--kubeconfig", "text"), 2, ["--kubeconfig", "text", "not a kubeconfig"], id="no mapping"),
        pytest.param(("--kubeconfig", "empty"), 2, ["--kubeconfig", "empty", "not a kubeconfig"], id="empty"),
        pytest.param(("--kubeconfig", "pod"), 2, ["--kubeconfig", "pod", "current-context"], id="another kind"),
        pytest.param(("--kubeconfig", "binary"), 2, ["--kubeconfig", "binary"], id="binary"),
    ],
)
async def test_a_wrong_option_is_named_and_nothing_is_left_behind(options, code, words, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "broken").write_text("a: [b\n c: {")
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "empty").touch()
    (tmp_path / "pod").write_text("apiVersion: v1\nkind: Pod\n")
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    before = sorted(tmp_path.rglob("*"))
    data = () if "--data" in options else ("--data", "data")

    refused(await run(*UP, "--port", "0", *data, *options, cwd=tmp_path), code, *words)
    assert sorted(tmp_path.rglob("*")) == before


async def test_a_cluster_that_stays_needs_a_folder_that_stays(tmp_path):
    (tmp_path / "kubeconfig").write_text(kubeconfig("http://127.0.0.1:1"))
    refused(await run(*UP, "--kubeconfig", "kubeconfig", cwd=tmp_path), 2, "--kubeconfig needs --data")


async def test_an_address_that_does_not_answer_is_named_within_seconds(tmp_path):
    with ExitStack() as stack:
        silent = occupied(stack)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            closed = probe.getsockname()[1]
        (tmp_path / "silent").write_text(kubeconfig(f"http://127.0.0.1:{silent}"))
        (tmp_path / "closed").write_text(kubeconfig(f"http://127.0.0.1:{closed}"))
        commands = [(*UP, "--port", "0", "--data"), (*WINDLASS, "run", "--state")]
        ended = await asyncio.gather(
            *(
                run(*command, f"{name}-data", "--kubeconfig", name, cwd=tmp_path)
                for command in commands
                for name in ("silent", "closed")
            )
        )
    for one, port in zip(ended, [silent, closed] * 2, strict=True):
        refused(one, 1, f"http://127.0.0.1:{port}", "could not be used within 10 s")


async def test_a_program_that_waits_for_an_address_heeds_ctrl_c(tmp_path):
    with ExitStack() as stack:
        (tmp_path / "silent").write_text(kubeconfig(f"http://127.0.0.1:{occupied(stack)}"))
        async with running(*UP, "--port", "0", "--data", "data", "--kubeconfig", "silent", cwd=tmp_path) as program:
            await until((tmp_path / "data" / "port").exists, seconds=10)
            await asyncio.sleep(0.5)
            program.interrupt()
            ended = await program.end(seconds=3)
    assert ended.code == 1


@pytest.mark.parametrize("kind", ["embedded", "kubernetes"])
async def test_a_wrong_token_is_refused_by_the_address_at_once(kind, tmp_path):
    async with open_server(kind) as server:
        config = server.kubeconfig()
        config["users"][0]["user"] = {"token": "wrong"}
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        ended = await run(*UP, "--port", "0", "--data", "data", "--kubeconfig", "kubeconfig", cwd=tmp_path)
        refused(ended, 1, server.url, "credentials", "401")
        assert ended.seconds < 8


async def test_a_token_without_the_right_is_refused_by_what_it_lacks(tmp_path):
    async with forbidding() as url:
        (tmp_path / "kubeconfig").write_text(kubeconfig(url))
        ended = await run(*UP, "--port", "0", "--data", "data", "--kubeconfig", "kubeconfig", cwd=tmp_path)
        refused(ended, 1, url, "credentials", "403", "cannot do that")
        ended = await run(*WINDLASS, "run", "--log-level", "error", "--kubeconfig", "kubeconfig", cwd=tmp_path)
        refused(ended, 1, url, "trainingjobs", "403", "cannot do that")


@asynccontextmanager
async def forbidding():
    """A server that says its version to everybody, and no to everything else."""

    async def answer(request):
        if request.path == "/version":
            return web.json_response({"major": "1", "minor": "32", "gitVersion": "v1.32.0"})
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": "Forbidden"}
        body = json.dumps({**status, "message": 'User "u" cannot do that'})
        return web.Response(status=403, text=body, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def test_one_port_for_two_servers_is_wrong_usage():
    done = CliRunner().invoke(up.command, ["--port", "8099", "--api-port", "8099"])

    assert (done.exit_code, "--port and --api-port both name the port 8099" in done.output) == (2, True), done.output


def test_what_is_not_installed_is_named_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(up, "find_spec", lambda name: None if name == "onnx" else name)
    done = CliRunner().invoke(up.command, ["--data", str(tmp_path / "data")])

    assert (done.exit_code, "onnx not installed: pip install 'windlass[up]'" in done.output) == (2, True), done.output
    assert not (tmp_path / "data").exists()
