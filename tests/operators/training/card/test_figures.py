"""A drawing is valid SVG, the same bytes for the same numbers, and shows the numbers."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.operators.training.card.figures import confusion_matrix, loss_curve

SVG = "{http://www.w3.org/2000/svg}"
NUMBERS = st.floats(0, 1e6, allow_nan=False)


def texts(svg):
    return [one.text for one in ET.fromstring(svg).iter(f"{SVG}text")]


@given(st.lists(st.tuples(st.integers(0, 10**6), NUMBERS, st.floats(0, 1)), min_size=1, max_size=40))
def test_every_curve_is_a_drawing_inside_its_frame(points):
    found = loss_curve(sorted(points))

    root = ET.fromstring(found)
    width, height = float(root.get("width")), float(root.get("height"))
    for line in root.iter(f"{SVG}polyline"):
        for pair in line.get("points").split():
            x, y = (float(number) for number in pair.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height
    assert found == loss_curve(sorted(points))
    assert "nan" not in found
    assert "inf" not in found


def test_a_curve_has_both_lines_and_its_ends():
    found = loss_curve([(1, 2.0, 0.5), (2, 1.0, 0.75), (10, 0.5, 1.0)])

    assert len(re.findall("<polyline", found)) == 2
    assert {"1", "10", "epoch", "loss (0 to 2)"} <= set(texts(found))


def test_one_epoch_is_a_point():
    assert loss_curve([(1, 0.5, 0.9)]).count("<circle") == 2


def test_a_matrix_shows_its_labels_and_counts():
    found = confusion_matrix(("cat", "dog"), ((90, 10), (0, 50)))

    assert {"cat", "dog", "90", "10", "50"} <= set(texts(found))
    assert "0" not in texts(found)
    shades = re.findall(r'<rect x.*fill="(#\w+)"', found)
    assert (shades[2], shades[3]) == ("#ffffff", "#154360")


@pytest.mark.parametrize("label", ['<script a="b">&', "\x00\u202e", "x" * 500, "]]>", "\n"])
def test_a_hostile_label_is_a_label(label):
    found = confusion_matrix((label, "b"), ((1, 2), (3, 4)))

    assert len(ET.fromstring(found).findall(f".//{SVG}script")) == 0
    assert all(len(one or "") <= 14 for one in texts(found))


def test_a_row_without_any_is_no_division_by_zero():
    assert confusion_matrix(("a", "b"), ((0, 0), (0, 0))).count("#ffffff") >= 4
