"""Lines and dots over two axes from zero, as SVG: equal bytes for equal figures."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

import attrs

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 420, 250, 58, 40, 30, 16
SVG = "http://www.w3.org/2000/svg"
COLOURS = ("#1f6f8b", "#c26a3d", "#5b8c3e")
Places = Sequence[tuple[float, float]]


@attrs.frozen
class Series:
    """A dot for each place measured, hollow where the model did not see it, and the model's line."""

    name: str
    measured: Places
    unseen: Places
    line: Places


@attrs.frozen
class Panel:
    title: str
    across: str
    series: tuple[Series, ...]


def drawn(panels: Sequence[Panel], *, columns: int = 2) -> str:
    rows = -(-len(panels) // columns)
    width, height = WIDTH * columns, HEIGHT * rows
    lines = [
        f'<svg xmlns="{SVG}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for number, panel in enumerate(panels):
        x, y = WIDTH * (number % columns), HEIGHT * (number // columns)
        lines += [f'<g transform="translate({x} {y})">', *_panel(panel), "</g>"]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _panel(panel: Panel) -> list[str]:
    places = [place for one in panel.series for part in (one.measured, one.unseen, one.line) for place in part]
    most_x, most_y = (_round_up(max(place[axis] for place in places)) for axis in (0, 1))
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at(place: tuple[float, float]) -> tuple[float, float]:
        return LEFT + wide * place[0] / most_x, TOP + high * (1 - place[1] / most_y)

    lines = [
        f'<text x="{LEFT}" y="17" font-weight="bold" fill="#202020">{escape(panel.title)}</text>',
        f'<text x="{LEFT + wide}" y="{HEIGHT - 6}" text-anchor="end" fill="#606060">{escape(panel.across)}</text>',
    ]
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = at((most_x * part, most_y * part))
        below = TOP + high + 15
        lines += [
            f'<path d="M{LEFT} {y:.1f}h{wide}" stroke="#e4e4e4"/>',
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#606060">{_short(most_y * part)}</text>',
            f'<text x="{x:.1f}" y="{below}" text-anchor="middle" fill="#606060">{_short(most_x * part)}</text>',
        ]
    for one, colour in zip(panel.series, COLOURS, strict=False):
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in map(at, one.line))
        lines.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        for places, fill in ((one.measured, colour), (one.unseen, "#ffffff")):
            lines += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="{colour}" stroke-width="1.5"/>'
                for x, y in map(at, places)
            ]
    names = (
        f'<tspan fill="{colour}" dx="{14 if number else 0}">{escape(one.name)}</tspan>'
        for number, (one, colour) in enumerate(zip(panel.series, COLOURS, strict=False))
    )
    return [*lines, f'<text x="{LEFT}" y="{HEIGHT - 6}">{"".join(names)}</text>']


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 5, 6, 8, 10 times a power of ten."""
    power = 1.0
    while power * 10 < value:
        power *= 10
    while power > value:
        power /= 10
    return next(step * power for step in (1, 2, 4, 5, 6, 8, 10) if step * power >= value)


def _short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"
