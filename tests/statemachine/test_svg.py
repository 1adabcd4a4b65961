"""A picture holds every state and row of the table, nothing lies on anything else, and equal tables look the same."""

import itertools
from collections import Counter
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.informers.phases import REFLECTOR
from windlass.operators.training.phases import MACHINE
from windlass.statemachine.layout import Box, Edge, arrange
from windlass.statemachine.svg import svg

SVG = "{http://www.w3.org/2000/svg}"


def read(text):
    root = ET.fromstring(text)
    return root, [one.text for one in root.iter(f"{SVG}text")]


def test_every_state_and_every_row_is_in_the_picture():
    for machine in (REFLECTOR, MACHINE):
        root, texts = read(svg(machine))
        rows = [row for row in machine.transitions if row.source != row.target]
        arrows = [one for one in root.iter(f"{SVG}path") if one.get("class") == "row"]

        assert set(texts) >= set(machine.states)
        assert Counter(texts) >= Counter(row.event for row in rows)
        assert len(arrows) == len({(row.source, row.target) for row in rows}) + 1  # and the one to the initial state
        assert all(f"↻ {row.event}" in texts for row in machine.transitions if row.source == row.target)


def test_the_way_of_an_object_is_in_colour():
    root, texts = read(svg(MACHINE, path=("Pending", "VerifyingData", "Failed")))
    classes = [one.get("class") for one in root.iter(f"{SVG}rect")]

    assert classes.count("state been") == 2
    assert classes.count("state been here") == 1
    assert sum(one.get("class") == "row taken" for one in root.iter(f"{SVG}path")) == 2
    assert {"1. accept", "2. fail", "pin"} <= set(texts)


def test_names_are_escaped():
    from windlass.statemachine import Machine

    _, texts = read(svg(Machine("<&>", initial="<a>", transitions=[("<a>", 'x & "y"', "b")], final=["b"])))

    assert {"<a>", 'x & "y"'} <= set(texts)


@st.composite
def graphs(draw):
    names = [str(number) for number in range(draw(st.integers(1, 8)))]
    pairs = draw(st.sets(st.sampled_from(list(itertools.permutations(names, 2)) or [("0", "0")]), max_size=16))
    sizes = st.floats(10, 120)
    boxes = [Box(name, draw(sizes), draw(sizes)) for name in names]
    return boxes, [Edge(a, b, draw(sizes), draw(st.floats(5, 40))) for a, b in sorted(pairs) if a != b]


def overlap(one, two):
    (x, y, width, height), (other_x, other_y, other_width, other_height) = one, two
    return abs(x - other_x) < (width + other_width) / 2 - 0.01 and abs(y - other_y) < (height + other_height) / 2 - 0.01


@settings(max_examples=60)
@given(graphs())
def test_no_box_and_no_label_lies_on_another_and_all_are_on_the_paper(graph):
    boxes, edges = graph
    drawing = arrange(boxes, edges)

    placed = [(*drawing.centres[box.name], box.width, box.height) for box in boxes]
    placed += [(*line.label, line.edge.width, line.edge.height) for line in drawing.lines]
    assert not any(overlap(one, two) for one, two in itertools.combinations(placed, 2))
    for x, y, width, height in placed:
        assert width / 2 - 0.01 <= x <= drawing.width - width / 2 + 0.01
        assert height / 2 - 0.01 <= y <= drawing.height - height / 2 + 0.01
    assert arrange(boxes, edges) == drawing


@settings(max_examples=60)
@given(graphs())
def test_a_line_begins_at_the_edge_of_its_source_and_ends_at_that_of_its_target(graph):
    boxes, edges = graph
    heights = {box.name: box.height for box in boxes}
    drawing = arrange(boxes, edges)

    assert [line.edge for line in drawing.lines] == edges
    for line in drawing.lines:
        for name, (_, y) in ((line.edge.source, line.points[0]), (line.edge.target, line.points[-1])):
            assert abs(abs(y - drawing.centres[name][1]) - heights[name] / 2) < 0.01
