"""All contenders side by side on one real API server, and the page that says how it went.

    python tests/benchmarks/bench_contenders.py [--objects 10000] [--rounds 3] [--write]

`make bench` installs what it needs: a control plane (.ci/kubernetes), the program on client-go (.ci/clientgo), and an
environment for each library (.venv/contender-NAME). `--write` puts the rows that were measured in place of their
older ones in docs/reference/benchmarks.jsonl, and writes the page and its pictures beside it. `--library-rounds` is for
the Python libraries, some of which need minutes for a round; 0 leaves them out, as `--rounds 0` leaves out the others.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import picture
from bars import judged

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent / "contenders"
PAGE = REPOSITORY / "docs" / "reference" / "benchmarks.md"
LIBRARIES = ("kubernetes_asyncio", "lightkube", "kr8s", "kopf")
CLIENTS = {name: f"{name}_client.py" for name in LIBRARIES} | {"kopf": "kopf_operator.py"}
FIGURES = ("wall_s", "cpu_s", "rss_peak_mb", "growth_mb", "growth_forced_mb", "startup_cpu_s")
FIGURES += ("runs_a_second", "p50_ms", "p99_ms", "p999_ms", "cpu_ms_a_thousand", "sender_late_p99_ms", "sender_cpu_s")
SCENARIOS = ("sync", "reconcile", "noop", "latency", "replay", "replay-5000")  # the number is the rate
# kopf's wait for a full index and its own bookkeeping have no counterpart of a look at every key again.
# Of 10 000 widgets its first index is not complete after three minutes, replayed or not; of 2 000 it is in seconds.
LEFT_OUT = {(scenario, "kopf") for scenario in ("sync", "noop", "latency", "replay", "replay-5000")}


def environment(name):
    """The Python that has the library."""
    python = REPOSITORY / ".venv" / f"contender-{name}" / "bin" / "python"
    wanted = FOLDER / f"{name}.txt"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([python, "-m", "pip", "install", *quiet, "--requirement", wanted], check=True)
    return python


def ours_and_go(scenario):
    program = subprocess.run([REPOSITORY / ".ci" / "clientgo"], check=True, stdout=subprocess.PIPE, text=True)
    go = program.stdout.splitlines()[-1]
    yield from ("windlass", "floor") if scenario == "sync" else ("windlass", "windlass-typed", "floor")
    yield f"client-go typed={go} --mode typed"
    yield f"client-go dynamic={go} --mode dynamic"


def libraries(scenario):
    for name in LIBRARIES:
        if (scenario, name) not in LEFT_OUT:
            yield f"{name}={environment(name)} {FOLDER / CLIENTS[name]}"


def measured(scenario, kubeconfig, options):
    if options.rounds:
        yield from told(scenario, kubeconfig, options.objects, options.rounds, list(ours_and_go(scenario)))
    if options.library_rounds:
        yield from told(scenario, kubeconfig, options.objects, options.library_rounds, list(libraries(scenario)))


def told(scenario, kubeconfig, objects, rounds, contenders):
    name, _, rate = scenario.partition("-")
    words = [sys.executable, "-m", "windlass.cli.main", "bench", name, "--json", "--kubeconfig", kubeconfig]
    words += ["--objects", str(objects), "--rounds", str(rounds)]
    if name == "replay":  # one recording for all rates
        words += ["--recording", f"{kubeconfig}.recording", "--rate", rate or "1000"]
    words += [f"--contender={one}" for one in contenders]
    lines = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    for line in lines:
        print(line, flush=True)
    return [{**json.loads(line), "scenario": scenario, "date": f"{datetime.now(UTC):%Y-%m-%d}"} for line in lines]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--library-rounds", type=int, default=3)
    parser.add_argument("--scenario", action="append", choices=SCENARIOS)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig = os.path.join(folder, "kubeconfig")
        start = [sys.executable, "-m", "windlass.cli.main", "envtest", "start", "--server=binaries"]
        with subprocess.Popen([*start, "--kubeconfig", kubeconfig], stdout=subprocess.PIPE, text=True) as server:
            try:
                server.stdout.readline()  # it says where it is once it is ready
                rows = [
                    row for scenario in options.scenario or SCENARIOS for row in measured(scenario, kubeconfig, options)
                ]
            finally:
                server.terminate()
    verdicts = judged(rows)
    for verdict in verdicts:
        print(verdict)
    if options.write:
        rows = kept(rows)
        pictures = picture.write(rows, PAGE.parent / "images")
        PAGE.write_text(page(rows, judged(rows), pictures), encoding="utf-8")


def kept(rows):
    """All rows that are on record, these in place of their older ones."""
    record, anew = PAGE.with_suffix(".jsonl"), {(row["scenario"], row["contender"]) for row in rows}
    lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    rows = [row for row in map(json.loads, lines) if (row["scenario"], row["contender"]) not in anew] + rows
    rows.sort(key=lambda row: SCENARIOS.index(row["scenario"]))  # stable: contenders keep their order
    record.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return rows


def page(rows, verdicts, pictures):
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    lines = [
        "# Benchmarks",
        "",
        "<!-- Written by tests/benchmarks/bench_contenders.py --write; each scenario is one run. -->",
        "",
        "Custom resources of 1.5 KB, a real kube-apiserver 1.20.2 with etcd on the same machine",
        f"({machine}), each contender in a",
        "fresh process, turn by turn, medians of so many rounds as the table says. CPU is that of the whole",
        "process from the start of the work to its end; growth is the memory held a second later less that at the",
        "start, forced growth the same after the process was made to collect its garbage and give back all that it",
        "can; MB are 1e6 bytes. Repeat it with `make bench`, or with `windlass bench SCENARIO` on a cluster of yours.",
        "",
        "`windlass` is a manager with its defaults and a controller of 16 workers, `windlass-typed` the same with",
        "typed objects. `floor` is bare aiohttp and msgspec doing only what cannot be left out, with no error handled.",
        "client-go is a shared informer and a work queue, compiled from the version that Debian ships (0.20.2), with",
        "managedFields thrown away on arrival.",
        "",
        "`replay` is the latency of one change of each widget as a replaying server sends it, 1 000 a second, 5 000 in",
        "`replay-5000`: what the same kube-apiserver said, byte for byte but for the stamps, over TLS and HTTP/1.1.",
        "`sender_late_p99_ms` is how late that server itself was. No latency contains that: a stamp is the moment of",
        "sending, whether it was late or not.",
        "",
    ]
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        mine = [row for row in rows if row["scenario"] == scenario]
        lines += ["", f"## {scenario}", "", f"{mine[0]['objects']} objects, {mine[-1]['date']}.", "", *table(mine), ""]
        lines += [f"![{title}](images/{name})" for name, title in pictures if title.startswith(f"{scenario}:")]
    lines += ["", "## What was aimed at", "", "| aim | found | holds |", "|---|---|---|"]
    lines += [f"| {one.aim} | {one.found} | {'yes' if one.holds else '**no**'} |" for one in verdicts]
    return "\n".join(lines) + "\n"


def table(rows):
    shown = [figure for figure in (*FIGURES, "rounds") if figure in rows[0]]
    yield "| contender | " + " | ".join(shown) + " |"
    yield "|---|" + "---:|" * len(shown)
    for row in rows:
        yield f"| {row['contender']} | " + " | ".join(f"{row[figure]:.4g}" for figure in shown) + " |"


if __name__ == "__main__":
    main()
