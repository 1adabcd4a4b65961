"""Each change of a definition, and whether it breaks an object or a client that was right before."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realistic_kinds import DatabaseCluster, FederatedJob, InferenceService

from windlass.manifests import changes, crd, faults

BASE = {
    "metadata": {"name": "things.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {
            "kind": "Thing",
            "listKind": "ThingList",
            "plural": "things",
            "singular": "thing",
            "shortNames": ["t"],
        },
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "selectableFields": [{"jsonPath": ".spec.mode"}],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["size"],
                                "properties": {
                                    "size": {"type": "integer", "minimum": 1, "maximum": 10},
                                    "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
                                    "step": {"type": "integer", "multipleOf": 6},
                                    "name": {"type": "string", "pattern": "^x", "maxLength": 9},
                                    "until": {"type": "string", "format": "date", "nullable": True},
                                    "tags": {
                                        "type": "array",
                                        "items": {"type": "string", "minLength": 1},
                                        "x-kubernetes-list-type": "set",
                                    },
                                    "more": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                    "map": {
                                        "type": "object",
                                        "additionalProperties": {"type": "integer", "maximum": 5},
                                    },
                                    "union": {
                                        "type": "object",
                                        "properties": {"p": {"type": "string"}, "q": {"type": "string"}},
                                        "oneOf": [{"required": ["p"]}, {"required": ["q"]}],
                                        "x-kubernetes-validations": [{"rule": "self.p != 'z'"}],
                                    },
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}
ABSENT = object()


def changed(path, value):
    """The definition with one thing set, or removed."""
    made = copy.deepcopy(BASE)
    holder = made["spec"]
    *steps, last = path
    for step in steps:
        holder = holder[step]
    if value is ABSENT:
        del holder[last]
    else:
        holder[last] = value
    return made


SPEC = ("versions", 0, "schema", "openAPIV3Schema", "properties", "spec")
FIELDS = (*SPEC, "properties")


# What is changed, and to what; the place that is named; a part of what is said.
BREAKING = [
    pytest.param((*FIELDS, "name"), ABSENT, "v1 $.spec.name", "the field is gone", id="field removed"),
    pytest.param((*SPEC, "required"), ["size", "name"], "v1 $.spec.name", "required now", id="field required"),
    pytest.param((*FIELDS, "size", "maximum"), 5, "v1 $.spec.size", "maximum 10 became 5", id="maximum"),
    pytest.param((*FIELDS, "size", "minimum"), 2, "v1 $.spec.size", "minimum 1 became 2", id="minimum"),
    pytest.param((*FIELDS, "size", "exclusiveMinimum"), True, "v1 $.spec.size", "1 (exclusive)", id="exclusive"),
    pytest.param((*FIELDS, "step", "multipleOf"), 4, "v1 $.spec.step", "multipleOf 6 became 4", id="multiple"),
    pytest.param((*FIELDS, "step", "maximum"), 4, "v1 $.spec.step", "maximum 4 is new", id="new bound"),
    pytest.param((*FIELDS, "name", "maxLength"), 8, "v1 $.spec.name", "maxLength 9 became 8", id="length"),
    pytest.param((*FIELDS, "name", "pattern"), "^xy", "v1 $.spec.name", "pattern ^x became ^xy", id="pattern"),
    pytest.param((*FIELDS, "name", "type"), "integer", "v1 $.spec.name", "type string became integer", id="type"),
    pytest.param((*FIELDS, "name", "enum"), ["x"], "v1 $.spec.name", 'only ["x"] are allowed', id="new enum"),
    pytest.param((*FIELDS, "mode", "enum"), ["a"], "v1 $.spec.mode", "the value b is gone", id="enum value"),
    pytest.param((*FIELDS, "mode", "default"), "b", "v1 $.spec.mode", "default a became b", id="default"),
    pytest.param((*FIELDS, "mode", "default"), ABSENT, "v1 $.spec.mode", "default a is gone", id="no default"),
    pytest.param((*FIELDS, "until", "format"), "date-time", "v1 $.spec.until", "format date became", id="format"),
    pytest.param((*FIELDS, "until", "nullable"), ABSENT, "v1 $.spec.until", "may not be null any more", id="null"),
    pytest.param((*FIELDS, "tags", "items", "minLength"), 2, "v1 $.spec.tags[]", "minLength", id="items"),
    pytest.param((*FIELDS, "tags", "maxItems"), 2, "v1 $.spec.tags", "maxItems 2 is new", id="count of items"),
    pytest.param((*FIELDS, "tags", "x-kubernetes-list-type"), "atomic", "v1 $.spec.tags", "list type", id="list type"),
    pytest.param(
        (*FIELDS, "more", "x-kubernetes-preserve-unknown-fields"), ABSENT, "v1 $.spec.more", "pruned now", id="pruned"
    ),
    pytest.param((*FIELDS, "map", "additionalProperties", "maximum"), 4, "v1 $.spec.map{}", "maximum", id="entries"),
    pytest.param((*FIELDS, "map", "additionalProperties"), ABSENT, "v1 $.spec.map", "entries of any name", id="no map"),
    pytest.param((*FIELDS, "union", "oneOf"), [{"required": ["p"]}], "v1 $.spec.union", "oneOf", id="a case less"),
    pytest.param((*FIELDS, "union", "not"), {"required": ["p", "q"]}, "v1 $.spec.union", "not", id="new combination"),
    pytest.param(
        (*FIELDS, "union", "x-kubernetes-validations"),
        [{"rule": "self.p != 'y'"}],
        "v1 $.spec.union",
        "the rule \"self.p != 'y'\" is new",
        id="rule",
    ),
    pytest.param(("scope",), "Cluster", "scope", "Namespaced became Cluster", id="scope"),
    pytest.param(("names", "kind"), "Item", "names.kind", "Thing became Item", id="kind"),
    pytest.param(("names", "shortNames"), ["th"], "names.shortNames", "t is gone", id="short name"),
    pytest.param(("versions", 0, "served"), False, "v1", "not served any more", id="not served"),
    pytest.param(("versions", 0, "name"), "v2", "v1", "the version is gone", id="version"),
    pytest.param(("versions", 0, "subresources"), {}, "v1 subresource status", "is gone", id="subresource"),
    pytest.param(
        ("versions", 0, "selectableFields"), [], "v1 selectable fields", ".spec.mode is gone", id="selectable"
    ),
]
COMPATIBLE = [
    pytest.param((*FIELDS, "extra"), {"type": "string"}, "v1 $.spec.extra", "a new field", id="new field"),
    pytest.param((*SPEC, "required"), [], "v1 $.spec.size", "may be absent now", id="not required"),
    pytest.param((*SPEC, "required"), ["size", "mode"], None, "", id="required with a default"),
    pytest.param((*FIELDS, "size", "maximum"), 50, "v1 $.spec.size", "maximum 10 became 50", id="maximum"),
    pytest.param((*FIELDS, "size", "maximum"), ABSENT, "v1 $.spec.size", "maximum 10 is gone", id="no maximum"),
    pytest.param((*FIELDS, "size", "default"), 3, "v1 $.spec.size", "default 3 is new", id="default"),
    pytest.param((*FIELDS, "step", "multipleOf"), 3, "v1 $.spec.step", "multipleOf 6 became 3", id="multiple"),
    pytest.param((*FIELDS, "mode", "enum"), ["a", "b", "c"], "v1 $.spec.mode", "the value c is new", id="enum value"),
    pytest.param((*FIELDS, "mode", "enum"), ABSENT, "v1 $.spec.mode", "all values", id="no enum"),
    pytest.param((*FIELDS, "name", "pattern"), ABSENT, "v1 $.spec.name", "pattern ^x is gone", id="no pattern"),
    pytest.param((*FIELDS, "name", "nullable"), True, "v1 $.spec.name", "may be null now", id="null"),
    pytest.param((*FIELDS, "name", "description"), "The name.", "v1 $.spec.name", "in other words", id="wording"),
    pytest.param(
        (*FIELDS, "union", "oneOf"),
        [{"required": ["p"]}, {"required": ["q"]}, {"required": ["r"]}],
        "v1 $.spec.union",
        "oneOf",
        id="a case more",
    ),
    pytest.param((*FIELDS, "union", "x-kubernetes-validations"), [], "v1 $.spec.union", "is gone", id="rule"),
    pytest.param(("names", "categories"), ["all"], "names.categories", "all is new", id="category"),
    pytest.param(("versions", 0, "deprecated"), True, "v1", "deprecated now", id="deprecated"),
    pytest.param(("versions", 0, "additionalPrinterColumns"), [], "v1 columns", "differ", id="columns"),
]


@pytest.mark.parametrize(("path", "value", "place", "said"), BREAKING)
def test_what_may_break_somebody_is_breaking(path, value, place, said):
    """R-03 among others: a version in which objects may be stored is gone."""
    found = changes(BASE, changed(path, value))

    assert [change for change in found if change.breaking and change.place == place and said in change.text], found


@pytest.mark.parametrize(("path", "value", "place", "said"), COMPATIBLE)
def test_what_breaks_nobody_is_named_and_compatible(path, value, place, said):
    found = changes(BASE, changed(path, value))

    assert not [change for change in found if change.breaking]
    assert [change for change in found if change.place == place and said in change.text] or place is None


def test_breaking_changes_come_first_and_nothing_is_no_change():
    new = changed((*FIELDS, "name"), ABSENT)
    new["spec"]["names"]["categories"] = ["all"]

    assert [change.breaking for change in changes(BASE, new)] == [True, False]
    assert changes(BASE, BASE) == changes(None, None) == []


def test_a_new_kind_is_compatible_and_one_that_is_gone_is_not():
    assert [str(change) for change in changes(None, BASE)] == ["compatible  things.example.com: a new kind"]
    assert [str(change) for change in changes(BASE, None)] == ["breaking  things.example.com: the kind is gone"]


def test_a_field_that_goes_where_unknown_fields_are_kept_breaks_nobody():
    open_base = changed((*SPEC, "x-kubernetes-preserve-unknown-fields"), True)
    less = copy.deepcopy(open_base)
    del less["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["name"]

    assert not [change for change in changes(open_base, less) if change.breaking]


# A second opinion: what a compatible change of one node lets in, all values tell.

NODES = st.fixed_dictionaries(
    {"type": st.just("integer")},
    optional={
        "minimum": st.integers(0, 3),
        "maximum": st.integers(4, 7),
        "multipleOf": st.sampled_from([1, 2, 4]),
        "enum": st.lists(st.integers(0, 7), min_size=1, max_size=4, unique=True),
        "exclusiveMinimum": st.booleans(),
        "exclusiveMaximum": st.booleans(),
    },
)


@settings(max_examples=300, deadline=None)
@given(NODES, NODES)
def test_no_value_that_was_valid_is_refused_after_a_compatible_change(old, new):
    found = changes(changed((*FIELDS, "size"), old), changed((*FIELDS, "size"), new))
    lost = [value for value in range(9) if not faults(value, old) and faults(value, new)]

    if lost:
        assert [change for change in found if change.breaking]


@pytest.mark.parametrize("cls", [DatabaseCluster, InferenceService, FederatedJob])
def test_a_definition_is_like_itself(cls):
    assert changes(crd(cls), crd(cls)) == []
