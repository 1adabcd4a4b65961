"""Unions and combinations: the keywords they become, what they let in, and where they may stand."""

from typing import Annotated

import attrs
import pytest

from windlass.manifests import (
    AllOf,
    AnyOf,
    AtLeastOneOf,
    AtMostOneOf,
    Description,
    ExactlyOneOf,
    Fields,
    InvalidKind,
    Maximum,
    Minimum,
    MinLength,
    Not,
    OneOf,
    Pattern,
    Values,
    faults,
    marked,
    schema_of,
)


@attrs.frozen
class Plain:
    a: str | None = None
    b: str | None = None
    c: int | None = None
    mode: str = "x"
    must: str = attrs.field(kw_only=True)


def schema(*markers):
    cls = attrs.make_class(
        "Plain", {field.name: attrs.field(type=field.type, default=field.default) for field in attrs.fields(Plain)[:4]}
    )
    return schema_of(marked(*markers)(cls))


def valid(*markers, **value):
    return faults(value, schema(*markers)) == []


@pytest.mark.parametrize(
    ("marker", "good", "bad"),
    [
        (ExactlyOneOf("a", "b"), [{"a": "1"}, {"b": "1"}], [{}, {"a": "1", "b": "1"}]),
        (AtLeastOneOf("a", "b"), [{"a": "1"}, {"a": "1", "b": "1"}], [{}, {"c": 1}]),
        (AtMostOneOf("a", "b", "c"), [{}, {"c": 1}], [{"a": "1", "c": 1}, {"a": "1", "b": "1", "c": 1}]),
        (
            AnyOf(Fields("a", where={"mode": Values("x")}), Fields(where={"c": (Minimum(5), Maximum(6))})),
            [{"a": "1", "mode": "x"}, {"c": 5}, {"mode": "y"}],
            [{"c": 7, "mode": "y"}],
        ),
        (OneOf(Fields("a"), Fields("b")), [{"a": "1"}], [{}, {"a": "1", "b": "1"}]),
        (Not(Fields("a", "b")), [{"a": "1"}, {}], [{"a": "1", "b": "1"}]),
    ],
)
def test_what_a_combination_of_fields_lets_in(marker, good, bad):
    assert [value for value in good if not valid(marker, **value)] == []
    assert [value for value in bad if valid(marker, **value)] == []


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (Annotated[str, AllOf(Pattern("^a"), Pattern("b$"))], ["ab", "acb"], ["a", "b"]),
        (Annotated[int, AnyOf(Maximum(1), Minimum(9))], [0, 9], [5]),
        (Annotated[int, OneOf(Maximum(5), Minimum(3))], [0, 9], [4]),
        (Annotated[str, Not((Pattern("^x"), MinLength(3)))], ["x", "abc"], ["xyz"]),
        (Annotated[str, Values("a", "b")], ["a"], ["c"]),
        (Annotated[int, AnyOf(Values(1), Not(Maximum(8)))], [1, 9], [2]),
    ],
)
def test_what_a_combination_of_checks_lets_in(annotation, good, bad):
    node = schema_of(attrs.make_class("One", {"one": attrs.field(type=annotation)}))

    assert [value for value in good if faults({"one": value}, node)] == []
    assert [value for value in bad if not faults({"one": value}, node)] == []


def test_two_unions_on_one_class_are_both_kept():
    made = schema(ExactlyOneOf("a", "b"), ExactlyOneOf("b", "c"))

    assert made["oneOf"] == [{"required": ["a"]}, {"required": ["b"]}]
    assert made["allOf"] == [{"oneOf": [{"required": ["b"]}, {"required": ["c"]}]}]


def test_the_fault_of_a_union_names_its_cases():
    assert faults({}, schema(ExactlyOneOf("a", "b"))) == ["$: expected exactly one of a, b, found none"]
    assert faults({"a": "", "b": ""}, schema(AtMostOneOf("a", "b"))) == [
        "$: expected anything but a with b, found that"
    ]


@pytest.mark.parametrize(
    ("markers", "said"),
    [
        pytest.param((ExactlyOneOf("a"),), "two names or more", id="one case"),
        pytest.param((ExactlyOneOf("a", "a"),), "two names or more, each once", id="a case twice"),
        pytest.param((ExactlyOneOf("a", "z"),), "not 'z'", id="no such field"),
        pytest.param((AtMostOneOf("a", "mode"),), "'mode' to be absent by default", id="a default"),
        pytest.param((AnyOf(),), "an alternative or more", id="nothing"),
        pytest.param((AnyOf(Fields()),), "a field or more", id="empty fields"),
        pytest.param((AnyOf(Fields("z")),), "not 'z'", id="unknown field inside"),
        pytest.param((Not(Fields(where={"c": Pattern("x")})),), "checks that fit integer", id="wrong type inside"),
        pytest.param((Fields("a"),), "a place inside", id="fields outside"),
        pytest.param((AnyOf(Description("x")),), "no Description", id="no check"),
    ],
)
def test_s05_s06_a_combination_that_no_server_would_take_is_refused_with_class_and_rule(markers, said):
    with pytest.raises(InvalidKind, match=said) as caught:
        schema(*markers)
    assert caught.value.where == "Plain"


def test_a_field_that_is_required_is_no_case_of_a_union():
    with pytest.raises(InvalidKind, match="'must' to be absent by default"):
        schema_of(marked(ExactlyOneOf("a", "must"))(Plain))


@pytest.mark.parametrize(
    "annotation",
    [Annotated[str, Values()], Annotated[str, Values(1)], Annotated[int, Values(True)], Annotated[int, Values(1, 1)]],
)
def test_values_are_of_the_type_and_each_once(annotation):
    with pytest.raises(InvalidKind, match="Values is well formed"):
        schema_of(attrs.make_class("One", {"one": attrs.field(type=annotation)}))
