from windlass.envtest.apiserver.patch.strategic import strategic_merge
from windlass.envtest.apiserver.values import copied


def merged(target, patch):
    before = copied(patch)
    result = strategic_merge(copied(target), patch)
    assert patch == before
    return result


POD = {"containers": [{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]}


def test_items_with_a_key_are_merged_by_it():
    patch = {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}, {"name": "c"}]}
    assert merged(POD, patch)["containers"] == [
        {"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
        {"name": "b"},
        {"name": "c"},
    ]


def test_directives_delete_replace_and_order_items():
    assert merged(POD, {"containers": [{"name": "a", "$patch": "delete"}]}) == {"containers": [{"name": "b"}]}
    assert merged(POD, {"containers": [{"name": "z"}, {"$patch": "replace"}]}) == {"containers": [{"name": "z"}]}
    ordered = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
    assert [item["name"] for item in merged(POD, ordered)["containers"]] == ["b", "a"]
    assert merged({"a": {"x": 1, "y": 2}}, {"a": {"$patch": "replace", "z": 3}}) == {"a": {"z": 3}}
    assert merged({"a": {"x": 1}}, {"a": {"$patch": "delete"}}) == {"a": {}}
    assert merged({"a": 1, "b": 2}, {"$retainKeys": ["b"], "b": 3}) == {"b": 3}


def test_lists_without_a_key_are_replaced_and_sets_are_united():
    assert merged({"args": ["a"]}, {"args": ["b"]}) == {"args": ["b"]}
    assert merged({"finalizers": ["a"]}, {"finalizers": ["b"]}) == {"finalizers": ["a", "b"]}
    assert merged({"finalizers": ["a", "b"]}, {"$deleteFromPrimitiveList/finalizers": ["a"]}) == {"finalizers": ["b"]}


def test_ports_merge_by_container_port_or_by_service_port():
    pod = merged({"ports": [{"containerPort": 80, "name": "a"}]}, {"ports": [{"containerPort": 80, "name": "b"}]})
    assert pod == {"ports": [{"containerPort": 80, "name": "b"}]}
    service = merged({"ports": [{"port": 80}]}, {"ports": [{"port": 81}]})
    assert service == {"ports": [{"port": 80}, {"port": 81}]}


def test_null_deletes_and_directives_never_stay_in_the_object():
    assert merged({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"c": None}}) == {"b": {}}
    assert merged({}, {"containers": [{"name": "a", "$retainKeys": ["name"]}]}) == {"containers": [{"name": "a"}]}
