"""A drawing is a text of SVG that follows from the numbers alone, to the byte: no fonts, no library, no date in it.

Colours are chosen to be told apart in grey. This module does not know cards.
"""

import math
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from windlass.operators.training.card.escaping import visible

__all__ = ("CLASSES_MAX", "confusion_matrix", "loss_curve")

CLASSES_MAX: Final = 60  # more cannot be read any more

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 640, 360, 64, 28, 20, 48
_INK, _GRID, _LOSS, _ACCURACY = "#222222", "#dddddd", "#b03a2e", "#1f618d"
_COUNTS_SHOWN_MAX: Final = 20
_LABEL_LENGTH_MAX: Final = 14
_TICKS: Final = 4


def loss_curve(curve: Sequence[tuple[float, ...]]) -> str:
    """Loss and accuracy by epoch, from (epoch, loss, accuracy); the loss on the left axis, from 0 to its maximum."""
    epochs = [point[0] for point in curve]
    first, last = min(epochs), max(epochs)
    top = max((point[1] for point in curve), default=0.0)
    top = top if top > 0 and math.isfinite(top) else 1.0

    def x(epoch: float) -> float:
        span = last - first
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * ((epoch - first) / span if span else 0.5)

    def y(share: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * min(max(share, 0.0), 1.0)

    parts = []
    for tick in range(_TICKS + 1):
        share = tick / _TICKS
        parts.append(_line((_LEFT, y(share)), (_WIDTH - _RIGHT, y(share)), _GRID))
        parts.append(_text((_LEFT - 8, y(share) + 4), f"{top * share:.3g}", anchor="end"))
    parts.append(_text((_LEFT, _HEIGHT - _BOTTOM + 18), f"{first:g}", anchor="middle"))
    parts.append(_text((_WIDTH - _RIGHT, _HEIGHT - _BOTTOM + 18), f"{last:g}", anchor="end"))
    parts.append(_text((_WIDTH / 2, _HEIGHT - 10), "epoch", anchor="middle"))
    parts.append(_path([(x(point[0]), y(point[1] / top)) for point in curve], _LOSS))
    parts.append(_path([(x(point[0]), y(point[2])) for point in curve], _ACCURACY, dashes="6 3"))
    parts.append(_text((_LEFT, 16), f"loss (0 to {top:.3g})", colour=_LOSS))
    parts.append(_text((_WIDTH - _RIGHT, 16), "accuracy (0 to 1), dashed", anchor="end", colour=_ACCURACY))
    return _svg(_WIDTH, _HEIGHT, parts, title="Loss and accuracy by epoch, on the training rows")


def confusion_matrix(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """How often each label (row) was answered with each label (column); darker is more, within its row."""
    size = max(18, min(44, 720 // len(labels)))
    left, top = 120, 120
    side = size * len(labels)
    parts = [
        _text((left + side / 2, 16), "answered", anchor="middle"),
        (
            f'<text x="16" y="{_number(top + side / 2)}" text-anchor="middle" fill="{_INK}" '
            f'transform="rotate(-90 16 {_number(top + side / 2)})">label</text>'
        ),
    ]
    for index, label in enumerate(labels):
        middle = size * (index + 0.5)
        parts.append(_text((left - 8, top + middle + 4), _short(label), anchor="end"))
        turned = f"rotate(-60 {_number(left + middle)} {top - 8})"
        parts.append(
            f'<text x="{_number(left + middle)}" y="{top - 8}" fill="{_INK}" transform="{turned}">'
            f"{escape(_short(label))}</text>"
        )
    for row, counted in enumerate(counts):
        total = sum(counted)
        for column, count in enumerate(counted):
            share = count / total if total else 0.0
            parts.append(_cell((left + column * size, top + row * size), size, share))
            if len(labels) <= _COUNTS_SHOWN_MAX and count:
                ink = "#ffffff" if share > 0.5 else _INK
                place = left + (column + 0.5) * size, top + (row + 0.5) * size + 4
                parts.append(_text(place, str(count), anchor="middle", colour=ink))
    return _svg(left + side + 20, top + side + 20, parts, title="Confusion matrix on the held-out rows")


def _svg(width: float, height: float, parts: Sequence[str], *, title: str) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_number(width)}" height="{_number(height)}" '
        f'viewBox="0 0 {_number(width)} {_number(height)}" font-family="sans-serif" font-size="12" role="img">'
    )
    background = f'<rect width="{_number(width)}" height="{_number(height)}" fill="#ffffff"/>'
    return "\n".join((head, f"<title>{escape(title)}</title>", background, *parts, "</svg>")) + "\n"


def _text(place: tuple[float, float], text: str, *, anchor: str = "start", colour: str = _INK) -> str:
    where = f'x="{_number(place[0])}" y="{_number(place[1])}"'
    return f'<text {where} text-anchor="{anchor}" fill="{colour}">{escape(visible(text))}</text>'


def _line(start: tuple[float, float], end: tuple[float, float], colour: str) -> str:
    ends = f'x1="{_number(start[0])}" y1="{_number(start[1])}" x2="{_number(end[0])}" y2="{_number(end[1])}"'
    return f'<line {ends} stroke="{colour}"/>'


def _path(points: Sequence[tuple[float, float]], colour: str, *, dashes: str = "") -> str:
    if len(points) == 1:
        return f'<circle cx="{_number(points[0][0])}" cy="{_number(points[0][1])}" r="3" fill="{colour}"/>'
    way = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="1.5"{dashed}/>'


def _cell(place: tuple[float, float], size: float, share: float) -> str:
    # From white to a dark blue.
    shade = tuple(round(255 + (dark - 255) * share) for dark in (21, 67, 96))
    colour = "#{:02x}{:02x}{:02x}".format(*shade)
    where = f'x="{_number(place[0])}" y="{_number(place[1])}"'
    return f'<rect {where} width="{_number(size)}" height="{_number(size)}" fill="{colour}" stroke="{_GRID}"/>'


def _short(label: str) -> str:
    text = visible(label)
    return text if len(text) <= _LABEL_LENGTH_MAX else f"{text[: _LABEL_LENGTH_MAX - 1]}\u2026"


def _number(value: float) -> str:
    """Two decimals, without what is not needed of them, and no minus zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
