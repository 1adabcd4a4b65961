"""Boxes in layers, edges downwards, as few crossings as a handful of sweeps leave: the same graph, the same picture.

Layers come from the longest way to each box, after the edges that close a cycle have been turned round. An edge gets a
place of its own in each layer that it crosses, and its label one between two layers, so that labels never lie on
anything. Within a layer order follows the neighbours' mean, and so do the places, as near as the widths allow. This
module does not know what is drawn, or in which format.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import attrs

__all__ = ("Box", "Drawing", "Edge", "Line", "arrange")

_GAP_X: Final = 28.0
_GAP_Y: Final = 22.0
_SWEEPS: Final = 16
_PORT: Final = 14.0


@attrs.frozen
class Box:
    """Something to place: its name, width and height."""

    name: str
    width: float
    height: float


@attrs.frozen
class Edge:
    """From a box to another one, with the size of its label (0 by 0 for none). No edge leads to its own beginning."""

    source: str
    target: str
    width: float = 0.0
    height: float = 0.0


@attrs.frozen
class Line:
    """How an edge runs: from its first point, at its source, to its last; its label is centred on `label`."""

    edge: Edge
    points: tuple[tuple[float, float], ...]
    label: tuple[float, float]


@attrs.frozen
class Drawing:
    """Centres of the boxes, lines of the edges in their order, and the size of the whole, from (0, 0) on."""

    centres: Mapping[str, tuple[float, float]]
    lines: tuple[Line, ...]
    width: float
    height: float


@attrs.define(eq=False)
class _Spot:
    """A box, or an edge's place in a layer."""

    layer: int
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0
    above: "list[_Spot]" = attrs.field(factory=list)
    below: "list[_Spot]" = attrs.field(factory=list)


def arrange(boxes: Sequence[Box], edges: Sequence[Edge]) -> Drawing:
    """Place everything. The first box is at the top; no two edges may join the same boxes in the same direction."""
    turned = _turned([box.name for box in boxes], edges)
    layers = _layers([box.name for box in boxes], edges, turned)
    # Twice as many as there are layers of boxes: every other one is for labels.
    spots = {box.name: _Spot(2 * layers[box.name], box.width, box.height) for box in boxes}
    chains = [_chain(spots, edge, turned=edge in turned) for edge in edges]
    rows: list[list[_Spot]] = [[] for _ in range(2 * max(layers.values()) + 1)]
    for spot in (*spots.values(), *(spot for chain in chains for spot in chain[1:-1])):
        rows[spot.layer].append(spot)
    _order(rows)
    _place(rows)
    width, height = _fit(rows)
    ports = _ports(chains)
    lines = tuple(_line(edge, chain, ports, turned=edge in turned) for edge, chain in zip(edges, chains, strict=True))
    return Drawing({name: (spot.x, spot.y) for name, spot in spots.items()}, lines, width, height)


def _turned(names: Sequence[str], edges: Sequence[Edge]) -> set[Edge]:
    """The edges that lead back to where a walk in the order of the table came from."""
    outgoing: dict[str, list[Edge]] = {name: [edge for edge in edges if edge.source == name] for name in names}
    found: set[Edge] = set()
    done: set[str] = set()
    for name in names:
        stack: list[tuple[str, int]] = [] if name in done else [(name, 0)]
        open_names = {name} if stack else set()
        while stack:
            here, index = stack.pop()
            if index == len(outgoing[here]):
                open_names.discard(here)
                done.add(here)
                continue
            stack.append((here, index + 1))
            edge = outgoing[here][index]
            if edge.target in open_names:
                found.add(edge)
            elif edge.target not in done:
                open_names.add(edge.target)
                stack.append((edge.target, 0))
    return found


def _layers(names: Sequence[str], edges: Sequence[Edge], turned: set[Edge]) -> dict[str, int]:
    downwards = [(edge.target, edge.source) if edge in turned else (edge.source, edge.target) for edge in edges]
    layers = dict.fromkeys(names, 0)
    for _ in names:  # the longest way has at most as many steps as there are boxes
        for upper, lower in downwards:
            layers[lower] = max(layers[lower], layers[upper] + 1)
    # A box that nothing leads to stands right above what it leads to, not at the top of the page.
    for name in names[1:]:
        if all(lower != name for _, lower in downwards):
            layers[name] = min((layers[lower] - 1 for upper, lower in downwards if upper == name), default=0)
    return layers


def _chain(spots: Mapping[str, _Spot], edge: Edge, *, turned: bool) -> list[_Spot]:
    """The spots of an edge from top to bottom, the boxes included; the label's is the one in the middle."""
    upper, lower = spots[edge.source], spots[edge.target]
    if turned:
        upper, lower = lower, upper
    inner = [_Spot(layer, 0.0, 0.0) for layer in range(upper.layer + 1, lower.layer)]
    middle = inner[_middle(len(inner))]
    middle.width, middle.height = edge.width, edge.height
    chain = [upper, *inner, lower]
    for one, following in pairwise(chain):
        one.below.append(following)
        following.above.append(one)
    return chain


def _middle(length: int) -> int:
    # Layers of labels are the odd ones, which an edge enters first.
    return length // 2 - (length // 2) % 2


def _order(rows: list[list[_Spot]]) -> None:
    for row in rows:
        _spread(row)
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            row.sort(key=lambda spot: _mean(spot.above if sweep % 2 == 0 else spot.below, spot.x))
            _spread(row)


def _mean(neighbours: Sequence[_Spot], otherwise: float) -> float:
    return sum(spot.x for spot in neighbours) / len(neighbours) if neighbours else otherwise


def _spread(row: list[_Spot]) -> None:
    x = 0.0
    for spot in row:
        spot.x = x + spot.width / 2
        x += spot.width + _GAP_X
    for spot in row:
        spot.x -= (x - _GAP_X) / 2


def _place(rows: list[list[_Spot]]) -> None:
    for sweep in range(2 * _SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = [_mean((*spot.above, *spot.below), spot.x) for spot in row]
            gaps = [(one.width + two.width) / 2 + _GAP_X for one, two in pairwise(row)]
            for spot, x in zip(row, _apart(wanted, gaps), strict=True):
                spot.x = x


def _apart(wanted: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """The places nearest to those wanted (in the sum of squares) that keep the order and the gaps.

    Taking the gaps off makes it a matter of not falling, which pooling neighbours that fall solves exactly.
    """
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    pools: list[tuple[float, int]] = []
    for value in (want - offset for want, offset in zip(wanted, offsets, strict=True)):
        mean, size = value, 1
        while pools and pools[-1][0] > mean:
            other, count = pools.pop()
            mean, size = (mean * size + other * count) / (size + count), size + count
        pools.append((mean, size))
    flat = [mean for mean, size in pools for _ in range(size)]
    return [value + offset for value, offset in zip(flat, offsets, strict=True)]


def _fit(rows: list[list[_Spot]]) -> tuple[float, float]:
    """Move everything to the right of and below (0, 0); returns how far it reaches."""
    left = min(spot.x - spot.width / 2 for row in rows for spot in row)
    y = 0.0
    for row in rows:
        height = max((spot.height for spot in row), default=0.0)
        for spot in row:
            spot.x -= left
            spot.y = y + height / 2
        y += height + _GAP_Y
    return max(spot.x + spot.width / 2 for row in rows for spot in row), y - _GAP_Y


def _ports(chains: Iterable[list[_Spot]]) -> dict[tuple[int, int], float]:
    """How far from the middle each chain leaves its upper box and enters its lower one: no two at one place."""
    ends: dict[tuple[int, str], list[tuple[float, int]]] = {}
    for chain in chains:
        ends.setdefault((id(chain[0]), "below"), []).append((chain[1].x, id(chain)))
        ends.setdefault((id(chain[-1]), "above"), []).append((chain[-2].x, id(chain)))
    return {
        (spot, chain): (index - (len(found) - 1) / 2) * _PORT
        for (spot, _), found in ends.items()
        for index, (_, chain) in enumerate(sorted(found))
    }


def _line(edge: Edge, chain: list[_Spot], ports: Mapping[tuple[int, int], float], *, turned: bool) -> Line:
    upper, *inner, lower = chain
    points = [
        (upper.x + ports[id(upper), id(chain)], upper.y + upper.height / 2),
        *((spot.x, spot.y) for spot in inner),
        (lower.x + ports[id(lower), id(chain)], lower.y - lower.height / 2),
    ]
    middle = inner[_middle(len(inner))]
    return Line(edge, tuple(reversed(points)) if turned else tuple(points), (middle.x, middle.y))
