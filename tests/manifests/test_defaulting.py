"""A value as a server completes it (K-02); that servers do so is told in test_on_servers."""

import pytest

from windlass.manifests.defaulting import completed

SCHEMA = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "default": 3},
        "null": {"type": "string", "nullable": True, "default": "x"},
        "plain": {"type": "string"},
        "free": {},
        "inner": {"type": "object", "properties": {"a": {"type": "integer", "default": 1}}},
        "items": {"type": "array", "items": {"type": "object", "properties": {"b": {"type": "integer", "default": 2}}}},
        "map": {
            "type": "object",
            "additionalProperties": {"type": "object", "properties": {"c": {"type": "integer", "default": 4}}},
        },
    },
}


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ({}, {"size": 3, "null": "x"}),
        ({"size": None, "null": None}, {"size": 3, "null": None}),
        ({"plain": None, "free": None}, {"size": 3, "null": "x", "free": None}),
        ({"inner": {}}, {"size": 3, "null": "x", "inner": {"a": 1}}),
        ({"items": [{}, {"b": 5}, 7]}, {"size": 3, "null": "x", "items": [{"b": 2}, {"b": 5}, 7]}),
        ({"map": {"k": {}, "gone": None}}, {"size": 3, "null": "x", "map": {"k": {"c": 4}}}),
        ({"other": {"size": None}}, {"size": 3, "null": "x", "other": {"size": None}}),
        ("text", "text"),
    ],
)
def test_a_value_is_completed(value, result):
    assert completed(value, SCHEMA) == result


def test_a_default_is_not_shared():
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {}, "default": []}}}
    completed({}, schema)["a"].append(1)

    assert completed({}, schema) == {"a": []}
