"""Quantities as Kubernetes writes them."""

from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.informers import structure, unstructure
from windlass.informers.errors import StructureError
from windlass.manifests import Quantity, faults, schema_of


@attrs.frozen
class Box:
    size: Quantity


SCHEMA = schema_of(Box)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("500m", "0.5"),
        ("1.5", "1.5"),
        ("-3", "-3"),
        ("+.5k", "500"),
        ("2Ki", "2048"),
        ("1.5Gi", "1610612736"),
        ("1Ei", "1152921504606846976"),
        ("100n", "0.0000001"),
        ("7u", "0.000007"),
        ("12E", "12000000000000000000"),
        ("12e3", "12000"),
        ("12E-2", "0.12"),
        ("5.", "5"),
    ],
)
def test_a_text_amounts_to(text, value):
    assert Quantity(text).value == Decimal(value)
    assert str(Quantity(text)) == text


@pytest.mark.parametrize("text", ["", "m", "1 Gi", "1KI", "1ki", "1e", "--1", "1_0", "\u0661", "1Gi\n", None, 1])
def test_what_is_no_quantity_is_refused_by_class_and_schema(text):
    with pytest.raises(ValueError, match="expected a quantity"):
        Quantity(text)
    assert text == 1 or faults({"size": text}, SCHEMA)


def test_quantities_are_equal_and_ordered_by_what_they_amount_to():
    assert Quantity("500m") == Quantity("0.5")
    assert len({Quantity("1Ki"), Quantity("1024")}) == 1
    assert sorted([Quantity("1Gi"), Quantity("1G"), Quantity("5m")]) == [
        Quantity("5m"),
        Quantity("1G"),
        Quantity("1Gi"),
    ]
    assert Quantity("1") <= Quantity("1000m")
    assert Quantity("1") != "1"


def test_a_quantity_travels_as_it_was_written_and_may_come_as_an_integer():
    assert unstructure(structure({"size": "0.50Gi"}, Box)) == {"size": "0.50Gi"}
    assert structure({"size": 5}, Box) == Box(Quantity("5")) == structure({"size": 5.0}, Box)


def test_the_error_says_what_was_expected():
    with pytest.raises(StructureError, match=r'\$\.size: expected a quantity such as 500m, 1\.5 or 2Gi, found "big"'):
        structure({"size": "big"}, Box)
    with pytest.raises(StructureError, match="expected a quantity"):
        structure({"size": True}, Box)


@given(st.from_regex(r"[-+]?[0-9.]{1,4}(Ki|m|k|E|Ei|e1)?", fullmatch=True))
def test_class_and_schema_let_in_the_same_texts(text):
    try:
        Quantity(text)
    except ValueError:
        assert faults({"size": text}, SCHEMA)
    else:
        assert faults({"size": text}, SCHEMA) == []
