"""Strategic merge patches of core kinds: lists that merge by their keys, and the directives."""

from conformance.harness import Api, case, config_map, pod


def _named(*images):
    return [{"name": name, "image": image} for name, image in images]


def _template(*containers, **spec):
    return {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": list(containers)} | spec}


async def _deploy(api: Api, *containers, **spec) -> str:
    path = f"/apis/apps/v1/namespaces/{api.namespace}/deployments"
    body = {"selector": {"matchLabels": {"a": "b"}}, "replicas": 0, "template": _template(*containers, **spec)}
    await api.made(path, {"metadata": {"name": "a"}, "spec": body | {"paused": True}})
    return f"{path}/a"


async def _patched(api: Api, path: str, **spec):
    answer = await api.strategic(path, {"spec": {"template": {"spec": spec}}})
    assert answer.code == 200, answer.body
    return answer.body["spec"]["template"]["spec"]


def _images(spec):
    return [(one["name"], one["image"]) for one in spec["containers"]]


@case("P-01")
async def test_a_container_is_patched_by_its_name(api: Api):
    path = await _deploy(api, *_named(("one", "1"), ("two", "2")))
    spec = await _patched(api, path, containers=_named(("two", "3")))
    assert _images(spec) == [("one", "1"), ("two", "3")]


@case("P-01")
async def test_a_new_container_is_added_before_the_others(api: Api):
    path = await _deploy(api, *_named(("one", "1")))
    spec = await _patched(api, path, containers=_named(("two", "2")))
    assert sorted(_images(spec)) == [("one", "1"), ("two", "2")]


@case("P-01")
async def test_a_container_is_deleted_by_a_directive(api: Api):
    path = await _deploy(api, *_named(("one", "1"), ("two", "2")))
    spec = await _patched(api, path, containers=[{"name": "one", "$patch": "delete"}])
    assert _images(spec) == [("two", "2")]


@case("P-01")
async def test_containers_are_replaced_by_a_directive(api: Api):
    path = await _deploy(api, *_named(("one", "1"), ("two", "2")))
    spec = await _patched(api, path, containers=[*_named(("three", "3")), {"$patch": "replace"}])
    assert _images(spec) == [("three", "3")]


@case("P-01")
async def test_containers_are_put_into_a_stated_order(api: Api):
    path = await _deploy(api, *_named(("one", "1"), ("two", "2")))
    order = {"$setElementOrder/containers": [{"name": "two"}, {"name": "one"}]}
    spec = await _patched(api, path, containers=_named(("one", "5")), **order)
    assert _images(spec) == [("two", "2"), ("one", "5")]


@case("P-01")
async def test_the_environment_merges_by_name(api: Api):
    container = {"name": "one", "image": "1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    path = await _deploy(api, container)
    change = {"name": "one", "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]}
    spec = await _patched(api, path, containers=[change])
    found = {one["name"]: one["value"] for one in spec["containers"][0]["env"]}
    assert found == {"A": "1", "B": "3", "C": "4"}


@case("P-01")
async def test_ports_merge_by_their_number(api: Api):
    container = {"name": "one", "image": "1", "ports": [{"containerPort": 80, "name": "web"}]}
    path = await _deploy(api, container)
    change = {"name": "one", "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 81, "name": "more"}]}
    spec = await _patched(api, path, containers=[change])
    found = {one["containerPort"]: one["name"] for one in spec["containers"][0]["ports"]}
    assert found == {80: "http", 81: "more"}


@case("P-01")
async def test_arguments_are_replaced_whole(api: Api):
    path = await _deploy(api, {"name": "one", "image": "1", "args": ["a", "b"]})
    spec = await _patched(api, path, containers=[{"name": "one", "args": ["c"]}])
    assert spec["containers"][0]["args"] == ["c"]


@case("P-01")
async def test_tolerations_are_replaced_whole(api: Api):
    path = await _deploy(api, *_named(("one", "1")), tolerations=[{"key": "a", "operator": "Exists"}])
    spec = await _patched(api, path, tolerations=[{"key": "b", "operator": "Exists"}])
    assert [one["key"] for one in spec["tolerations"]] == ["b"]


@case("P-01")
async def test_volumes_merge_by_name_and_their_source_is_replaced(api: Api):
    path = await _deploy(api, *_named(("one", "1")), volumes=[{"name": "v", "emptyDir": {}}])
    change = {"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}
    spec = await _patched(api, path, volumes=[change])
    (volume,) = spec["volumes"]
    assert (volume["name"], volume["configMap"]["name"], "emptyDir" in volume) == ("v", "c", False)


@case("P-01")
async def test_null_removes_a_field(api: Api):
    path = await _deploy(api, *_named(("one", "1")), nodeSelector={"a": "b"})
    assert "nodeSelector" not in await _patched(api, path, nodeSelector=None)


@case("P-01")
async def test_a_map_is_replaced_by_a_directive(api: Api):
    path = await _deploy(api, *_named(("one", "1")), nodeSelector={"a": "b"})
    spec = await _patched(api, path, nodeSelector={"c": "d", "$patch": "replace"})
    assert spec["nodeSelector"] == {"c": "d"}


@case("P-01")
async def test_finalizers_are_added_to_those_that_are_there(api: Api):
    await api.made(api.config_maps, config_map(finalizers=["conformance.dev/one"]))
    answer = await api.strategic(f"{api.config_maps}/a", {"metadata": {"finalizers": ["conformance.dev/two"]}})
    assert sorted(answer.body["metadata"]["finalizers"]) == ["conformance.dev/one", "conformance.dev/two"]


@case("P-01")
async def test_a_finalizer_is_taken_out_by_a_directive(api: Api):
    await api.made(api.config_maps, config_map(finalizers=["conformance.dev/one", "conformance.dev/two"]))
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["conformance.dev/one"]}}
    answer = await api.strategic(f"{api.config_maps}/a", patch)
    assert answer.body["metadata"]["finalizers"] == ["conformance.dev/two"]


@case("P-01")
async def test_owners_merge_by_uid(api: Api):
    first, second = ({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": name} for name in ("x", "y"))
    hold = {"finalizers": ["conformance.dev/hold"]}
    await api.made(api.config_maps, config_map(ownerReferences=[first], **hold))
    answer = await api.strategic(f"{api.config_maps}/a", {"metadata": {"ownerReferences": [second]}})
    assert sorted(one["uid"] for one in answer.body["metadata"]["ownerReferences"]) == ["x", "y"]


@case("P-01")
async def test_conditions_of_a_status_merge_by_type(api: Api):
    await api.made(api.core("pods"), pod())
    path = f"{api.core('pods')}/a/status"
    await api.strategic(path, {"status": {"conditions": [{"type": "A", "status": "True"}]}})
    answer = await api.strategic(path, {"status": {"conditions": [{"type": "B", "status": "False"}]}})
    found = {one["type"]: one["status"] for one in answer.body["status"]["conditions"]}
    assert (found["A"], found["B"]) == ("True", "False")


@case("P-01")
async def test_data_of_a_config_map_merge(api: Api):
    await api.made(api.config_maps, config_map(data={"a": "1", "b": "2"}))
    answer = await api.strategic(f"{api.config_maps}/a", {"data": {"a": None, "c": "3"}})
    assert answer.body["data"] == {"b": "2", "c": "3"}


@case("P-05")
async def test_a_strategic_patch_that_changes_nothing_keeps_the_version(api: Api):
    made = await api.made(api.config_maps, config_map(data={"a": "1"}))
    answer = await api.strategic(f"{api.config_maps}/a", {"data": {"a": "1"}})
    assert answer.version == made["metadata"]["resourceVersion"]
