"""`windlass bench` on both servers, small: what it prints was measured there, and the cluster is left as it was."""

import asyncio
import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from servers import open_server

from windlass.benchmarks.contenders.copies import MODES
from windlass.benchmarks.race import Contender
from windlass.benchmarks.widgets import GROUP, WIDGET, population
from windlass.cli import bench
from windlass.informers.api import Api
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.informer import Informer
from windlass.informers.resources import Resource

NAMESPACES = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
CRDS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
LATE = {"rate", "p50_ms", "p99_ms", "p999_ms", "cpu_ms_a_thousand"}
SENDER = {"sender_late_p50_ms", "sender_late_p99_ms", "sender_cpu_s"}
EVERY = {"scenario", "contender", "objects", "rounds", "wall_s", "cpu_s", "startup_cpu_s", "rss_peak_mb", "growth_mb"}
FIGURES = EVERY | {"growth_forced_mb", "peak_growth_mb"}
AN_OBJECT = {"held", "settled_bytes", "peak_bytes"}
MANY = {"held", "informers", "connections", "idle_cpu_ms_a_second"}
HELD = {"held", "relists", "longest_stall_ms", "longest_held_ms"}


def run(*words):
    command = [sys.executable, "-m", "windlass.cli.main", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "COLUMNS": "160"})


async def left_behind(server, *more):
    """Of the races' own things what there still is, and of those named: others' tests use the real server, too."""
    async with Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        namespaces = [one.name for one in (await api.list(NAMESPACES)).items if one.deletion is None]
        kinds = [one.name for one in (await api.list(CRDS)).items if one.deletion is None]
    return [
        name for name in (*namespaces, *kinds) if name.startswith("windlass-bench") or GROUP in name or name in more
    ]


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("kind", "scenario", "contenders", "own"),
    [
        ("embedded", "sync", ["floor"], AN_OBJECT),
        ("embedded", "informers", ["windlass", "floor"], MANY),
        ("embedded", "relist", ["windlass", "floor"], HELD),
        ("embedded", "noop", ["windlass-typed"], {"runs_a_second"}),
        ("kubernetes", "reconcile", ["windlass", "floor"], {"runs_a_second"}),
    ],
    ids=["sync", "informers", "relist", "noop", "reconcile"],
)
async def test_each_contender_is_one_line_and_nothing_stays_in_the_cluster(kind, scenario, contenders, own, tmp_path):
    async with open_server(kind) as server:
        kubeconfig = tmp_path / "kubeconfig"
        server.write_kubeconfig(kubeconfig)
        words = ["bench", scenario, "--objects=20", "--rounds=1", "--rate=100", "--seconds=0.2", "--json"]
        words += [f"--contender={one}" for one in contenders]
        told = await asyncio.to_thread(run, *words, f"--kubeconfig={kubeconfig}")

        assert told.returncode == 0, told.stderr
        rows = [json.loads(line) for line in told.stdout.splitlines()]
        assert [row["contender"] for row in rows] == contenders
        for row in rows:
            assert set(row) == FIGURES | own
            assert (row["scenario"], row["objects"], row["rounds"]) == (scenario, 20, 1)
            assert row["cpu_s"] > 0
            assert row["rss_peak_mb"] > 10
            assert row.get("held", 20) == (40 if scenario == "informers" else 20)  # each is in two selections
            assert row.get("connections", 200) >= row.get("informers", 200) == 200
            assert row.get("relists", 1) == 1
            assert row.get("longest_stall_ms", 1) > 0
        assert await left_behind(server) == []


@pytest.mark.realtime
async def test_the_less_a_copy_is_asked_to_keep_the_fewer_bytes_it_holds():
    async with open_server("embedded") as server:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with population(cluster, "windlass-bench", 5), Client(cluster) as client:
            full, usual, trimmed, metadata = [
                await held_bytes(client, mode) for mode in ("full", "list", "trimmed", "metadata")
            ]

    assert full > usual + 5 * 300  # managedFields of two managers
    assert usual > 5 * 1000 > trimmed > metadata > 5 * 100


async def held_bytes(client, mode):
    options, metadata_only = MODES[mode]
    informer = Informer(client, WIDGET, options=options, metadata_only=metadata_only)
    running = asyncio.create_task(informer.run())
    await informer.ready()
    running.cancel()
    return informer.store.bytes_held


@pytest.mark.realtime
async def test_stamps_of_an_earlier_round_are_no_answers(tmp_path):
    async with open_server("embedded") as server:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        words = ["bench", "latency", "--objects=20", "--rounds=1", "--rate=100", "--seconds=0.2", "--json"]
        words += ["--contender=floor", "--contender=windlass", f"--kubeconfig={tmp_path}/kubeconfig"]
        told = await asyncio.to_thread(run, *words)

    assert told.returncode == 0, told.stderr
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert all(set(row) == FIGURES | LATE for row in rows)
    assert min(row["wall_s"] for row in rows) >= 0.15  # the load takes that long


def test_keys_go_through_the_queue_without_a_cluster(tmp_path):
    told = run("bench", "queue", "--objects=100", "--rounds=1", "--json", f"--kubeconfig={tmp_path}/none")

    assert told.returncode == 0, told.stderr
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert [row["contender"] for row in rows] == ["windlass", "floor"]
    assert all(set(row) == FIGURES | {"operations", "operations_a_second"} for row in rows)
    assert all(row["operations"] == 500 for row in rows)


def test_predictions_are_answered_without_a_cluster_and_all_of_them(tmp_path):
    told = run("bench", "serving", "--objects=100", "--rounds=1", "--json", f"--kubeconfig={tmp_path}/none")

    assert told.returncode == 0, told.stderr
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert [row["contender"] for row in rows] == ["windlass", "floor"]
    assert all(set(row) == FIGURES | {"requests", "requests_a_second", "p50_ms", "p99_ms"} for row in rows)
    assert all(row["requests"] == 100 and 0 < row["p50_ms"] <= row["p99_ms"] for row in rows)


@pytest.mark.realtime
async def test_a_start_is_that_of_the_program_and_its_kind_goes_again(tmp_path):
    async with open_server("embedded") as server:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        words = ["bench", "startup", "--rounds=1", "--json", f"--kubeconfig={tmp_path}/kubeconfig"]
        told = await asyncio.to_thread(run, *words)
        assert await left_behind(server, "trainingjobs.ai.windlass.dev") == []

    assert told.returncode == 0, told.stderr
    (row,) = [json.loads(line) for line in told.stdout.splitlines()]
    assert set(row) == EVERY | {"import_cpu_s", "idle_cpu_ms_a_second"}
    assert (row["contender"], row["objects"]) == ("windlass", 0)
    assert 0 < row["import_cpu_s"] < row["cpu_s"]
    assert 10 < row["growth_mb"] <= row["rss_peak_mb"]


@pytest.mark.realtime
async def test_a_recording_is_replayed_and_again_when_there_is_no_cluster_any_more(tmp_path):
    kubeconfig, recording = tmp_path / "kubeconfig", tmp_path / "recording"
    words = ["bench", "replay", "--objects=20", "--rounds=1", "--json", f"--recording={recording}"]
    words += [f"--kubeconfig={kubeconfig}"]
    async with open_server("embedded") as server:
        server.write_kubeconfig(kubeconfig)
        first = await asyncio.to_thread(run, *words, "--contender=windlass")
        assert first.returncode == 0, first.stderr
        assert await left_behind(server) == []
    again = await asyncio.to_thread(run, *words, "--rate=5000", "--contender=floor")

    assert again.returncode == 0, again.stderr
    rows = [json.loads(line) for told in (first, again) for line in told.stdout.splitlines()]
    assert [(row["contender"], row["rate"]) for row in rows] == [("windlass", 1000), ("floor", 5000)]
    for row in rows:
        assert set(row) == FIGURES | LATE | SENDER
        assert row["scenario"] == "replay"
        assert 0 < row["p50_ms"] <= row["p99_ms"]


@pytest.mark.realtime
async def test_a_contender_that_fails_is_named_with_its_last_words_and_nothing_stays(tmp_path):
    async with open_server("embedded") as server:
        kubeconfig = tmp_path / "kubeconfig"
        server.write_kubeconfig(kubeconfig)
        broken = f"mine={sys.executable} -c 'import sys; sys.exit(\"no fuel\")'"
        words = ["bench", "sync", "--objects=1", "--rounds=1", f"--contender={broken}", f"--kubeconfig={kubeconfig}"]
        told = await asyncio.to_thread(run, *words)

        assert told.returncode == 1
        assert "the contender mine gave no answer: no fuel" in told.stderr
        assert await left_behind(server) == []


def test_a_contender_is_one_of_ours_or_a_name_with_a_command():
    assert Contender.parse("mine=./program --fast 'a b'").command == ("./program", "--fast", "a b")
    assert Contender.parse("floor").command[0] == sys.executable
    for text in ("other", "=x", "mine=", "mine= "):
        with pytest.raises(
            ValueError, match=r"expected windlass, .*, windlass-uvloop, .*, floor or NAME=COMMAND, found"
        ):
            Contender.parse(text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["latency", "--rate=10", "--seconds=3", "--objects=29"], "30 updates need as many widgets"),
        (["sync", "--contender=floor", "--contender=floor"], "--contender: expected different names"),
        (["sync", "--contender=go"], "found 'go'"),
        (["noop", "--contender=windlass-full"], "--contender: windlass-full makes no difference to noop"),
        (["startup", "--contender=floor"], "--contender: floor makes no difference to startup"),
        (["latency", "--recording=file"], "--recording is for replay, found latency"),
    ],
)
def test_what_cannot_be_measured_is_wrong_usage(words, message):
    told = CliRunner().invoke(bench.command, words)

    assert told.exit_code == 2
    assert message in " ".join(told.output.split())
