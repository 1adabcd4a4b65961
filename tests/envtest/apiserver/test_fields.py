import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.kinds import BUILT_IN, Resource
from windlass.envtest.apiserver.patch.applying import applied, first_applied
from windlass.envtest.apiserver.patch.fieldsets import from_fields, leaves, shape_of, shown, to_fields
from windlass.envtest.apiserver.patch.managedfields import Writer, read_entries, record_update, without_times

POD = next(resource for resource in BUILT_IN if resource.kind == "Pod")
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "whole": {"type": "object", "x-kubernetes-map-type": "atomic"},
                "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "list": {"type": "array", "items": {"type": "string"}},
                "keyed": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["n"],
                    "items": {"type": "object", "properties": {"n": {"type": "string"}, "v": {"type": "integer"}}},
                },
            },
        }
    },
}
KIND = Resource("ex.dev", "v1", "Thing", "things", custom=True, schema=SCHEMA)
NOW = "2024-01-01T00:00:00Z"


def thing(**spec):
    return {"apiVersion": "ex.dev/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec}


def writer(name, operation="Apply"):
    return Writer(name, operation, "ex.dev/v1")


def created(name, **spec):
    config = thing(**spec)
    entries = first_applied(config, writer(name), resource=KIND, now=NOW)
    return config | {"metadata": config["metadata"] | {"managedFields": entries}}


def apply(live, name, force=False, **spec):
    return applied(live, thing(**spec), writer(name), resource=KIND, force=force, now=NOW)


def owners(obj):
    return {entry.writer.manager: {shown(path) for path in entry.paths} for entry in read_entries(obj["metadata"])}


def test_paths_follow_the_list_and_map_types():
    obj = thing(size=1, labels={"x": "y"}, whole={"p": 1}, set=["s"], list=["l"], keyed=[{"n": "k", "v": 1}])
    assert {shown(path) for path in leaves(obj, shape_of(KIND))} == {
        ".spec.size",
        ".spec.labels.x",
        ".spec.whole",
        '.spec.set[="s"]',
        ".spec.list",
        '.spec.keyed[n="k"]',
        '.spec.keyed[n="k"].n',
        '.spec.keyed[n="k"].v',
    }


def test_built_in_kinds_take_their_list_keys_from_the_table():
    pod = {
        "metadata": {"finalizers": ["a/b"]},
        "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 1}]}]},
    }
    paths = {shown(path) for path in leaves(pod, shape_of(POD))}
    assert '.metadata.finalizers[="a/b"]' in paths
    assert '.spec.containers[name="c"].ports[containerPort=1,protocol="TCP"].containerPort' in paths


@given(st.sets(st.lists(st.sampled_from(["f:a", "f:b", 'k:{"n":"x"}', 'v:"y"']), min_size=1, max_size=4).map(tuple)))
def test_a_set_of_paths_survives_its_written_form(paths):
    assert from_fields(to_fields(paths)) == paths


def test_the_written_form_is_that_of_kubernetes():
    fields = to_fields({("f:spec", 'k:{"n":"x"}'), ("f:spec", 'k:{"n":"x"}', "f:v"), ("f:spec", "f:size")})
    assert fields == {"f:spec": {"f:size": {}, 'k:{"n":"x"}': {".": {}, "f:v": {}}}}


def test_what_a_manager_drops_goes_unless_another_states_it_too():
    live = created("one", size=1, labels={"a": "1", "b": "2"})
    live = apply(live, "two", labels={"b": "2"})
    result = apply(live, "one", size=1)
    assert result["spec"] == {"size": 1, "labels": {"b": "2"}}
    assert owners(result) == {"one": {".spec.size"}, "two": {".spec.labels.b"}}
    assert apply(result, "two")["spec"] == {"size": 1}


def test_a_conflict_names_every_manager_and_field_and_force_takes_them():
    live = created("one", size=1, keyed=[{"n": "k", "v": 1}])
    with pytest.raises(ApiError) as caught:
        apply(live, "two", size=2, keyed=[{"n": "k", "v": 2}])
    assert caught.value.message.startswith('Apply failed with 2 conflicts: conflicts with "one":\n- .spec.')
    assert [cause["field"] for cause in caught.value.details["causes"]] == ['.spec.keyed[n="k"].v', ".spec.size"]
    forced = apply(live, "two", force=True, size=2)
    assert owners(forced)["two"] == {".spec.size"}
    assert ".spec.size" not in owners(forced)["one"]


def test_stating_the_same_value_shares_it_without_conflict():
    live = apply(created("one", size=1), "two", size=1)
    assert owners(live) == {"one": {".spec.size"}, "two": {".spec.size"}}


def test_items_of_keyed_lists_and_sets_come_and_go_one_by_one():
    live = created("one", keyed=[{"n": "k", "v": 1}], set=["a"])
    live = apply(live, "two", keyed=[{"n": "m", "v": 2}], set=["b"])
    assert live["spec"] == {"keyed": [{"n": "k", "v": 1}, {"n": "m", "v": 2}], "set": ["a", "b"]}
    assert apply(live, "one", set=["a"])["spec"] == {"keyed": [{"n": "m", "v": 2}], "set": ["a", "b"]}
    shared = apply(live, "two", keyed=[{"n": "k"}, {"n": "m", "v": 2}], set=["b"])
    assert apply(shared, "one")["spec"]["keyed"] == [{"n": "k"}, {"n": "m", "v": 2}]


def test_applying_the_same_again_changes_nothing_but_times():
    live = created("one", size=1, keyed=[{"n": "k"}])
    again = applied(live, thing(size=1, keyed=[{"n": "k"}]), writer("one"), resource=KIND, force=False, now="later")
    assert without_times(again) == without_times(live)


def test_a_plain_update_takes_over_what_it_changes_only():
    old = created("one", size=1, labels={"a": "1"})
    new = thing(size=2, labels={"a": "1"}) | {"metadata": old["metadata"].copy()}
    record_update(new, old, writer("editor", "Update"), resource=KIND, now=NOW)
    assert owners(new) == {"one": {".spec.labels.a"}, "editor": {".spec.size"}}
    reset = thing(size=3) | {"metadata": {"name": "a", "managedFields": [{}]}}
    record_update(reset, new, writer("editor", "Update"), resource=KIND, now=NOW)
    assert set(owners(reset)) == {"editor"}


def test_the_oldest_of_many_updaters_are_merged():
    obj = thing(size=0)
    record_update(obj, None, writer("m0", "Update"), resource=KIND, now="t00")
    for index in range(1, 14):
        new = thing(**obj["spec"] | {"labels": {**obj["spec"].get("labels", {}), f"l{index}": "x"}})
        new["metadata"] = obj["metadata"].copy()
        record_update(new, obj, writer(f"m{index}", "Update"), resource=KIND, now=f"t{index:02}")
        obj = new
    names = set(owners(obj))
    assert len(names) == 10
    assert "ancient-changes" in names
    assert "m13" in names
