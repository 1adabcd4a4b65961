import pytest

from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.schema.embedding import coerce_embedded, embedded_faults

ONE = {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}
SCHEMA = {
    "type": "object",
    "properties": {
        "one": ONE,
        "many": {"type": "array", "items": ONE},
        "map": {"type": "object", "additionalProperties": ONE},
    },
}
GOOD = {"apiVersion": "v1", "kind": "Thing"}


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ({"one": GOOD}, []),
        ({"one": GOOD | {"metadata": {"name": "Any Name"}}}, []),
        ({"one": {}}, ["one.apiVersion", "one.kind"]),
        ({"many": [GOOD, {"apiVersion": "v1"}]}, ["many[1].kind"]),
        ({"map": {"k": {"kind": "Thing"}}}, ["map.k.apiVersion"]),
        ({"one": GOOD | {"kind": "a b"}}, ["one.kind"]),
        ({"one": GOOD | {"apiVersion": "a/b/c"}}, ["one.apiVersion"]),
        ({"one": GOOD | {"metadata": {"labels": {"a": "b c"}}}}, ["one.metadata.labels"]),
    ],
)
def test_an_embedded_object_is_held_to_the_rules_of_objects(value, fields):
    assert [fault.field for fault in embedded_faults(value, SCHEMA)] == fields


def test_what_metadata_do_not_know_is_dropped():
    value = {"one": GOOD | {"metadata": {"name": "a", "odd": 1}}}
    coerce_embedded(value, SCHEMA)
    assert value["one"]["metadata"] == {"name": "a"}


@pytest.mark.parametrize("part", [{"kind": 1}, {"metadata": "x"}, {"metadata": {"finalizers": "x"}}])
def test_what_cannot_be_decoded_is_a_bad_request(part):
    with pytest.raises(ApiError, match="one"):
        coerce_embedded({"one": GOOD | part}, SCHEMA)
