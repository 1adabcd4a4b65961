from windlass.envtest.apiserver.http.protobuf import _fields
from windlass.envtest.apiserver.kinds import BUILT_IN, Registry, Resource
from windlass.envtest.apiserver.views.openapi_v2 import protobuf_v2, swagger_v2

SCHEMA = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "description": "What is wanted.",
            "properties": {
                "port": {"x-kubernetes-int-or-string": True, "description": "A port."},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"a": {}}},
                "names": {"type": "array", "items": {"type": "string"}},
                "map": {"type": "object", "additionalProperties": {"type": "integer"}},
                "either": {"type": "string", "anyOf": [{"pattern": "a"}], "nullable": True},
            },
        }
    },
}
WIDGET = Resource("ex.dev", "v1", "Widget", "widgets", custom=True, schema=SCHEMA)
NAME = "dev.ex.v1.Widget"


def registry():
    return Registry((*BUILT_IN, WIDGET))


def test_only_kinds_of_definitions_are_described():
    assert list(swagger_v2(registry())["definitions"]) == [NAME]


def test_a_kind_is_found_by_its_group_version_and_kind():
    found = swagger_v2(registry())["definitions"][NAME]
    assert found["x-kubernetes-group-version-kind"] == [{"group": "ex.dev", "kind": "Widget", "version": "v1"}]
    assert {"apiVersion", "kind", "metadata", "spec"} == found["properties"].keys()


def test_a_schema_is_cut_down_to_what_version_two_can_say():
    spec = swagger_v2(registry())["definitions"][NAME]["properties"]["spec"]["properties"]
    assert spec == {
        "port": {"description": "A port."},
        "free": {"type": "object"},
        "names": {"type": "array", "items": {"type": "string"}},
        "map": {"type": "object", "additionalProperties": {"type": "integer"}},
        "either": {"type": "string"},
    }


def test_a_patch_of_every_kind_understands_dry_runs():
    paths = swagger_v2(registry())["paths"]
    assert len(paths) == sum(not resource.review for resource in registry())
    operation = paths["/apis/ex.dev/v1/namespaces/{namespace}/widgets/{name}"]["patch"]
    assert "dryRun" in [parameter["name"] for parameter in operation["parameters"]]


def test_the_protobuf_form_holds_the_same_definitions():
    document = dict(_fields(protobuf_v2(registry())))
    assert document[1] == b"2.0"
    named = dict(_fields(dict(_fields(document[9]))[1]))
    assert named[1] == NAME.encode()
    properties = [dict(_fields(one)) for _, one in _fields(dict(_fields(named[2]))[25])]
    assert [one[1] for one in properties] == [b"apiVersion", b"kind", b"metadata", b"spec"]
    assert dict(_fields(properties[-1][2]))[4] == b"What is wanted."
