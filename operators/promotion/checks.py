"""A check has passed only if there is a number and it is within its bounds; no answer is no pass (B1).

This module is pure and does not know where numbers come from.
"""

import math
from collections.abc import Mapping

import attrs

from windlass.operators.promotion.types import Baseline, CheckStatus, MetricCheck

__all__ = ("Reading", "baselines_of", "judge")


@attrs.frozen
class Reading:
    """What was read for a check: one number, or two for a check with `per`; or why there is none."""

    value: float = math.nan
    per: float = math.nan
    error: str = ""


def baselines_of(checks: tuple[MetricCheck, ...], readings: Mapping[str, Reading]) -> tuple[tuple[Baseline, ...], str]:
    """The counters from which growth is counted; and the name of a check that has no answer yet, "" if all have."""
    made = []
    for check in checks:
        reading = readings.get(check.name, Reading(error="it was not read"))
        if check.per is None:
            continue
        if reading.error or not (math.isfinite(reading.value) and math.isfinite(reading.per)):
            return (), check.name
        made.append(Baseline(check.name, reading.value, reading.per))
    return tuple(made), ""


def judge(check: MetricCheck, reading: Reading, baselines: tuple[Baseline, ...]) -> CheckStatus:
    """What a check says. A counter that is less than its baseline began anew, and all of it is growth."""
    value, error = (reading.value, reading.error) if check.per is None else _ratio(check, reading, baselines)
    if not error and not math.isfinite(value):
        error = f"expected a finite number, found {value}"
    if not error and check.at_least is None and check.at_most is None:
        error = "expected atLeast or atMost, found neither"
    if error:
        return CheckStatus(check.name, False, error)
    shown = f"{value:.6g}"
    if check.at_least is not None and value < check.at_least:
        return CheckStatus(check.name, False, f"{shown} is less than {check.at_least:g}", value)
    if check.at_most is not None and value > check.at_most:
        return CheckStatus(check.name, False, f"{shown} is more than {check.at_most:g}", value)
    return CheckStatus(check.name, True, f"{shown} is within bounds", value)


def _ratio(check: MetricCheck, reading: Reading, baselines: tuple[Baseline, ...]) -> tuple[float, str]:
    """How much the series grew for each unit that `per` grew; or why there is no such number."""
    base = next((one for one in baselines if one.name == check.name), None)
    if reading.error or base is None:
        return math.nan, reading.error or "it has no baseline"
    units = _growth(base.per, reading.per)
    if not units > 0:
        return math.nan, "what it is counted by has not grown since the weight was reached"
    return _growth(base.series, reading.value) / units, ""


def _growth(before: float, now: float) -> float:
    return now if now < before else now - before
