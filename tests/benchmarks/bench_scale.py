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
from scaled.points import Point, point

SIZES = (10_000, 50_000, 100_000, 250_000, 500_000)
KEPT = Path(__file__).with_name("scale.json")


def read() -> list[Point]:
    return msgspec.json.decode(KEPT.read_bytes(), type=list[Point])


def keep(points: list[Point]) -> None:
    rounded = [
        {name: page.rounded(value) for name, value in attrs.asdict(one).items()}
        for one in sorted(points, key=lambda one: one.objects)
    ]
    KEPT.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, action="append", help="may be repeated")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    points = [] if not options.again else read()
    for count in () if options.again else options.objects or SIZES:
        points.append(point(count))
        print(json.dumps({"scenario": "scale", "contender": "windlass", **attrs.asdict(points[-1])}), flush=True)
    if options.write:
        keep(points)
    if options.write or options.again:
        page.write(read())


if __name__ == "__main__":
    main()
