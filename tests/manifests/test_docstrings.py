"""Words below classes and fields become descriptions, and a marker has the last word."""

from typing import Annotated

import attrs

from windlass.manifests import Description, schema_of
from windlass.manifests.docstrings import class_docstring, field_docstrings


@attrs.frozen
class Wheel:
    """A wheel."""

    size: int = 1
    """In inches.

    Half of them are not made.
    """
    name: str = ""


@attrs.frozen
class Cart(Wheel):
    front: Wheel = Wheel()
    """The wheel in front."""

    back: Annotated[Wheel, Description("The wheel at the back.")] = Wheel()
    """Not these words."""

    third: Wheel = Wheel()
    size: int = 2
    """In metres."""


def test_words_are_those_below_the_class_and_its_fields():
    assert class_docstring(Wheel) == "A wheel."
    assert class_docstring(Cart) == ""
    assert field_docstrings(Wheel) == {"size": "In inches.\n\nHalf of them are not made."}
    assert field_docstrings(Cart)["size"] == "In metres."


def test_they_become_descriptions_and_a_marker_has_the_last_word():
    properties = schema_of(Cart)["properties"]

    assert {name: node.get("description") for name, node in properties.items()} == {
        "size": "In metres.",
        "name": None,
        "front": "The wheel in front.",
        "back": "The wheel at the back.",
        "third": "A wheel.",
    }


def test_a_class_without_source_has_no_words_below_its_fields():
    assert field_docstrings(attrs.make_class("Made", {"a": attrs.field(type=int)})) == {}
    assert field_docstrings(int) == {}
