"""Whether Windlass has become slower: what it costs beside a floor, each pair in turn in one process.

    python tests/benchmarks/guard.py [--only list] [--seconds 1.5] [--record WHY]

Both of a pair do the same work in slices of a few milliseconds, turn by turn, without a network. What counts is the
CPU time of the thread that works, and of all slices the quickest in fifty: other programs on the machine only ever make
a slice slower. They do not make slices fewer, because a pair is measured for so many seconds of CPU. A pair whose ratio
is beyond its band of `bands.toml` is measured again, twice as long, and once more; it is beyond only when it is so each
time. Then the exit code is 1.

`--record` appends the ratios found to the history in `bands.toml`, which makes them what later ones are compared with.
Give the reason; commit the file with what changed them.
"""

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import bands
from guarded.control import queueing, reconciling
from guarded.copies import Slice, listing, watching
from guarded.endpoints import creating, inferring

Pair = Callable[[], AbstractAsyncContextManager[tuple[Slice, Slice]]]
PAIRS: dict[str, Pair] = {
    "list": listing,
    "watch": watching,
    "queue": queueing,
    "noop": reconciling,
    "infer": inferring,
    "create": creating,
}
ATTEMPTS = 3
QUICKEST = 0.02


@attrs.frozen
class Measured:
    """Milliseconds of a slice, and how many slices there were."""

    ours_ms: float
    floor_ms: float
    slices: int

    @property
    def ratio(self) -> float:
        return self.ours_ms / self.floor_ms


async def measured(pair: Pair, seconds: float) -> Measured:
    spent = 0.0
    times: tuple[list[float], list[float]] = ([], [])
    async with pair() as sides:
        for side in sides:
            await side()
        gc.collect()
        while spent < seconds:
            for side, took in zip(sides, times, strict=True):
                work = side()
                began = time.thread_time()
                await work
                took.append(time.thread_time() - began)
                spent += took[-1]
    ours, floor = (sorted(took)[int(len(took) * QUICKEST)] * 1e3 for took in times)
    return Measured(ours, floor, len(times[0]))


def row_of(name: str, found: Measured, band: bands.Band | None) -> dict[str, Any]:
    row: dict[str, Any] = {"scenario": f"guard {name}", "ratio_to_floor": round(found.ratio, 3)}
    row |= {"slices": found.slices, "ours_ms": round(found.ours_ms, 3), "floor_ms": round(found.floor_ms, 3)}
    if band is not None:
        row |= {"recorded": band.recorded, "most": round(band.most, 3), "holds": found.ratio <= band.most}
        if found.ratio < band.least:
            row["note"] = "much better than recorded: record it, lest the gain be lost unseen"
    return row


def guarded(names: Iterable[str], known: dict[str, bands.Band], seconds: float) -> list[dict[str, Any]]:
    """A row for each pair, printed as it is found."""
    rows = []
    for name in names:
        for attempt in range(ATTEMPTS):
            found = asyncio.run(measured(PAIRS[name], seconds * (1 + min(attempt, 1))))
            row = row_of(name, found, known.get(name))
            print(json.dumps(row), flush=True)
            if row.get("holds", True):
                break
        rows.append(row)
    return rows


def record(rows: list[dict[str, Any]], why: str) -> None:
    ratios = {row["scenario"].removeprefix("guard "): row["ratio_to_floor"] for row in rows}
    git = ["git", "-C", str(bands.PATH.parent), "rev-parse", "--short=10", "HEAD"]
    commit = subprocess.run(git, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    text = bands.entry(ratios, bands.Place.here(), date=f"{datetime.now(UTC):%Y-%m-%d}", commit=commit, why=why)
    with bands.PATH.open("a", encoding="utf-8") as file:
        file.write(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=PAIRS, help="may be repeated")
    parser.add_argument("--seconds", type=float, default=1.5, help="of CPU, for each pair")
    parser.add_argument("--record", metavar="WHY")
    options = parser.parse_args()
    known = {}
    if options.record is None:
        try:
            known = bands.read(bands.PATH.read_text("utf-8"), bands.Place.here())
        except ValueError as error:
            sys.exit(f"{Path(sys.argv[0]).name}: {bands.PATH.name}: {error}")
    rows = guarded(options.only or PAIRS, known, options.seconds)
    if options.record is not None:
        record(rows, options.record)
    beyond = [row for row in rows if not row.get("holds", True)]
    for row in beyond:
        print(
            f"{row['scenario']}: {row['ratio_to_floor']} times its floor, recorded {row['recorded']}, "
            f"at most {row['most']} is within the band",
            file=sys.stderr,
        )
    sys.exit(1 if beyond else 0)


if __name__ == "__main__":
    main()
