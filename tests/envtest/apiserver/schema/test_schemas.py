import pytest

from windlass.envtest.apiserver.schema.schemas import schema_faults

TEXT = {"type": "string"}


def root(**spec):
    return {"type": "object", "properties": {"spec": {"type": "object", **spec}}}


def field(**schema):
    return root(properties={"f": schema})


@pytest.mark.parametrize(
    "schema",
    [
        root(),
        field(type="string", default="x", enum=["x"]),
        field(**{"x-kubernetes-int-or-string": True}),
        field(**{"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
        field(**{"x-kubernetes-preserve-unknown-fields": True}),
        field(type="object", additionalProperties=TEXT),
        field(type="object", properties={"a": TEXT, "b": TEXT}, oneOf=[{"required": ["a"]}, {"required": ["b"]}]),
        field(type="array", items=TEXT, **{"x-kubernetes-list-type": "set"}),
        field(
            type="array",
            items={"type": "object", "required": ["n"], "properties": {"n": TEXT}},
            **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]},
        ),
        root(**{"x-kubernetes-validations": [{"rule": "true"}]}),
        {"type": "object", "properties": {"metadata": {"type": "object", "properties": {"name": TEXT}}}},
    ],
)
def test_structural_schemas_are_accepted(schema):
    assert schema_faults(schema, "s") == []


@pytest.mark.parametrize(
    ("schema", "path", "text"),
    [
        (None, "s", "Required value"),
        ({}, "s.type", "must not be empty at the root"),
        ({"type": "array"}, "s.type", "must be object at the root"),
        ({"type": "object", "nullable": True}, "s.nullable", "nullable cannot be true at the root"),
        ({"type": "object", "additionalProperties": TEXT}, "s.additionalProperties", "must not be used at the root"),
        (field(), "properties[f].type", "must not be empty for specified object fields"),
        (field(type="array"), "properties[f].items", "must be specified"),
        (field(type="array", items=[TEXT]), "properties[f].items", "schema object and not an array"),
        (field(type="null"), "properties[f].type", "use nullable"),
        (field(type="text"), "properties[f].type", "Unsupported value"),
        (
            field(type="object", properties={"a": TEXT}, additionalProperties=TEXT),
            "additionalProperties",
            "mutual exclusive",
        ),
        (field(type="string", uniqueItems=True), "uniqueItems", "quadratic"),
        (field(type="string", **{"$ref": "#/x"}), "$ref", "not supported"),
        (field(type="string", pattern="(?=x)"), "pattern", "RE2"),
        (field(type="string", pattern="("), "pattern", "RE2"),
        (field(type="integer", exclusiveMinimum=3), "exclusiveMinimum", "must be of type boolean"),
        (field(type="integer", default="x"), "default", "must be of type integer"),
        (field(type="object", properties={"a": TEXT}, default={"b": 1}), "default", "unknown fields"),
        (field(type="string", anyOf=[{"type": "string"}]), "anyOf[0].type", "to be structural"),
        (
            {"type": "object", "allOf": [{"properties": {"z": {"minLength": 1}}}]},
            "properties[z]",
            "because it is defined in",
        ),
        (
            field(type="object", **{"x-kubernetes-preserve-unknown-fields": False}),
            "unknown-fields",
            "true or undefined",
        ),
        (field(type="object", **{"x-kubernetes-list-type": "set"}), "properties[f].type", "must be array"),
        (
            field(type="array", items={"type": "object"}, **{"x-kubernetes-list-type": "map"}),
            "list-map-keys",
            "must not be empty",
        ),
        (field(type="array", items=TEXT, **{"x-kubernetes-list-map-keys": ["a"]}), "list-type", "must be map"),
        (
            field(type="array", items={"type": "object"}, **{"x-kubernetes-list-type": "set"}),
            "map-type",
            "must be atomic",
        ),
        (
            field(type="object", **{"x-kubernetes-embedded-resource": True}),
            "properties[f].properties",
            "must not be empty",
        ),
        (
            field(**{"x-kubernetes-int-or-string": True, "x-kubernetes-preserve-unknown-fields": True}),
            "preserve-unknown-fields",
            "must be false",
        ),
        (
            {"type": "object", "properties": {"metadata": {"type": "object", "required": ["x"]}}},
            "[metadata]",
            "implicitly",
        ),
    ],
)
def test_what_is_not_structural_is_refused_at_its_place(schema, path, text):
    faults = schema_faults(schema, "s")
    assert any(fault.field.endswith(path) and text in fault.message for fault in faults), faults
