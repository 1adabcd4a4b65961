"""Faults of a value against a schema: all of them, each with its path."""

import pytest

from windlass.manifests import faults

SPEC = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer", "minimum": 1, "maximum": 10},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 2},
    },
    "required": ["replicas"],
}
PORTS = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["port", "protocol"],
    "items": {
        "type": "object",
        "properties": {"port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}},
        "required": ["port"],
    },
}
INT_OR_STRING = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}


def test_every_fault_is_reported_with_its_path():
    value = {"replicas": 12, "tags": ["long", "ok", 3], "colour": "red"}

    assert faults(value, SPEC) == [
        "$.replicas: expected an integer from 1 to 10, found 12",
        "$.tags: expected at most 2 items, found 3",
        "$.tags[0]: expected at most 3 characters, found 4",
        "$.tags[2]: expected a string, found 3",
        "$.colour: expected a field out of replicas, tags, found another",
    ]


def test_a_missing_field_is_a_fault():
    assert faults({}, SPEC) == ["$.replicas: expected a value, found none"]


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        pytest.param({"type": "string"}, ["", "é"], [1, True, None, []], id="string"),
        pytest.param({"type": "integer"}, [0, -5], [1.5, True, "1", None], id="integer"),
        pytest.param({"type": "number"}, [0, 1.5], [True, "1"], id="number"),
        pytest.param({"type": "boolean"}, [True, False], [0, "true", None], id="boolean"),
        pytest.param({"type": "string", "nullable": True}, [None, "a"], [1], id="nullable"),
        pytest.param(INT_OR_STRING, [1, "a"], [1.5, True, None, []], id="int-or-string"),
        pytest.param({"x-kubernetes-preserve-unknown-fields": True}, [None, 1, "a", [{}], {"x": 1}], [], id="anything"),
        pytest.param({"type": "string", "enum": ["a", "b"]}, ["a"], ["c", ""], id="enum"),
        pytest.param({"type": "integer", "enum": [0, 1]}, [1], [2, True], id="integer enum"),
        pytest.param({"type": "number", "minimum": 1, "exclusiveMinimum": True}, [1.1], [1, 0], id="greater than"),
        pytest.param({"type": "number", "maximum": 1, "exclusiveMaximum": True}, [0.9], [1, 2], id="less than"),
        pytest.param({"type": "integer", "multipleOf": 5}, [0, 15], [4], id="multiple"),
        pytest.param({"type": "string", "pattern": "^a+$"}, ["aa"], ["", "b"], id="pattern"),
        pytest.param({"type": "string", "minLength": 1}, ["a"], [""], id="short"),
        pytest.param(
            {"type": "object", "additionalProperties": {"type": "integer"}}, [{}, {"a": 1}], [{"a": "b"}], id="map"
        ),
        pytest.param(
            {"type": "object", "maxProperties": 1, "additionalProperties": {}},
            [{"a": 1}],
            [{"a": 1, "b": 2}],
            id="size",
        ),
        pytest.param(
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True}, [{"a": 1}], [[]], id="open object"
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            [["a"]],
            [["a", "a"]],
            id="set",
        ),
        pytest.param(
            PORTS,
            [[{"port": 1}, {"port": 1, "protocol": "UDP"}]],
            [[{"port": 1}, {"port": 1, "protocol": "TCP"}], [{"protocol": "TCP"}]],
            id="list map",
        ),
    ],
)
def test_each_keyword_tells_good_values_from_bad(schema, good, bad):
    assert [value for value in good if faults(value, schema)] == []
    assert [value for value in bad if not faults(value, schema)] == []
