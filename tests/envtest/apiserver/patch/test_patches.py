import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.patch.patches import json_patch, merge_patch
from windlass.envtest.apiserver.values import copied, same

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab~/", max_size=3)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab~/", max_size=2), inner, max_size=3)
)
OBJECTS = st.dictionaries(st.text("ab~/", max_size=2), JSON, max_size=3)


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


def difference(old, new):
    """The merge patch from one object to another (which cannot set nulls)."""
    patch = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key in old and isinstance(old[key], dict) and isinstance(value, dict):
            patch[key] = difference(old[key], value)
        elif key not in old or not same(old[key], value):
            patch[key] = value
    return patch


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_applied_twice_is_applied_once(target, patch):
    once = merge_patch(target, patch)
    assert same(merge_patch(once, patch), once)


@given(OBJECTS, OBJECTS)
def test_the_difference_of_two_objects_as_a_merge_patch_leads_from_one_to_the_other(old, new):
    new = without_nulls(new)
    assert same(merge_patch(without_nulls(old), difference(without_nulls(old), new)), new)


@given(OBJECTS, OBJECTS)
def test_patches_leave_their_arguments_alone(target, patch):
    before = copied(target), copied(patch)
    merge_patch(target, patch)
    assert same([target, patch], list(before))


@given(JSON, JSON)
def test_replacing_the_root_gives_the_value_and_testing_it_holds(document, value):
    operations = [{"op": "replace", "path": "", "value": value}, {"op": "test", "path": "", "value": value}]
    assert same(json_patch(document, operations), value)


@given(OBJECTS, st.text("ab~/", max_size=2), JSON)
def test_what_is_added_can_be_tested_and_removed(document, key, value):
    path = "/" + key.replace("~", "~0").replace("/", "~1")
    added = json_patch(
        document, [{"op": "add", "path": path, "value": value}, {"op": "test", "path": path, "value": value}]
    )
    assert same(added[key], value)
    removed = json_patch(added, [{"op": "remove", "path": path}])
    assert same(removed, {name: item for name, item in document.items() if name != key})


@pytest.mark.parametrize(
    ("document", "operation", "expected"),
    [
        ({"a": [1, 2]}, {"op": "add", "path": "/a/1", "value": 9}, {"a": [1, 9, 2]}),
        ({"a": [1]}, {"op": "add", "path": "/a/-", "value": 9}, {"a": [1, 9]}),
        ({"a": [1, 2]}, {"op": "remove", "path": "/a/0"}, {"a": [2]}),
        ({"a": 1}, {"op": "move", "from": "/a", "path": "/b"}, {"b": 1}),
        ({"a": [1]}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": [1], "b": [1]}),
        ({"a": None}, {"op": "test", "path": "/a", "value": None}, {"a": None}),
    ],
)
def test_operations_do_what_the_rfc_says(document, operation, expected):
    assert json_patch(document, [operation]) == expected


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ({"op": "add"}, 400),
        ([{"op": "fly", "path": "/a"}], 422),
        ([{"op": "add", "path": "a", "value": 1}], 422),
        ([{"op": "add", "path": "/a"}], 422),
        ([{"op": "move", "path": "/a", "from": 7}], 422),
        ([{"op": ["add"], "path": "/a"}], 422),
        ([1], 400),
        ([{"op": "remove", "path": "/nope"}], 422),
        ([{"op": "remove", "path": ""}], 422),
        ([{"op": "replace", "path": "/list/9", "value": 1}], 422),
        ([{"op": "add", "path": "/list/9", "value": 1}], 422),
        ([{"op": "add", "path": "/list/01", "value": 1}], 422),
        ([{"op": "test", "path": "/flag", "value": 1}], 422),
        ([{"op": "move", "from": "/map", "path": "/map/x"}], 422),
        ([{"op": "test", "path": "/list", "value": 1}] * 10_001, 413),
    ],
)
def test_a_patch_that_cannot_be_applied_is_refused(patch, code):
    with pytest.raises(ApiError) as caught:
        json_patch({"flag": True, "list": [1], "map": {}}, patch)
    assert caught.value.code == code
