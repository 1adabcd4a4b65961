"""How far one process goes: memory and CPU from ten thousand objects to half a million, and what a model makes of them.

    python tests/benchmarks/bench_scale.py [--objects 10000 --objects 50000] [--write]

Each point is a fresh process against a server in another, which writes objects as they are asked for and holds none.
`--write` keeps the points in `scale.json` and writes tables and picture of `docs/explanation/scale.md` anew from it;
`--again` does so without measuring.
"""

import argparse
import json
from pathlib import Path

import attrs
import msgspec
from scaled import page
from scaled.page import Found
from scaled.points import point
from scaled.writers import COUNTS, writers

SIZES = (10_000, 50_000, 100_000, 250_000, 500_000)
KEPT = Path(__file__).with_name("scale.json")


def read() -> Found:
    return msgspec.json.decode(KEPT.read_bytes(), type=Found)


def keep(found: Found) -> None:
    KEPT.write_text(json.dumps(page.rounded(attrs.asdict(found)), indent=1) + "\n", encoding="utf-8")


def measured(sizes: tuple[int, ...]) -> Found:
    points = []
    for count in sorted(sizes):
        points.append(point(count))
        print(json.dumps({"scenario": "scale", "contender": "windlass", **attrs.asdict(points[-1])}), flush=True)
    several = []
    for count in COUNTS:
        several.append(writers(count))
        print(json.dumps({"scenario": "writers", "contender": "windlass", **attrs.asdict(several[-1])}), flush=True)
    return Found(tuple(points), tuple(several))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, action="append", help="may be repeated")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    found = read() if options.again else measured(tuple(options.objects or SIZES))
    if options.write:
        keep(found)
    if options.write or options.again:
        page.write(read())


if __name__ == "__main__":
    main()
