"""The page of figures follows from the rows on record alone: the same record makes the same bytes."""

import json
from pathlib import Path

import picture
import programme
from bars import judged

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "benchmarks.md"
RECORD = PAGE.with_suffix(".jsonl")
FIGURES = ("wall_s", "cpu_s", "rss_peak_mb", "growth_mb", "growth_forced_mb", "peak_growth_mb", "startup_cpu_s")
FIGURES += (
    "runs_a_second",
    "operations_a_second",
    "requests_a_second",
    "p50_ms",
    "p99_ms",
    "p999_ms",
    "cpu_ms_a_thousand",
)
FIGURES += ("sender_late_p99_ms", "sender_cpu_s", "settled_bytes", "peak_bytes", "idle_cpu_ms_a_second")
FIGURES += ("longest_stall_ms", "longest_held_ms", "import_cpu_s", "rounds")
INTRODUCTION = """# Benchmarks

<!-- Written by tests/benchmarks/bench_contenders.py --write. -->

Custom resources of 1.5 KB, a real kube-apiserver 1.20.2 with etcd on the same machine ({machine}),
each contender in a fresh process, turn by turn, medians of so many rounds as the table says. Contenders with the
same number of rounds ran in turn, each library after them by itself; compare those of one day. CPU is that of the whole
process from the start of the work to its end; growth is the memory held a second later less that at the
start, forced growth the same after the process was made to collect its garbage and give back all that it
can, peak growth that at the worst moment of the work; MB are 1e6 bytes. Repeat it with `make bench`, or with
`windlass bench SCENARIO` on a cluster of yours; [how to measure](../how-to/measure.md) says what each scenario does.

`windlass` is a manager with its defaults and a controller of 16 workers, `windlass-typed` the same with
typed objects; `windlass-full` keeps managedFields, `windlass-trimmed` drops most of the spec on arrival,
`windlass-metadata` asks for metadata alone. `floor` is bare aiohttp and msgspec doing only what cannot be left out,
with no error handled. client-go is a shared informer and a work queue, compiled from the version that Debian ships
(0.20.2), with managedFields thrown away on arrival. kubernetes_asyncio, lightkube and kr8s are clients: a dictionary,
a queue and workers stand beside them, as a user would write it. kopf is an operator framework.

`replay` is the latency of one change of each widget as a replaying server sends it, 1 000 a second, 5 000 in
`replay-5000`: what the same kube-apiserver said, byte for byte but for the stamps, over TLS and HTTP/1.1.
`sender_late_p99_ms` is how late that server itself was. No latency contains that: a stamp is the moment of
sending, whether it was late or not. `latency` is at 300 a second, on the API server itself.
"""


def write(anew):
    """Put these rows in place of their older ones, and write the page and its pictures."""
    rows = kept(recorded(), anew)
    RECORD.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    pictures = picture.write(rows, PAGE.parent / "images")
    PAGE.write_text(page(rows, pictures), encoding="utf-8")


def recorded():
    """All rows on record, in the order of the page."""
    lines = RECORD.read_text(encoding="utf-8").splitlines() if RECORD.exists() else []
    return [json.loads(line) for line in lines]


def kept(rows, anew):
    """`anew`, and of the others those of another scenario or contender, unless no entry asks for them any more."""
    replaced = {(row["scenario"], row["contender"]) for row in anew}
    kept_ones = [row for row in rows if (row["scenario"], row["contender"]) not in replaced and known(row)]
    return sorted([*kept_ones, *anew], key=programme.order)


def known(row):
    return row["scenario"] in programme.NAMES and row["contender"] in programme.entry(row["scenario"]).contenders


def page(rows, pictures):
    lines = [INTRODUCTION.format(machine="; ".join(sorted({row["machine"] for row in rows})))]
    for entry in programme.ENTRIES:
        mine = [row for row in rows if row["scenario"] == entry.name]
        if not mine:
            continue
        days = " and ".join(sorted({row["date"] for row in mine}))
        sizes = " and ".join(str(size) for size in sorted({row["objects"] for row in mine}))
        lines += ["", f"## {entry.name}", "", f"{sizes} objects, {days}. {entry.note}".rstrip(), ""]
        missing = [one for one in entry.contenders if one not in {row["contender"] for row in mine}]
        if missing:
            lines += [f"Not on record: {', '.join(missing)}.", ""]
        lines += [*table(mine), ""]
        lines += [f"![{title}](images/{name})" for name, title in pictures if title.startswith(f"{entry.name}:")]
    lines += ["", "## What was aimed at", "", "| aim | found | holds |", "|---|---|---|"]
    lines += [f"| {one.aim} | {one.found} | {held(one)} |" for one in judged(rows)]
    return "\n".join(lines) + "\n"


def held(verdict):
    if verdict.holds:
        return "yes"
    return f"**no**, [the reason]({verdict.reason})" if verdict.reason else "**no**"


def table(rows):
    shown = [figure for figure in FIGURES if any(figure in row for row in rows)]
    yield "| contender | " + " | ".join(shown) + " |"
    yield "|---|" + "---:|" * len(shown)
    for row in rows:
        cells = (number(row[figure]) if figure in row else "-" for figure in shown)
        yield f"| {row['contender']} | " + " | ".join(cells) + " |"


def number(value):
    return f"{value:.4g}" if value < 10_000 else f"{value:.0f}"
