"""What the figures of a run must come to, each as a ratio of two contenders in it."""

import attrs


@attrs.frozen
class Bar:
    """`figure` of Windlass may be at most `most` times that of `other`."""

    scenario: str
    figure: str
    most: float
    other: str


@attrs.frozen
class Verdict:
    aim: str
    found: str
    holds: bool

    def __str__(self):
        return f"{'holds ' if self.holds else 'MISSED'}  {self.aim}: {self.found}"


TYPED, DYNAMIC = "client-go typed", "client-go dynamic"
BARS = (
    Bar("sync", "cpu_s", 0.2, DYNAMIC),
    Bar("sync", "cpu_s", 0.5, TYPED),
    Bar("sync", "growth_mb", 0.15, DYNAMIC),
    Bar("sync", "growth_mb", 0.5, TYPED),
    Bar("sync", "wall_s", 1.2, TYPED),
    Bar("sync", "cpu_s", 2.0, "floor"),
    Bar("reconcile", "cpu_s", 0.7, TYPED),
    Bar("reconcile", "cpu_s", 0.7, DYNAMIC),
    Bar("reconcile", "cpu_s", 0.12, "kopf"),
    Bar("reconcile", "rss_peak_mb", 0.45, DYNAMIC),
    Bar("reconcile", "rss_peak_mb", 1.3, TYPED),
    Bar("reconcile", "wall_s", 1.0, TYPED),
    Bar("reconcile", "cpu_s", 2.0, "floor"),
    Bar("noop", "cpu_s", 2.0, "floor"),
    Bar("latency", "p99_ms", 1.5, TYPED),
    Bar("latency", "cpu_s", 2.0, "floor"),
    Bar("replay", "p99_ms", 1.5, TYPED),
    Bar("replay", "cpu_s", 2.0, "floor"),
    Bar("replay-5000", "cpu_s", 2.0, "floor"),
)
NOOPS_A_SECOND = 15_000


def judged(rows):
    """A verdict for each bar whose two contenders ran."""
    found = {(row["scenario"], row["contender"]): row for row in rows}
    verdicts = []
    for bar in BARS:
        mine, others = found.get((bar.scenario, "windlass")), found.get((bar.scenario, bar.other))
        if mine is None or others is None:
            continue
        ratio = mine[bar.figure] / others[bar.figure]
        aim = f"{bar.scenario}: {bar.figure} at most {bar.most:g} x {bar.other}"
        said = f"{mine[bar.figure]:.4g} / {others[bar.figure]:.4g} = {ratio:.2f}"
        verdicts.append(Verdict(aim, said, ratio <= bar.most))
    noop = found.get(("noop", "windlass"))
    if noop is not None:
        rate = noop["objects"] / noop["cpu_s"]  # of one core: the process has one busy thread
        aim = f"noop: at least {NOOPS_A_SECOND} a second of CPU"
        verdicts.append(Verdict(aim, f"{rate:.0f}", rate >= NOOPS_A_SECOND))
    return verdicts
