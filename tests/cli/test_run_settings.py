"""What `windlass run` is told shows in the cluster, at its probe port and in what it logs."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import yaml
from aiohttp import web
from programs import WINDLASS, run, running
from servers import open_server

from windlass.controller.rendezvous import owner_of
from windlass.informers import Api, Client, Cluster, ConfigMap, Key, requests
from windlass.informers.builtins import Event, Lease, Namespace
from windlass.informers.errors import NotFound

pytestmark = pytest.mark.realtime

OPERATOR = """
import asyncio, os, time
# What it does with a ConfigMap is that one's label.
from windlass.informers.builtins import ConfigMap

async def reconcile(ctx, request):
    found = await ctx.get(ConfigMap, request.key)
    match found.labels.get("do") if found else None:
        case "apply":
            data = {"by": os.environ.get("WINDLASS_RUN_SHARDING_MEMBER", "")}
            metadata = {"name": f"made-{found.name}"}
            await ctx.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}, owner=found)
            for _ in range(2):
                ctx.event(found, reason="Made", message="it")
        case "hang":
            await asyncio.sleep(3600)
        case "block":
            time.sleep(0.5)
        case "stubborn":
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                ctx.log.info("holds on")
            await asyncio.sleep(3600)

def setup(manager):
    manager.controller(reconcile, for_=ConfigMap, name="maker")

def needs_two(manager, other): ...
async def coroutine(manager): ...
def broken(manager):
    return {}["missing"]
def unregistered(manager):
    from windlass.informers.resources import Resource
    manager.controller(reconcile, for_=Resource("example.com", "v1", "Rocket", "rockets"))
"""
OURS = (*WINDLASS, "run", "--kubeconfig", "kubeconfig", "--no-training", "--operator", "maker:setup")
QUICK = ("--lease-seconds", "7", "--renew-seconds", "3", "--retry-seconds", "0.2")


@asynccontextmanager
async def cluster(folder):
    """A server, its kubeconfig and the operator in the folder."""
    (folder / "maker.py").write_text(OPERATOR)
    async with open_server("embedded") as server:
        server.write_kubeconfig(folder / "kubeconfig")
        async with Client(Cluster.from_dict(server.kubeconfig())) as client:
            yield Api(client)


async def create(api, name, do, *, namespace="default"):
    metadata = {"name": name, "namespace": namespace, "labels": {"do": do}}
    await api.create(ConfigMap, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})


async def there(api, kind, key, *, seconds=30):
    """The object as a dict, once it is there."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return (await api.get(kind, key)).to_dict()
            except NotFound:
                await asyncio.sleep(0.05)


async def holds(api, key, holder, *, seconds=30):
    async with asyncio.timeout(seconds):
        while (found := await there(api, Lease, key))["spec"].get("holderIdentity") != holder:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", 0))
        return probe.getsockname()[1]


def records(program):
    return [json.loads(line) for line in program.err if line.startswith("{")]


async def test_a_leader_does_what_its_options_say_and_a_standby_told_by_the_environment_takes_over(tmp_path):
    port = free_port()
    options = (
        *("--leader-election", "--leader-election-name", "boss", "--leader-election-namespace", "default"),
        *("--leader-election-identity", "first", *QUICK, "--namespace", "watched", "--workers", "3"),
        *("--probe-port", str(port), "--probe-host", "127.0.0.2", "--log-format", "json", "--log-level", "debug"),
        *("--field-manager", "tester", "--event-series", "--deadline-seconds", "1.5"),
        *("--block-threshold-seconds", "0.2", "--grace-seconds", "0.5"),
    )
    standby = {
        f"WINDLASS_RUN_{name}": value
        for name, value in {
            "LEADER_ELECTION": "true", "LEADER_ELECTION_NAME": "boss", "LEADER_ELECTION_NAMESPACE": "default",
            "LEADER_ELECTION_IDENTITY": "second", "LEASE_SECONDS": "7", "RENEW_SECONDS": "3", "RETRY_SECONDS": "0.2",
            "NAMESPACE": "watched",
        }.items()
    }  # fmt: skip
    secret = {"WINDLASS_RUN_PROBE_TOKEN": "secret"}
    async with cluster(tmp_path) as api:
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "watched"}})
        async with running(*OURS, *options, cwd=tmp_path, environment=secret) as first:
            lease = await holds(api, Key("default", "boss"), "first")
            assert lease["spec"]["leaseDurationSeconds"] == 7
            async with running(*OURS, cwd=tmp_path, environment=standby) as second:
                await second.line("running")
                await create(api, "elsewhere", "apply")
                for do in ("block", "hang", "apply", "stubborn"):
                    await create(api, do, do, namespace="watched")
                await there(api, ConfigMap, Key("watched", "made-apply"))
                assert await field_managers(api, Key("watched", "made-apply")) == {"tester"}
                await the_probe_port_answers(port)
                await first.line("the run passed its deadline of 1.5 s")
                await first.line("the event loop has been blocked for 0.2 s by maker, reconciling watched/block")
                await first.line("holds on")
                first.interrupt()
                ended = await first.end(seconds=20)
                await the_log_is_json(ended)
                assert (ended.code, ended.out) == (1, ""), ended.err
                assert "0.5 s" in ended.err.splitlines()[-1], "the grace that was exceeded"

                await create(api, "later", "apply", namespace="watched")
                await there(api, ConfigMap, Key("watched", "made-later"))
                await holds(api, Key("default", "boss"), "second")
                second.interrupt()
        events = [one.to_dict() for one in (await api.list(Event, namespace="watched")).items]
        (event,) = (one for one in events if one["reportingComponent"] == "tester")
        assert (event["involvedObject"]["name"], event["series"]["count"]) == ("apply", 2)
        with pytest.raises(NotFound):
            await api.get(ConfigMap, Key("default", "made-elsewhere"))


async def field_managers(api, key):
    """As the server has them: an Object leaves them out."""
    body = json.loads((await api.client.send(requests.get(ConfigMap, key))).body)
    return {one["manager"] for one in body["metadata"]["managedFields"]}


async def the_probe_port_answers(port):
    url = f"http://127.0.0.2:{port}"
    async with aiohttp.ClientSession() as session:
        for path, headers, status in (
            ("healthz", {}, 200),
            ("readyz", {}, 200),
            ("metrics", {}, 401),
            ("metrics", {"Authorization": "Bearer secret"}, 200),
        ):
            async with session.get(f"{url}/{path}", headers=headers) as response:
                assert response.status == status, path
        async with session.get(f"{url}/debug/controllers", headers={"Authorization": "Bearer secret"}) as response:
            (controller,) = (await response.json())["controllers"]
    assert (controller["name"], controller["workers"]["all"]) == ("maker", 3)


async def the_log_is_json(ended):
    lines = ended.err.splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert len(lines) - len(told) == 2, "what the program itself says at its end"
    overdue = next(one for one in told if "deadline" in one["message"])
    assert (overdue["controller"], overdue["key"], overdue["level"]) == ("maker", "watched/hang", "error")
    assert overdue["reconcile_id"]
    assert any(one["level"] == "debug" for one in told)


async def test_two_members_share_the_keys_and_give_up_what_moves(tmp_path):
    members = ("a", "b")
    names = [f"n{number}" for number in range(12)]
    moves = next(name for name in map("hang{}".format, range(100)) if owner_of(Key("default", name), members) == "b")
    group = ("--sharding", "--sharding-name", "pair", "--sharding-namespace", "default")

    def member(name):
        return running(
            *OURS, *group, *QUICK, "--sharding-drain-seconds", "0.5", "--grace-seconds", "0", cwd=tmp_path,
            environment={"WINDLASS_RUN_SHARDING_MEMBER": name},
        )  # fmt: skip

    async with cluster(tmp_path) as api, member("a") as first:
        await first.line("running")
        await create(api, moves, "hang")
        await there(api, Lease, Key("default", "pair.a"))
        async with member("b") as second:
            await first.line("the run was cancelled: its key belongs to another replica now")
            for name in names:
                await create(api, name, "apply")
            made = [await there(api, ConfigMap, Key("default", f"made-{name}")) for name in names]
            for program in (first, second):
                program.interrupt()
                assert (await program.end(seconds=20)).code == 0

    expected = {name: owner_of(Key("default", name), members) for name in names}
    assert {name: one["data"]["by"] for name, one in zip(names, made, strict=True)} == expected
    assert set(expected.values()) == set(members)


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(tmp_path):
    async with cluster(tmp_path) as api:
        await create(api, "a", "apply")
        options = ("--dry-run", "--training", "--log-format", "json")
        async with running(*OURS, *options, cwd=tmp_path) as program:
            await program.line("the training operator takes no part in a dry run")
            await program.line("dry run: apply configmaps.v1 default/made-a would be done: {")
            program.interrupt()
            assert (await program.end(seconds=10)).code == 0
        with pytest.raises(NotFound):
            await api.get(ConfigMap, Key("default", "made-a"))


async def test_a_server_that_will_not_do_is_named_in_time(tmp_path):
    """Its version, a kind it does not have, a list it does not give."""
    async with cluster(tmp_path), a_server_that_lists_once() as tired:
        (tmp_path / "tired").write_text(kubeconfig(tired))
        old, unserved, unlisted = await asyncio.gather(
            run(*OURS, "--supported-lowest", "any", "--supported-highest", "1.10", cwd=tmp_path),
            run(*WINDLASS, "run", "--kubeconfig", "kubeconfig", "--connect-timeout-seconds", "1", cwd=tmp_path),
            run(*OURS, "--kubeconfig", "tired", "--sync-timeout-seconds", "0.5", cwd=tmp_path),
        )

    assert "supported is 1.10 or older" in said(old, 1)
    assert "tell the manager to warn only (--supported-policy warn)" in said(old, 1)
    assert "does not serve trainingjobs.v1alpha1.ai.windlass.dev" in said(unserved, 1)
    assert any("looking for 1 s" in line for line in unserved.err.splitlines()[:-1]), "it is named at once"
    assert "after 0.5 s" in said(unlisted, 1)
    assert "configmaps.v1" in said(unlisted, 1)


def said(ended, code):
    """The one sentence that it ended with."""
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err
    last = ended.err.splitlines()[-1]
    assert last.startswith("windlass: ")
    return last


@asynccontextmanager
async def a_server_that_lists_once():
    """Enough of one to be taken for one, until its objects are asked for."""

    async def answer(request):
        if request.path == "/version":
            return web.json_response({"gitVersion": "v1.30.0"})
        if request.query.get("limit") == "1":
            return web.json_response({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {}, "items": []})
        return web.json_response({"kind": "Status", "status": "Failure", "message": "no", "code": 500}, status=500)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def kubeconfig(server):
    return yaml.safe_dump(
        {
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


SETUP = ("--operator", "maker:setup")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--operator", "maker:needs_two"), "maker:needs_two cannot be called with a manager alone: missing a"),
        (("--operator", "maker:coroutine"), "the operator maker:coroutine is a coroutine function; expected a plain"),
        (("--operator", "maker:broken"), "maker:broken cannot be set up: KeyError: 'missing' (maker.py, line"),
        (("--operator", "maker:unregistered"), "the operator maker:unregistered cannot be set up: for_ uses the kind"),
        ((*SETUP, *SETUP), "the operator maker:setup cannot be set up: the name 'maker' is already used"),
        (("--operator", "windlass.operators.training:TrainingJob"), "TrainingJob is a kind; expected a function that"),
        (("--operator", "bad6:setup"), "cannot import bad6: KeyError: 'X' (bad6.py, line 2)"),
        (("--operator", "bad7:setup"), "cannot import bad7: SyntaxError: invalid syntax (bad7.py, line 1)"),
        (
            ("--operator", "nowhere7:setup"),
            "cannot import nowhere7: No module named 'nowhere7' (see windlass",
        ),
        (("--operator", "quits:setup"), "cannot import quits: it ends the process instead of defining setup"),
        (
            (*SETUP, "--probe-port", "0", "--probe-host", "0.0.0.0"),
            "--probe-host is '0.0.0.0', which others can reach, and",
        ),
        *(
            ((*SETUP, option, value), f"{option}': expected at most 63 of a-z")
            for option in ("--namespace", "--leader-election-namespace", "--sharding-namespace")
            for value in ("", "Ü b", "../x")
        ),
        (
            (*SETUP, "--journal", "/nowhere/at/all/j"),
            "--journal: /nowhere/at/all/j: there is no folder /nowhere/at/all",
        ),
        (
            (*SETUP, "--dry-run", "--leader-election"),
            " --dry-run: a dry run holds no Lease, so it goes with neither of --leader-election and --sharding",
        ),
        (
            (*SETUP, "--leader-election", "--lease-seconds", "9"),
            " --lease-seconds: expected more than --renew-seconds (10), or two would lead at once; found 9",
        ),
        (
            (*SETUP, "--leader-election", "--retry-seconds", "9"),
            " --renew-seconds: expected more than 1.2 times --retry-seconds (10.8)",
        ),
        (
            (*SETUP, "--leader-election", "--leader-election-name", ""),
            " --leader-election-name: expected the name of a",
        ),
        ((*SETUP, "--leader-election", "--leader-election-identity", ""), " --leader-election-identity: expected a"),
        ((*SETUP, "--sharding", "--sharding-name", "A"), " --sharding-name: expected lower-case letters"),
        ((*SETUP, "--sharding", "--sharding-member", "A"), " --sharding-member: expected lower-case letters"),
        ((*SETUP, "--sharding", "--lease-seconds", "9"), " --lease-seconds: expected more than --renew-seconds (10)"),
        ((*SETUP, "--supported-lowest", "new"), " --supported-lowest: expected MAJOR.MINOR or any, found 'new'"),
        (
            (*SETUP, "--supported-lowest", "1.30", "--supported-highest", "1.29"),
            " --supported-lowest: expected at most --supported-highest (1.29), found 1.30",
        ),
        *(
            ((*SETUP, "--field-manager", name), "--field-manager: expected 1 to 128 bytes of printable characters")
            for name in ("", "a" * 129, "ä" * 65, "a\tb")
        ),
        (
            (*SETUP, "--leader-election", "--sharding", "--sharding-name", "windlass"),
            " --leader-election-name and --sharding-name: expected two names",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_meant_is_wrong_usage_in_one_line(options, says, tmp_path, monkeypatch, capsys):
    """In this process, for nothing is started."""
    import sys

    from windlass.cli.main import main

    (tmp_path / "maker.py").write_text(OPERATOR)
    (tmp_path / "quits.py").write_text("raise SystemExit(0)\n")
    (tmp_path / "bad6.py").write_text("import os\nos.environ['X']\n")
    (tmp_path / "bad7.py").write_text("a b\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "argv", ["windlass", "run", "--no-training", *options])
    monkeypatch.setattr("windlass.cli.run.log_to_stderr", lambda *_, **__: None)
    with pytest.raises(SystemExit) as caught:
        main()
    error = capsys.readouterr().err

    assert caught.value.code == 2
    assert (error.count("\n"), says in error) == (1, True), error
    assert not Path("windlass-state").exists()


@pytest.mark.parametrize(
    ("host", "says", "not_said"),
    [
        ("nosuch.invalid", "expected an address of this machine in --probe-host", "port,"),
        ("127.0.0.1", "choose another --probe-port, 0 for any free one", "--probe-host"),
    ],
)
async def test_a_probe_server_that_cannot_listen_names_the_option_that_helps(host, says, not_said, tmp_path):
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        port = str(occupied.getsockname()[1])
        async with cluster(tmp_path):
            options = ("--probe-host", host, "--probe-port", port, "--probe-token", "secret")
            line = said(await run(*OURS, *options, cwd=tmp_path), 1)

    assert (says in line, not_said in line, "Settings" in line) == (True, False, False), line
