"""An SVG of a machine: boxes for states, arrows for rows, a dashed box for a group, and one object's way in colour.

Rows between the same two states share an arrow; a row back to its own state is written into the box. The picture needs
no script, no style sheet and no font of its own. This module does not know where boxes go (`layout` does).
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final
from xml.sax.saxutils import escape

from windlass.statemachine.diagram import Trail, any_of, groups_used, label
from windlass.statemachine.layout import Box, Drawing, Edge, Line, arrange
from windlass.statemachine.machine import Machine

__all__ = ("svg",)

_START: Final = "\0start"  # no state has this name: names are of one line
_MARGIN: Final = 16.0
_LETTER: Final = 7.4  # width of an average letter at 13 px
_SMALL: Final = 6.4  # and at 11 px
_STYLE: Final = """
  text { font: 13px system-ui, sans-serif; text-anchor: middle; fill: #1c1917 }
  .small { font-size: 11px; fill: #44403c }
  .state { fill: #fafaf9; stroke: #57534e; stroke-width: 1.2 }
  .group { fill: none; stroke: #78716c; stroke-dasharray: 4 3 }
  .final { fill: none; stroke: #57534e }
  .row { fill: none; stroke: #78716c; stroke-width: 1.2; marker-end: url(#arrow) }
  .been { fill: #fed7aa; stroke: #c2410c }
  .here { stroke-width: 3 }
  .taken { stroke: #c2410c; stroke-width: 2.2; marker-end: url(#arrow-taken) }
  .paper { fill: #ffffff }
"""


def svg(machine: Machine, *, path: Sequence[str] = ()) -> str:
    """The picture as text. `path`: the states that an object has been through, in order."""
    trail = Trail(machine, path)
    labels = _labels(machine, trail)
    boxes = [
        Box(_START, 10, 10),
        *(_box(state, _loops(machine, trail, state)) for state in machine.states),
        *(Box(group, len(any_of(machine, group)) * _SMALL + 20, 26) for group in groups_used(machine)),
    ]
    edges = [Edge(_START, machine.initial)]
    edges += [_edge(source, target, lines) for (source, target), (lines, _) in labels.items()]
    drawing = arrange(boxes, edges)
    width, height = f"{drawing.width + 2 * _MARGIN:.0f}", f"{drawing.height + 2 * _MARGIN:.0f}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<title>{escape(machine.name)}</title>",
        f"<style>{_STYLE}</style>",
        f"<defs>{_arrowhead('arrow', '#78716c')}{_arrowhead('arrow-taken', '#c2410c')}</defs>",
        f'<rect class="paper" width="{width}" height="{height}" rx="8"/>',
        f'<g transform="translate({_MARGIN:.0f} {_MARGIN:.0f})">',
    ]
    lines += [_path(line, taken=_taken(labels, line.edge)) for line in drawing.lines]
    for line in drawing.lines[1:]:
        lines += _texts(line, labels[line.edge.source, line.edge.target][0])
    for box in boxes:
        lines += _shape(box, trail, drawing)
    return "\n".join([*lines, "</g>", "</svg>"]) + "\n"


_Labels = dict[tuple[str, str], tuple[list[str], bool]]


def _labels(machine: Machine, trail: Trail) -> _Labels:
    """By source and target: what stands on the arrow, a line a row, and whether the object has taken it."""
    found: _Labels = {}
    for row in machine.transitions:
        if row.source != row.target:
            lines, taken = found.get((row.source, row.target), ([], False))
            found[row.source, row.target] = [*lines, label(row, trail.taken(row))], taken or bool(trail.taken(row))
    return found


def _taken(labels: _Labels, edge: Edge) -> bool:
    return edge.source != _START and labels[edge.source, edge.target][1]


def _loops(machine: Machine, trail: Trail, state: str) -> list[str]:
    rows = [row for row in machine.transitions if row.source == row.target == state]
    return [f"↻ {label(row, trail.taken(row))}" for row in rows]


def _box(state: str, loops: list[str]) -> Box:
    width = max(len(state) * _LETTER, *(len(loop) * _SMALL for loop in loops), 30) + 24
    return Box(state, width, 32 + 15 * len(loops))


def _edge(source: str, target: str, lines: list[str]) -> Edge:
    return Edge(source, target, max(map(len, lines)) * _SMALL + 6, 14.0 * len(lines) + 2)


def _shape(box: Box, trail: Trail, drawing: Drawing) -> Iterator[str]:
    machine = trail.machine
    x, y = drawing.centres[box.name]
    if box.name == _START:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
        return
    group = box.name not in machine.states
    been = not group and trail.been(box.name)
    classes = " ".join(
        ["group" if group else "state", *(["been"] if been else []), *(["here"] if trail.here(box.name) else [])]
    )
    yield _rectangle(classes, x, y, box)
    if machine.is_final(box.name):
        yield _rectangle("final", x, y, Box("", box.width - 7, box.height - 7))
    if group:
        yield _text("small", x, y + 4, any_of(machine, box.name))
        return
    yield _text("", x, y - box.height / 2 + 21, box.name)
    for number, loop in enumerate(_loops(machine, trail, box.name)):
        yield _text("small", x, y - box.height / 2 + 37 + 15 * number, loop)


def _rectangle(classes: str, x: float, y: float, box: Box) -> str:
    return (
        f'<rect class="{classes}" x="{x - box.width / 2:.1f}" y="{y - box.height / 2:.1f}" '
        f'width="{box.width:.1f}" height="{box.height:.1f}" rx="9"/>'
    )


def _text(classes: str, x: float, y: float, content: str) -> str:
    of = f' class="{classes}"' if classes else ""
    return f'<text{of} x="{x:.1f}" y="{y:.1f}">{escape(content)}</text>'


def _path(line: Line, *, taken: bool) -> str:
    (x, y), *_ = line.points
    parts = [f"M{x:.1f} {y:.1f}"]
    for (x0, y0), (x1, y1) in pairwise(line.points):
        half = (y0 + y1) / 2
        parts.append(f"C{x0:.1f} {half:.1f} {x1:.1f} {half:.1f} {x1:.1f} {y1:.1f}")
    return f'<path class="row{" taken" if taken else ""}" d="{" ".join(parts)}"/>'


def _texts(line: Line, lines: list[str]) -> Iterator[str]:
    x, y = line.label
    width, height = line.edge.width, line.edge.height
    # Its own paper under it: the arrow ends above the words and goes on below them.
    yield _rectangle("paper", x, y, Box("", width, height))
    for number, content in enumerate(lines):
        yield _text("small", x, y - height / 2 + 12 + 14 * number, content)


def _arrowhead(name: str, colour: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
    )
