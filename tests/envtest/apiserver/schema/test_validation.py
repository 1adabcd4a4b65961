import pytest

from windlass.envtest.apiserver.schema.pruning import defaulted, has_defaults, pruned
from windlass.envtest.apiserver.schema.validation import ratcheted, validate

KEYED = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["n"],
    "items": {"type": "object", "properties": {"n": {"type": "string", "default": "d"}}},
}


@pytest.mark.parametrize(
    ("value", "schema", "reason", "text"),
    [
        (
            "x",
            {"type": "integer"},
            "FieldValueTypeInvalid",
            'Invalid value: "string": f in body must be of type integer',
        ),
        (True, {"type": "integer"}, "FieldValueTypeInvalid", "boolean"),
        (None, {"type": "string"}, "FieldValueTypeInvalid", "null"),
        (1.5, {"type": "integer"}, "FieldValueTypeInvalid", "number"),
        (True, {"x-kubernetes-int-or-string": True}, "FieldValueTypeInvalid", "integer,string"),
        (11, {"type": "integer", "maximum": 10}, "FieldValueInvalid", "less than or equal to 10"),
        (0, {"type": "integer", "minimum": 0, "exclusiveMinimum": True}, "FieldValueInvalid", "greater than 0"),
        (7, {"type": "integer", "multipleOf": 5}, "FieldValueInvalid", "multiple of 5"),
        ("ab", {"type": "string", "minLength": 3}, "FieldValueInvalid", "at least 3 chars long"),
        ("abcd", {"type": "string", "maxLength": 3}, "FieldValueTooLong", "may not be more than 3 bytes"),
        ("x", {"type": "string", "pattern": "^[0-9]+$"}, "FieldValueInvalid", "should match '^[0-9]+$'"),
        ("x", {"type": "string", "format": "date-time"}, "FieldValueInvalid", "must be of type date-time"),
        ("z", {"type": "string", "enum": ["a", "b"]}, "FieldValueNotSupported", 'supported values: "a", "b"'),
        (1, {"enum": [True]}, "FieldValueNotSupported", "Unsupported value: 1"),
        ([1], {"type": "array", "minItems": 2}, "FieldValueInvalid", "at least 2 items"),
        ([1, 2], {"type": "array", "maxItems": 1}, "FieldValueTooMany", "Too many: 2: must have at most 1 items"),
        ([1, 1], {"type": "array", "x-kubernetes-list-type": "set"}, "FieldValueDuplicate", "Duplicate value: 1"),
        ([{"n": "d"}, {}], KEYED, "FieldValueDuplicate", 'Duplicate value: {"n":"d"}'),
        ({}, {"type": "object", "required": ["a"]}, "FieldValueRequired", "Required value"),
        ({}, {"type": "object", "minProperties": 1}, "FieldValueInvalid", "at least 1 properties"),
        (3, {"anyOf": [{"minimum": 5}]}, "FieldValueInvalid", "anyOf"),
        (7, {"oneOf": [{"minimum": 5}, {"minimum": 6}]}, "FieldValueInvalid", "Found 2 valid alternatives"),
        (7, {"not": {"minimum": 5}}, "FieldValueInvalid", "must not validate"),
        (7, {"allOf": [{"maximum": 5}]}, "FieldValueInvalid", "less than or equal to 5"),
    ],
)
def test_each_rule_reports_its_own_fault(value, schema, reason, text):
    faults = validate(value, schema, "f")
    assert any(fault.reason == reason and text in fault.message for fault in faults), faults


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (None, {"type": "string", "nullable": True}),
        (3, {"type": "number"}),
        (3.0, {"type": "integer"}),
        ("50%", {"x-kubernetes-int-or-string": True}),
        ("anything", {"type": "string", "format": "unheard-of"}),
        ("2024-05-01T10:00:00.5+02:00", {"type": "string", "format": "date-time"}),
        ([1, True], {"type": "array", "x-kubernetes-list-type": "set"}),
    ],
)
def test_valid_values_pass(value, schema):
    assert validate(value, schema) == []


def test_fields_are_named_from_the_root():
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object", "required": ["b"]}}}}
    assert [fault.field for fault in validate({"a": [{}]}, schema)] == ["a[0].b"]


def test_a_fault_that_was_there_before_is_tolerated_on_update():
    schema = {"type": "object", "properties": {"a": {"type": "integer", "maximum": 3}, "b": {"type": "integer"}}}
    old, new = {"a": 9, "b": 1}, {"a": 9, "b": "x"}
    assert [fault.field for fault in ratcheted(validate(new, schema), old, new)] == ["b"]
    assert ratcheted(validate({"a": 8}, schema), old, {"a": 8})


SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": "object", "properties": {"x": {"type": "integer", "default": 1}}},
        "list": {"type": "array", "items": {"type": "object", "properties": {"y": {"default": "d"}}}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"z": {}}}},
        "nullable": {"nullable": True, "default": 5},
        "full": {"default": {"deep": 1}},
    },
}


def test_unknown_fields_are_pruned_with_their_paths_except_where_they_are_kept():
    unknown = []
    value = {
        "kind": "K",
        "metadata": {"anything": 1},
        "a": {"x": 2, "no": 1},
        "list": [{"y": 1, "no": 2}],
        "free": {"yes": 1},
        "map": {"k": {"z": 1, "no": 3}},
        "no": 1,
    }
    result = pruned(value, SCHEMA, unknown)
    assert unknown == ["a.no", "list[0].no", "map.k.no", "no"]
    assert result["free"] == {"yes": 1}
    assert result["metadata"] == {"anything": 1}
    assert pruned(result, SCHEMA) == result


def test_defaults_fill_absent_fields_and_nulls_that_may_not_be():
    assert defaulted({}, SCHEMA) == {"nullable": 5, "full": {"deep": 1}}
    filled = defaulted({"a": {"x": None}, "list": [{}], "nullable": None}, SCHEMA)
    assert filled == {"a": {"x": 1}, "list": [{"y": "d"}], "nullable": None, "full": {"deep": 1}}
    assert defaulted(filled, SCHEMA) == filled
    filled["full"]["deep"] = 2
    assert SCHEMA["properties"]["full"]["default"] == {"deep": 1}
    assert has_defaults(SCHEMA)
    assert not has_defaults({"type": "object"})
