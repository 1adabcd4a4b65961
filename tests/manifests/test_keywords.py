"""A node, its markers and its place agree, whatever the class was; test_schema.py shows most rules on classes."""

import pytest

from windlass.manifests import InvalidKind, ListMap, Minimum, Nullable, Rule
from windlass.manifests.keywords import Place, apply_markers, check_list, json_type

HERE = Place("Thing.field")


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ({"type": "string"}, "string"),
        ({"x-kubernetes-int-or-string": True}, "int-or-string"),
        ({"x-kubernetes-preserve-unknown-fields": True}, "any"),
    ],
)
def test_a_node_has_the_type_that_markers_speak_of(node, name):
    assert json_type(node) == name


def test_markers_are_added_to_the_node_in_place():
    node = {"type": "integer"}

    apply_markers(node, [Minimum(1), "somebody else's", Rule("self > 1"), Rule("self > 2")], HERE)

    assert node == {
        "type": "integer",
        "minimum": 1,
        "x-kubernetes-validations": [{"rule": "self > 1"}, {"rule": "self > 2"}],
    }


def test_saying_the_same_twice_is_no_contradiction():
    node = {"type": "integer", "minimum": 1}

    apply_markers(node, [Minimum(1)], HERE)

    assert node == {"type": "integer", "minimum": 1}


def test_a_nullable_enum_is_refused():
    with pytest.raises(InvalidKind, match="an enum has no null that every server understands"):
        apply_markers({"type": "string", "enum": ["a"]}, [Nullable()], HERE)


@pytest.mark.parametrize("rule", ["self == oldSelf", "oldSelf.a == 1", "[oldSelf]"])
def test_a_rule_that_reads_the_old_value_needs_one(rule):
    with pytest.raises(InvalidKind, match=r"^Thing\.field: .*\(L-03\)"):
        apply_markers({"type": "string"}, [Rule(rule)], Place("Thing.field", correlated=False))


def test_a_rule_that_only_looks_like_it_needs_none():
    apply_markers({"type": "string"}, [Rule("self.oldSelfish == 1")], Place("Thing.field", correlated=False))


def test_a_list_is_checked_when_its_items_are_known():
    node = {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}}
    apply_markers(node, [ListMap("a")], HERE)

    check_list(node, HERE)

    node["items"]["required"] = []
    with pytest.raises(InvalidKind, match="a field that may be absent"):
        check_list(node, HERE)
