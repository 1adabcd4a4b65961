"""The picture of a history is a text of SVG that follows from the history alone, to the byte.

No script, no font of its own, no present moment. Colours can be told apart in grey, and none carries a meaning that
words do not carry, too. This module does not know where a history comes from.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from xml.sax.saxutils import escape

import attrs

from windlass.operators.training.timeline.history import Bar, Check, History, Row, Tone

__all__ = ("draw",)

_LEFT: Final = 150.0
_PLOT: Final = 600.0
_RIGHT: Final = 210.0
_WIDTH: Final = _LEFT + _PLOT + _RIGHT
_HEAD: Final = 84.0
_ROW: Final = 26.0
_BAR: Final = 14.0
_TRAFFIC: Final = 74.0
_GAP: Final = 14.0
_TICKS: Final = 6
_NARROWEST: Final = 3.0  # of a bar; many phases take less than the second that times on record are rounded to
_NAME_MAX: Final = 20
_NOTE_MAX: Final = 33
_SENTENCE_MAX: Final = 118
_FILLS: Final[dict[Tone, str]] = {
    "waiting": "#d6d3d1",
    "working": "#60a5fa",
    "good": "#15803d",
    "bad": "#b91c1c",
    "halted": "#fbbf24",
}
_SIGNS: Final = {"Passed": ("✓", "#15803d"), "Failed": ("✗", "#b91c1c"), "Error": ("!", "#b91c1c")}
_FONT: Final = 'font-family="system-ui, sans-serif" font-size="12" role="img"'
_INK, _GREY, _GRID, _TRAFFIC_FILL = "#1c1917", "#57534e", "#e7e5e4", "#93c5fd"


@attrs.frozen
class _Axis:
    start: datetime
    seconds: float

    def x(self, moment: datetime) -> float:
        share = (moment - self.start).total_seconds() / self.seconds
        return _LEFT + _PLOT * min(max(share, 0.0), 1.0)


def draw(history: History) -> str:
    """The picture, about 960 pixels wide and as high as there are rows."""
    axis = _Axis(history.start, max((history.end - history.start).total_seconds(), 1.0))
    body: list[str] = []
    y = _HEAD
    for rows in _sections(history):
        for row in rows:
            body += _row(row, y, axis)
            y += _ROW
        y += _GAP
    if history.levels:
        body += _traffic(history, y, axis)
        y += _TRAFFIC + _GAP
    bottom = y - _GAP
    lines = list(_grid(axis, bottom))
    for check in history.checks:
        body += _verdict(check, y + 16)
        y += 20
    y += _GAP / 2 if history.checks else 0
    for sentence in history.facts:
        body.append(_text((_LEFT, y + 16), _short(sentence, _SENTENCE_MAX), colour=_GREY))
        y += 20
    return _page(history, y + 16, [*lines, *body])


def _sections(history: History) -> Iterator[Sequence[Row]]:
    yield history.phases
    if history.attempts:
        yield history.attempts
    if history.promotion is not None:
        yield (attrs.evolve(history.promotion, name="promotion"),)


def _page(history: History, height: float, parts: Sequence[str]) -> str:
    size = f'width="{_number(_WIDTH)}" height="{_number(height)}"'
    again = f", generation {history.generation}" if history.generation > 1 else ""
    took = _lasting((history.end - history.start).total_seconds())
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {_number(_WIDTH)} {_number(height)}" {_FONT}>',
        f"<title>{escape(f'{history.title}: {history.phase}{again}')}</title>",
        f'<rect {size} rx="8" fill="#ffffff"/>',
        f'<g font-size="16" font-weight="600">{_text((20, 30), _short(history.title, 70))}</g>',
        _text((_WIDTH - 20, 30), f"{history.phase}{again}", anchor="end"),
        _text((20, 50), f"{_moment(history.start)} to {_moment(history.end)}, {took}", colour=_GREY),
    )
    return "\n".join((*head, *parts, "</svg>")) + "\n"


def _grid(axis: _Axis, bottom: float) -> Iterator[str]:
    """Lines at round times since the beginning."""
    step = _step(axis.seconds)
    for index in range(math.floor(axis.seconds / step) + 1):
        x = axis.x(axis.start + timedelta(seconds=index * step))
        yield f'<path d="M{_number(x)} {_number(_HEAD - 6)}V{_number(bottom)}" stroke="{_GRID}"/>'
        yield _text((x, _HEAD - 11), _lasting(index * step) if index else "0", anchor="middle", colour=_GREY)


def _row(row: Row, y: float, axis: _Axis) -> Iterator[str]:
    middle = y + _ROW / 2
    yield _text((_LEFT - 12, middle + 4), _short(row.name, _NAME_MAX), anchor="end")
    for bar in row.bars:
        yield from _bar(bar, middle, axis)
    going = "goes on" if any(bar.open for bar in row.bars) else ""
    ended = all(bar.tone in ("good", "bad") and bar.start == bar.end for bar in row.bars)
    took = _lasting(row.seconds) if row.seconds else "" if going or ended else "under 1 s"
    note = ", ".join(filter(None, (took, going, row.note)))
    if note:
        yield _text((_LEFT + _PLOT + 12, middle + 4), _short(note, _NOTE_MAX), colour=_GREY)


def _bar(bar: Bar, middle: float, axis: _Axis) -> Iterator[str]:
    x, end = axis.x(bar.start), axis.x(bar.end)
    if bar.tone in ("good", "bad") and bar.start == bar.end:
        yield f'<circle cx="{_number(x)}" cy="{_number(middle)}" r="6" fill="{_FILLS[bar.tone]}"/>'
        return
    width = max(end - x, _NARROWEST)
    x = min(x, _LEFT + _PLOT - width)
    dashes = f' stroke="{_INK}" stroke-dasharray="3 2"' if bar.open else ""
    yield (
        f'<rect x="{_number(x)}" y="{_number(middle - _BAR / 2)}" width="{_number(width)}" '
        f'height="{_number(_BAR)}" rx="2" fill="{_FILLS[bar.tone]}"{dashes}/>'
    )


def _traffic(history: History, top: float, axis: _Axis) -> Iterator[str]:
    """The candidate's share of the traffic as a staircase, each step with its weight in percent."""
    bottom, height = top + _TRAFFIC, _TRAFFIC - 18
    yield _text((_LEFT - 12, bottom - 4), "0 %", anchor="end", colour=_GREY)
    yield _text((_LEFT - 12, bottom - height + 4), "100 %", anchor="end", colour=_GREY)
    yield _text((_LEFT - 12, bottom - height / 2 + 4), "traffic", anchor="end")
    way = [f"M{_number(axis.x(history.levels[0].at))} {_number(bottom)}"]
    for level in history.levels:
        y = bottom - height * level.weight / 100
        way += [f"H{_number(axis.x(level.at))}", f"V{_number(y)}"]
    way += [f"H{_number(_LEFT + _PLOT)}", f"V{_number(bottom)}Z"]
    yield f'<path d="{"".join(way)}" fill="{_TRAFFIC_FILL}" fill-opacity="0.6" stroke="#1d4ed8"/>'
    right = -math.inf
    for level in history.levels:
        x = min(axis.x(level.at), _LEFT + _PLOT - 30)
        if x < right:
            continue  # the words would lie on each other; the staircase shows it
        yield _text((x, bottom - height * level.weight / 100 - 4), f"{level.weight} %", colour="#1d4ed8")
        right = x + 36
    yield f'<path d="M{_number(_LEFT)} {_number(bottom)}H{_number(_LEFT + _PLOT)}" stroke="{_GREY}"/>'


def _verdict(check: Check, y: float) -> Iterator[str]:
    sign, colour = _SIGNS.get(check.outcome, ("-", _GREY))
    optional = "" if check.required else " (not required)"
    yield _text((_LEFT - 30, y), _short(check.name, _NAME_MAX), anchor="end")
    yield _text((_LEFT - 12, y), sign, anchor="end", colour=colour)
    took = f" in {_lasting(check.seconds)}" if check.seconds else ""
    sentence = f"{check.outcome}{optional}{took}: {check.message}"
    yield _text((_LEFT, y), _short(sentence, _SENTENCE_MAX), colour=_GREY)


def _step(seconds: float) -> float:
    """The least round time of which no more than a handful fit in."""
    rounds = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
    fitting = [one for one in rounds if seconds / one <= _TICKS]
    return float(fitting[0]) if fitting else 86_400.0 * math.ceil(seconds / 86_400 / _TICKS)


def _lasting(seconds: float) -> str:
    """A time in words of two units at most, as `1 h 05 min`."""
    if seconds < 60:
        return f"{_number(round(seconds, 1))} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def _text(place: tuple[float, float], text: str, *, anchor: str = "start", colour: str = _INK) -> str:
    at = f'x="{_number(place[0])}" y="{_number(place[1])}"'
    anchored = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text {at}{anchored} fill="{colour}">{escape(text)}</text>'


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _short(text: str, most: int) -> str:
    """One line of it, of characters that XML can hold."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _number(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
