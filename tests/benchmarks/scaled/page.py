"""The tables and the picture of `docs/explanation/scale.md`, from points that were measured: the rest is by hand."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import attrs
from scaled.chart import Panel, Series, drawn
from scaled.model import FITTED_TO, Model, fitted
from scaled.points import Point
from scaled.writers import DELAY_SECONDS, Writers

from windlass.controller.rendezvous import owner_of
from windlass.informers.keys import Key

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "scale.md"
PICTURE = PAGE.parent / "images" / "scale.svg"
COLUMNS = {
    "settled_mb": "MB at rest",
    "peak_mb": "MB at the peak",
    "sync_cpu_s": "list, CPU s",
    "runs_cpu_s": "first runs, CPU s",
    "relist_cpu_s": "relist, CPU s",
    "relist_s": "relist, s",
    "relist_peak_mb": "MB at its peak",
    "held_ms": "loop held, ms",
    "event_us": "event, CPU us",
    "write_us": "write, CPU us",
}
PREDICTED = (500_000, 1_000_000, 2_000_000)
SHARED_KEYS = 20_000


@attrs.frozen
class Found:
    """All that was measured in one run."""

    points: tuple[Point, ...]
    writers: tuple[Writers, ...]


def rounded(value: object) -> object:
    """Four digits, which is more than is certain."""
    if isinstance(value, Mapping):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return [rounded(one) for one in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def write(found: Found) -> None:
    points, text = found.points, PAGE.read_text("utf-8")
    for name, lines in tables(found).items():
        text = replaced(text, name, lines)
    PAGE.write_text(text, encoding="utf-8")
    PICTURE.write_text(drawn(panels(points, fitted(points))), encoding="utf-8")


def replaced(text: str, name: str, lines: Iterable[str]) -> str:
    """The text with other lines between the marks of that name. Raises ValueError where it has no such marks."""
    begin, end = f"<!-- {name}: written by tests/benchmarks/bench_scale.py -->\n", f"<!-- end of {name} -->"
    head, found, rest = text.partition(begin)
    _, also, tail = rest.partition(end)
    if not found or not also:
        raise ValueError(f"{PAGE.name}: expected {begin.strip()} and {end}")
    return f"{head}{begin}{chr(10).join(lines)}\n{end}{tail}"


def tables(found: Found) -> dict[str, list[str]]:
    points = found.points
    model = fitted(points)
    return {
        "points": table(("objects", *COLUMNS.values()), _measured(points)),
        "model": table(("what", "at no objects", "for each thousand"), _lines(model)),
        "predictions": table(
            ("objects", "", "MB at rest", "MB at the peak of a relist", "list, CPU s", "relist, CPU s"),
            _predictions(points, model),
        ),
        "writers": table(
            ("workers", "writes a second, measured", "at the most", "by", "CPU us of a write"),
            _writers(found.writers, model),
        ),
        "limits": table(("one process", "at the most", "by"), _limits(model)),
        "shares": table(
            ("replicas", "busiest has", "CPU us of an event, measured", "predicted", "events a second of all"),
            _shares(points, model),
        ),
    }


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    shown = [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in shown]


def _measured(points: Sequence[Point]) -> Iterable[Sequence[object]]:
    for one in points:
        yield f"{one.objects:,}", *(getattr(one, name) for name in COLUMNS)


def _lines(model: Model) -> Iterable[Sequence[object]]:
    names = {
        "settled_mb": "MB at rest",
        "peak_mb": "MB at the peak of the start",
        "relist_peak_mb": "MB at the peak of a relist",
        "sync_cpu_s": "CPU seconds of the first list",
        "runs_cpu_s": "CPU seconds of one run each",
        "relist_cpu_s": "CPU seconds of a relist",
    }
    for name, shown in names.items():
        line = getattr(model, name)
        yield shown, f"{line.base:.3f}", f"{line.slope * 1000:.4f}"


def _predictions(points: Sequence[Point], model: Model) -> Iterable[Sequence[object]]:
    measured = {point.objects: point for point in points}
    for count in PREDICTED:
        lines = (model.settled_mb, model.relist_peak_mb, model.sync_cpu_s, model.relist_cpu_s)
        expected = [line.at(count) for line in lines]
        yield f"{count:,}", "predicted", *expected
        if (one := measured.get(count)) is not None:
            found = [one.settled_mb, one.relist_peak_mb, one.sync_cpu_s, one.relist_cpu_s]
            yield f"{count:,}", "measured", *found
            yield (
                f"{count:,}",
                "off by",
                *(f"{have / want - 1:+.0%}" for have, want in zip(found, expected, strict=True)),
            )


def _writers(found: Sequence[Writers], model: Model) -> Iterable[Sequence[object]]:
    for one in found:
        waiting = one.workers / (DELAY_SECONDS + model.write_us / 1e6)
        most, by = min((waiting, "waiting for the server"), (1e6 / model.write_us, "CPU of one core"))
        yield str(one.workers), f"{one.writes_a_second:.0f}", f"{most:.0f}", by, one.write_us


def _limits(model: Model) -> Iterable[Sequence[object]]:
    for gigabytes in (1, 4, 16):
        count = model.relist_peak_mb.reaches(gigabytes * 1000)
        yield f"objects in {gigabytes} GB, with room for a relist", f"{_thousands(count)}", "memory"
    yield "events a second, each with a run", _thousands(model.events_a_second(1)), "CPU of one core"
    watched = 1e6 / model.watch_us
    yield "events a second that lead to no run", _thousands(watched), "CPU of one core"
    yield "status writes a second, each with its event", _thousands(1e6 / model.write_us), "CPU of one core"


def _shares(points: Sequence[Point], model: Model) -> Iterable[Sequence[object]]:
    for members in sorted(points[0].shard_event_us, key=int):
        replicas = int(members)
        found = sum(point.shard_event_us[members] for point in points) / len(points)
        share = busiest(replicas)
        yield (
            members,
            f"{share:.1%} of the keys",
            found,
            model.event_us(replicas),
            _thousands(1e6 / (model.watch_us + model.run_us * share)),
        )


def busiest(replicas: int) -> float:
    """The largest part of the keys that a member of a ring of so many gets."""
    members = [f"member-{number}" for number in range(replicas)]
    counts = dict.fromkeys(members, 0)
    for index in range(SHARED_KEYS):
        owner = owner_of(Key(f"ns-{index % 10}", f"widget-{index:06d}"), members)
        assert owner is not None
        counts[owner] += 1
    return max(counts.values()) / SHARED_KEYS


def _thousands(value: float) -> str:
    """Two digits, for a prediction has no more."""
    return f"{int(float(f'{value:.2g}')):,}"


def panels(points: Sequence[Point], model: Model) -> list[Panel]:
    def over_objects(name: str, shown: str) -> Series:
        places = [(point.objects, float(getattr(point, name))) for point in points]
        line = getattr(model, name)
        return Series(
            shown,
            [place for place in places if place[0] <= FITTED_TO],
            [place for place in places if place[0] > FITTED_TO],
            [(count, max(0.0, line.at(count))) for count in (0, PREDICTED[1])],
        )

    events = [(point.objects, point.event_us) for point in points]
    writes = [(point.objects, point.write_us) for point in points]
    most = points[-1].objects
    ring = [
        (float(members), sum(point.shard_event_us[members] for point in points) / len(points))
        for members in sorted(points[0].shard_event_us, key=int)
    ]
    curve = [(float(replicas), model.event_us(replicas)) for replicas in range(1, 17)]
    return [
        Panel(
            "Memory, MB",
            "objects",
            (over_objects("relist_peak_mb", "peak of a relist"), over_objects("settled_mb", "at rest")),
        ),
        Panel(
            "A whole list, CPU seconds",
            "objects",
            (over_objects("relist_cpu_s", "relist"), over_objects("sync_cpu_s", "first list")),
        ),
        Panel(
            "An event, a write: CPU microseconds",
            "objects",
            (
                Series("status write and its event", writes, [], [(0, model.write_us), (most, model.write_us)]),
                Series("event and its run", events, [], [(0, model.event_us(1)), (most, model.event_us(1))]),
            ),
        ),
        Panel(
            "An event among replicas: CPU microseconds of each",
            "replicas",
            (Series("decode, keep, and run one's own keys", [ring[0], ring[-1]], ring[1:-1], curve),),
        ),
    ]
