import pytest

from windlass.envtest.apiserver.builtin.shapes import schema_shape_fault, shape_fault
from windlass.envtest.apiserver.kinds import BUILT_IN, Resource

KINDS = {f"{resource.group} {resource.kind}".strip(): resource for resource in BUILT_IN}
DEFINITION = "apiextensions.k8s.io CustomResourceDefinition"


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        ("ConfigMap", {"data": {"a": 1}}, "data.a"),
        ("Pod", {"spec": []}, "spec"),
        ("Pod", {"status": {"conditions": [None]}}, "status.conditions[0]"),
        ("Event", {"involvedObject": "x"}, "involvedObject"),
        ("events.k8s.io Event", {"regarding": "x"}, "regarding"),
        ("events.k8s.io Event", {"series": {"count": "2"}}, "series.count"),
        (
            "apiextensions.k8s.io CustomResourceDefinition",
            {"spec": {"versions": [{"served": "yes"}]}},
            "spec.versions[0].served",
        ),
    ],
)
def test_a_wrong_type_in_a_built_in_kind_is_named(kind, body, field):
    assert shape_fault(body, KINDS[kind]).startswith(f"{field}: Invalid value")


def test_what_no_code_reads_is_free_and_so_are_custom_kinds():
    assert shape_fault({"spec": {"hostNetwork": "odd", "containers": None}, "status": None}, KINDS["Pod"]) == ""
    assert shape_fault({"spec": []}, Resource("ex.dev", "v1", "T", "ts", custom=True)) == ""


@pytest.mark.parametrize(
    ("schema", "start"),
    [
        ([], "s: must be an object"),
        ({"type": 1}, "s.type: must be of type string"),
        ({"properties": {"a": {"minLength": 1.5}}}, "s.properties[a].minLength: must be of type integer"),
        ({"items": {"required": [1]}}, "s.items.required: must be a list of strings"),
        ({"allOf": [1]}, "s.allOf[0]: must be an object"),
        ({"nullable": "true"}, "s.nullable: must be of type boolean"),
    ],
)
def test_a_wrong_type_in_a_schema_is_named(schema, start):
    assert schema_shape_fault(schema, "s").startswith(start)


def test_a_well_formed_schema_has_no_fault():
    assert schema_shape_fault({"type": "object", "additionalProperties": {"type": "string"}, "x-other": 1}, "s") == ""
