"""Status and scale: two windows on one object, each with its own rules."""

from conformance.harness import Api, case, config_map, pod, widget


async def _ready(api: Api) -> dict:
    made = await api.made(api.widgets, widget())
    return (await api.put(f"{api.widgets}/a/status", made | {"status": {"phase": "Ready"}})).body


@case("SS-01")
async def test_an_update_of_the_object_ignores_its_status(api: Api):
    ready = await _ready(api)
    answer = await api.put(f"{api.widgets}/a", ready | {"spec": {"replicas": 5}, "status": {"phase": "Lost"}})
    assert (answer.body["spec"]["replicas"], answer.body["status"]) == (5, {"phase": "Ready"})


@case("SS-01")
async def test_an_update_of_the_object_without_a_status_keeps_it(api: Api):
    ready = await _ready(api)
    del ready["status"]
    assert (await api.put(f"{api.widgets}/a", ready)).body["status"] == {"phase": "Ready"}


@case("SS-01")
async def test_a_patch_of_the_object_ignores_its_status(api: Api):
    ready = await _ready(api)
    answer = await api.merge(f"{api.widgets}/a", {"status": {"phase": "Lost"}})
    assert answer.body["status"] == {"phase": "Ready"}
    assert answer.version == ready["metadata"]["resourceVersion"]


@case("SS-01")
async def test_an_update_of_the_status_ignores_everything_else(api: Api):
    made = await api.made(api.widgets, widget(labels={"a": "b"}))
    sent = made | {"spec": {"replicas": 9}, "status": {"phase": "Ready"}}
    sent["metadata"] = made["metadata"] | {"labels": {"c": "d"}, "finalizers": ["a.dev/b"], "annotations": {"e": "f"}}
    found = (await api.put(f"{api.widgets}/a/status", sent)).body
    assert (found["spec"]["replicas"], found["status"]) == (3, {"phase": "Ready"})
    assert found["metadata"]["labels"] == {"a": "b"}
    assert not {"finalizers", "annotations"} & found["metadata"].keys()


@case("SS-01")
async def test_a_patch_of_the_status_ignores_everything_else(api: Api):
    await api.made(api.widgets, widget())
    patch = {"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 9}, "status": {"phase": "Ready"}}
    found = (await api.merge(f"{api.widgets}/a/status", patch)).body
    assert (found["spec"]["replicas"], found["status"]) == (3, {"phase": "Ready"})
    assert "labels" not in found["metadata"]


@case("SS-02", "U-05")
async def test_a_write_of_the_status_gives_a_new_version_and_the_same_generation(api: Api):
    made = await api.made(api.widgets, widget())
    written = (await api.merge(f"{api.widgets}/a/status", {"status": {"phase": "Ready"}})).body["metadata"]
    assert int(written["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    assert written["generation"] == 1


@case("SS-02")
async def test_an_update_of_the_status_of_an_older_version_is_a_conflict(api: Api):
    made = await api.made(api.widgets, widget())
    await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 4}})
    answer = await api.put(f"{api.widgets}/a/status", made | {"status": {"phase": "Ready"}})
    assert answer.refusal["reason"] == "Conflict"


@case("SS-02")
async def test_an_update_of_the_status_must_name_its_version(api: Api):
    made = await api.made(api.widgets, widget())
    del made["metadata"]["resourceVersion"]
    answer = await api.put(f"{api.widgets}/a/status", made | {"status": {"phase": "Ready"}})
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "metadata.resourceVersion")])


@case("SS-02")
async def test_a_write_of_the_status_is_seen_as_a_modification(api: Api):
    made = await api.made(api.widgets, widget())
    async with api.watch(api.widgets, resourceVersion=made["metadata"]["resourceVersion"]) as watch:
        await api.merge(f"{api.widgets}/a/status", {"status": {"phase": "Ready"}})
        event = await watch.next()
        assert (event["type"], event["object"]["status"]) == ("MODIFIED", {"phase": "Ready"})


@case("SS-02", "U-08")
async def test_a_status_that_is_what_it_was_keeps_the_version(api: Api):
    ready = await _ready(api)
    answer = await api.merge(f"{api.widgets}/a/status", {"status": {"phase": "Ready"}})
    assert answer.version == ready["metadata"]["resourceVersion"]


@case("SS-01", "K-03")
async def test_a_status_is_validated_by_the_schema(api: Api):
    await api.made(api.widgets, widget())
    answer = await api.merge(f"{api.widgets}/a/status", {"status": {"replicas": "many"}})
    assert answer.code == 422
    assert "status.replicas" in [field for _, field in answer.causes]


@case("SS-01", "K-01")
async def test_unknown_fields_of_a_status_are_pruned(api: Api):
    await api.made(api.widgets, widget())
    answer = await api.merge(f"{api.widgets}/a/status", {"status": {"phase": "Ready", "odd": 1}})
    assert answer.body["status"] == {"phase": "Ready"}


@case("SS-01")
async def test_the_status_subresource_reads_the_whole_object(api: Api):
    ready = await _ready(api)
    assert (await api.get(f"{api.widgets}/a/status")).body == ready


@case("SS-01")
async def test_a_status_can_be_taken_away(api: Api):
    await _ready(api)
    answer = await api.merge(f"{api.widgets}/a/status", {"status": None})
    assert "status" not in answer.body


@case("SS-03")
async def test_a_kind_without_a_status_subresource_has_no_such_path(api: Api):
    kind = await api.define()
    await api.made(kind.path(), kind.body())
    assert (await api.get(f"{kind.path()}/a/status")).code == 404
    assert (await api.merge(f"{kind.path()}/a/status", {"status": {}})).code == 404
    assert (await api.get(f"{kind.path()}/a/scale")).code == 404


@case("SS-03")
async def test_a_config_map_has_no_status(api: Api):
    await api.made(api.config_maps, config_map())
    assert (await api.get(f"{api.config_maps}/a/status")).code == 404


@case("SS-01")
async def test_the_status_of_a_pod_is_written_by_its_subresource_alone(api: Api):
    await api.made(api.core("pods"), pod())
    status = {"status": {"phase": "Running", "podIP": "10.1.2.3"}}
    assert (await api.merge(f"{api.core('pods')}/a", status)).body["status"]["phase"] == "Pending"
    found = (await api.merge(f"{api.core('pods')}/a/status", status)).body
    assert (found["status"]["phase"], found["status"]["podIP"]) == ("Running", "10.1.2.3")


@case("SS-01")
async def test_the_status_of_an_absent_object_is_not_found(api: Api):
    answer = await api.merge(f"{api.widgets}/a/status", {"status": {}})
    assert answer.refusal["reason"] == "NotFound"


@case("SS-04")
async def test_a_scale_shows_the_replicas_and_the_selector(api: Api):
    made = await api.made(api.widgets, widget(spec={"replicas": 3, "selector": "a=b"}))
    await api.merge(f"{api.widgets}/a/status", {"status": {"replicas": 2}})
    found = (await api.get(f"{api.widgets}/a/scale")).body
    assert (found["kind"], found["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (found["spec"], found["status"]) == ({"replicas": 3}, {"replicas": 2, "selector": "a=b"})
    for field in ("name", "namespace", "uid", "creationTimestamp"):
        assert found["metadata"][field] == made["metadata"][field]


@case("SS-04")
async def test_a_scale_has_the_version_of_its_object(api: Api):
    made = await api.made(api.widgets, widget())
    found = (await api.get(f"{api.widgets}/a/scale")).body
    assert found["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert found["status"] == {"replicas": 0}


@case("SS-04")
async def test_an_object_without_replicas_has_no_scale(api: Api):
    await api.made(api.widgets, widget(spec={}))
    answer = await api.get(f"{api.widgets}/a/scale")
    assert answer.refusal["code"] == 500


@case("SS-04")
async def test_an_update_of_the_scale_writes_the_replicas_alone(api: Api):
    await api.made(api.widgets, widget(spec={"replicas": 3, "text": "x"}))
    scale = (await api.get(f"{api.widgets}/a/scale")).body
    answer = await api.put(f"{api.widgets}/a/scale", scale | {"spec": {"replicas": 6}})
    assert (answer.code, answer.body["kind"], answer.body["spec"]) == (200, "Scale", {"replicas": 6})
    found = (await api.get(f"{api.widgets}/a")).body
    assert found["spec"] == {"replicas": 6, "text": "x", "mode": "fast"}
    assert found["metadata"]["generation"] == 2


@case("SS-04")
async def test_an_update_of_the_scale_of_an_older_version_is_a_conflict(api: Api):
    await api.made(api.widgets, widget())
    scale = (await api.get(f"{api.widgets}/a/scale")).body
    await api.merge(f"{api.widgets}/a", {"spec": {"text": "x"}})
    answer = await api.put(f"{api.widgets}/a/scale", scale | {"spec": {"replicas": 6}})
    assert answer.refusal["reason"] == "Conflict"


@case("SS-04")
async def test_an_update_of_the_scale_need_not_name_a_version(api: Api):
    await api.made(api.widgets, widget())
    body = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "a", "namespace": api.namespace}}
    answer = await api.put(f"{api.widgets}/a/scale", body | {"spec": {"replicas": 6}})
    assert (answer.code, answer.body["spec"]) == (200, {"replicas": 6})


@case("SS-04", rows={"merge": ("merge",), "json": ("json",)})
async def test_a_patch_of_the_scale_writes_the_replicas(api: Api, how):
    await api.made(api.widgets, widget())
    path = f"{api.widgets}/a/scale"
    if how == "merge":
        answer = await api.merge(path, {"spec": {"replicas": 7}})
    else:
        answer = await api.json_patch(path, {"op": "replace", "path": "/spec/replicas", "value": 7})
    assert (answer.code, answer.body["spec"]) == (200, {"replicas": 7})


@case("SS-04", "K-03")
async def test_a_scale_is_validated_by_the_schema_of_the_object(api: Api):
    await api.made(api.widgets, widget())
    answer = await api.merge(f"{api.widgets}/a/scale", {"spec": {"replicas": 99}})
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "spec.replicas")])


@case("SS-04")
async def test_negative_replicas_are_invalid(api: Api):
    await api.made(api.widgets, widget())
    answer = await api.merge(f"{api.widgets}/a/scale", {"spec": {"replicas": -1}})
    assert (answer.code, answer.causes[-1]) == (422, ("FieldValueInvalid", "spec.replicas"))


@case("SS-04")
async def test_the_scale_of_an_absent_object_is_not_found(api: Api):
    assert (await api.get(f"{api.widgets}/a/scale")).refusal["reason"] == "NotFound"


@case("SS-04")
async def test_a_deployment_has_a_scale(api: Api):
    path = f"/apis/apps/v1/namespaces/{api.namespace}/deployments"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template, "replicas": 0, "paused": True}
    await api.made(path, {"metadata": {"name": "a"}, "spec": spec})
    answer = await api.merge(f"{path}/a/scale", {"spec": {"replicas": 0}})
    assert (answer.code, answer.body["status"]) == (200, {"replicas": 0, "selector": "a=b"})
    assert (await api.get(f"{path}/a/scale")).body["kind"] == "Scale"


def _binding(node: str = "n", **target: str) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "a"},
        "target": {"kind": "Node", "name": node} | target,
    }


@case("SS-03")
async def test_a_pod_is_bound_to_a_node(api: Api):
    pods = api.core("pods")
    await api.made(pods, pod())
    answer = await api.create(f"{pods}/a/binding", _binding())
    assert (answer.code, answer.body["kind"], answer.body["status"]) == (201, "Status", "Success")
    found = (await api.get(f"{pods}/a")).body
    assert found["spec"]["nodeName"] == "n"
    (condition,) = found["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("PodScheduled", "True")


@case("SS-03")
async def test_a_pod_is_bound_once(api: Api):
    pods = api.core("pods")
    await api.made(pods, pod())
    await api.create(f"{pods}/a/binding", _binding())
    answer = await api.create(f"{pods}/a/binding", _binding("other"))
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert (await api.get(f"{pods}/a")).body["spec"]["nodeName"] == "n"


@case("SS-03")
async def test_only_a_pod_that_is_there_is_bound(api: Api):
    answer = await api.create(f"{api.core('pods')}/a/binding", _binding())
    assert (answer.code, answer.body["reason"]) == (404, "NotFound")


@case("SS-03")
async def test_no_update_binds_a_pod(api: Api):
    pods = api.core("pods")
    await api.made(pods, pod())
    answer = await api.merge(f"{pods}/a", {"spec": {"nodeName": "n"}})
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
