"""Each marker stands for its keywords, knows its types, and refuses values that make no sense."""

import math
import re

import pytest

from windlass.manifests import (
    Atomic,
    Description,
    EmbeddedResource,
    ExclusiveMaximum,
    ExclusiveMinimum,
    Format,
    Immutable,
    ListMap,
    ListSet,
    Maximum,
    MaxItems,
    MaxLength,
    MaxProperties,
    Minimum,
    MinItems,
    MinLength,
    MinProperties,
    MultipleOf,
    Nullable,
    Pattern,
    PreserveUnknownFields,
    Rule,
    marked,
)
from windlass.manifests.markers import markers_of


@pytest.mark.parametrize(
    ("marker", "json_type", "keywords"),
    [
        (Minimum(1), "integer", {"minimum": 1}),
        (Maximum(1.5), "number", {"maximum": 1.5}),
        (ExclusiveMinimum(0), "number", {"minimum": 0, "exclusiveMinimum": True}),
        (ExclusiveMaximum(9), "integer", {"maximum": 9, "exclusiveMaximum": True}),
        (MultipleOf(5), "integer", {"multipleOf": 5}),
        (MinLength(0), "string", {"minLength": 0}),
        (MaxLength(3), "string", {"maxLength": 3}),
        (Pattern("^a$"), "string", {"pattern": "^a$"}),
        (Format("ipv4"), "string", {"format": "ipv4"}),
        (MinItems(1), "array", {"minItems": 1}),
        (MaxItems(2), "array", {"maxItems": 2}),
        (MinProperties(1), "object", {"minProperties": 1}),
        (MaxProperties(2), "object", {"maxProperties": 2}),
        (ListMap("name"), "array", {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}),
        (ListMap(["a", "b"]), "array", {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a", "b"]}),
        (ListSet(), "array", {"x-kubernetes-list-type": "set"}),
        (Atomic(), "array", {"x-kubernetes-list-type": "atomic"}),
        (Atomic(), "object", {"x-kubernetes-map-type": "atomic"}),
        (Nullable(), "string", {"nullable": True}),
        (Description("d"), "any", {"description": "d"}),
        (PreserveUnknownFields(), "object", {"x-kubernetes-preserve-unknown-fields": True}),
        (
            EmbeddedResource(),
            "any",
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
        ),
        (Rule("self > 0"), "integer", {"x-kubernetes-validations": [{"rule": "self > 0"}]}),
        (
            Immutable(),
            "string",
            {"x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "the field is immutable"}]},
        ),
    ],
    ids=repr,
)
def test_a_marker_stands_for_its_keywords(marker, json_type, keywords):
    assert marker.keywords(json_type) == keywords
    assert marker.fault(json_type) is None
    assert json_type in marker.types


@pytest.mark.parametrize(
    ("marker", "json_type", "expected"),
    [
        (Minimum("1"), "integer", "a finite number"),
        (Minimum(True), "integer", "a finite number"),
        (Maximum(math.inf), "number", "a finite number"),
        (Maximum(1.5), "integer", "a whole number"),
        (MultipleOf(0), "number", "greater than 0"),
        (MultipleOf(-1), "integer", "greater than 0"),
        (MinLength(-1), "string", "an integer from 0 up"),
        (MaxItems(1.0), "array", "an integer from 0 up"),
        (MaxProperties(True), "object", "an integer from 0 up"),
        (ListMap([]), "array", "one key or more"),
        (ListMap(["a", "a"]), "array", "each once"),
        (Pattern("(?=a)"), "string", r"a look-ahead at position 0 is unknown to Go \(S-10\)"),
        (Pattern("("), "string", "Python says"),
        (Rule("  "), "string", "not blank"),
        (Rule("self", message="a\nb"), "boolean", "of one line"),
        (Rule("self", field_path="\n"), "boolean", "of one line"),
        (Rule("self ||\n true"), "boolean", "a message, because the rule has several lines"),
        (Rule("self", message=" "), "boolean", "not blank"),
        (Rule("self", reason="Nonsense"), "boolean", "a reason out of FieldValueInvalid"),
    ],
    ids=repr,
)
def test_a_marker_with_senseless_values_says_what_they_should_be(marker, json_type, expected):
    assert re.search(expected, marker.fault(json_type) or "no fault")


def test_a_rule_states_all_it_was_given_in_the_servers_words():
    rule = Rule(
        "self.a <= self.b",
        message="a is at most b",
        message_expression="'a is ' + string(self.a)",
        reason="FieldValueInvalid",
        field_path=".a",
        optional_old_self=True,
    )

    assert rule.keywords("object")["x-kubernetes-validations"] == [
        {
            "rule": "self.a <= self.b",
            "message": "a is at most b",
            "messageExpression": "'a is ' + string(self.a)",
            "reason": "FieldValueInvalid",
            "fieldPath": ".a",
            "optionalOldSelf": True,
        }
    ]


def test_markers_of_a_class_follow_those_of_its_bases():
    @marked(Rule("base"))
    class Base:
        pass

    @marked(Rule("own"))
    @marked(Atomic())
    class Own(Base):
        pass

    assert markers_of(Own) == (Rule("base"), Atomic(), Rule("own"))
    assert markers_of(Base) == (Rule("base"),)
    assert markers_of(int) == ()
