"""What the figures of a run must come to: as ratios of two contenders in it, and a few as they are."""

import operator

import attrs
from programme import DYNAMIC, ENTRIES, TYPED

REASONS = "../explanation/decisions.md#what-costs-more-than-twice-the-floor-and-why-it-stays"


@attrs.frozen
class Bar:
    """`figure` of Windlass may be at most `most` times that of `other`; `reason` is where it says why it is not."""

    scenario: str
    figure: str
    most: float
    other: str
    reason: str = ""


@attrs.frozen
class Mark:
    """`figure` of Windlass must be `least` or more, or `most` or less."""

    scenario: str
    figure: str
    least: float | None = None
    most: float | None = None


@attrs.frozen
class Verdict:
    aim: str
    found: str
    holds: bool
    reason: str = ""

    def __str__(self):
        return f"{'holds ' if self.holds else 'MISSED'}  {self.aim}: {self.found}"


BARS = (
    Bar("sync", "cpu_s", 0.2, DYNAMIC),
    Bar("sync", "cpu_s", 0.5, TYPED),
    Bar("sync", "growth_mb", 0.15, DYNAMIC),
    Bar("sync", "growth_mb", 0.5, TYPED),
    Bar("sync", "wall_s", 1.2, TYPED),
    Bar("reconcile", "cpu_s", 0.7, TYPED),
    Bar("reconcile", "cpu_s", 0.7, DYNAMIC),
    Bar("reconcile", "cpu_s", 0.12, "kopf"),
    Bar("reconcile", "rss_peak_mb", 0.45, DYNAMIC),
    Bar("reconcile", "rss_peak_mb", 1.3, TYPED),
    Bar("reconcile", "wall_s", 1.0, TYPED),
    Bar("latency", "p99_ms", 1.5, TYPED),
    Bar("replay", "p99_ms", 1.5, TYPED),
    *(Bar(entry.name, "cpu_s", 2.0, "floor", REASONS) for entry in ENTRIES if "floor" in entry.contenders),
)
MARKS = (
    Mark("noop", "a_second_of_cpu", least=15_000),  # the process has one busy thread, so that is one core
    Mark("queue", "operations_a_second", least=300_000),
    Mark("startup", "cpu_s", most=1.5),
    Mark("startup", "import_cpu_s", most=0.25),
)


def judged(rows):
    """A verdict for each bar whose contenders ran."""
    found = {(row["scenario"], row["contender"]): row for row in rows}
    verdicts = []
    for bar in BARS:
        mine, others = found.get((bar.scenario, "windlass")), found.get((bar.scenario, bar.other))
        if mine is None or others is None:
            continue
        ratio = mine[bar.figure] / others[bar.figure]
        aim = f"{bar.scenario}: {bar.figure} at most {bar.most:g} x {bar.other}"
        said = f"{mine[bar.figure]:.4g} / {others[bar.figure]:.4g} = {ratio:.2f}"
        verdicts.append(Verdict(aim, said, ratio <= bar.most, bar.reason))
    for mark in MARKS:
        mine = found.get((mark.scenario, "windlass"))
        if mine is not None:
            verdicts.append(_reached(mark, {**mine, "a_second_of_cpu": mine["objects"] / mine["cpu_s"]}))
    return verdicts


def _reached(mark, row):
    value = row[mark.figure]
    if mark.most is None:
        words, holds, limit = "at least", operator.ge, mark.least
    else:
        words, holds, limit = "at most", operator.le, mark.most
    return Verdict(f"{mark.scenario}: {mark.figure} {words} {limit:g}", f"{value:.6g}", holds(value, limit))
