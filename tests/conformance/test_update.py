"""Updating: versions, generations, writes that change nothing, and what may not be changed."""

from typing import Any

from conformance.harness import Api, case, config_map, pod, stable, widget

HOLD = "conformance.dev/hold"


@case("U-02")
async def test_an_update_of_a_custom_object_must_name_its_version(api: Api):
    made = await api.made(api.widgets, widget())
    del made["metadata"]["resourceVersion"]
    answer = await api.put(f"{api.widgets}/a", made)
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "metadata.resourceVersion")])


@case("U-02")
async def test_an_update_of_a_core_object_need_not_name_its_version(api: Api):
    await api.made(api.config_maps, config_map())
    answer = await api.put(f"{api.config_maps}/a", config_map(data={"a": "b"}))
    assert (answer.code, answer.body["data"]) == (200, {"a": "b"})


@case("U-02")
async def test_an_update_of_a_definition_must_name_its_version(api: Api):
    kind = await api.define()
    answer = await api.put(kind.crd, kind.definition)
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "metadata.resourceVersion")])


@case("U-04")
async def test_an_absent_custom_object_is_not_created_by_an_update(api: Api):
    answer = await api.put(f"{api.widgets}/a", widget(resourceVersion="1"))
    assert answer.code in (404, 409)
    assert (await api.get(f"{api.widgets}/a")).code == 404


@case("U-04")
async def test_an_absent_lease_is_created_by_an_update(api: Api):
    path = f"/apis/coordination.k8s.io/v1/namespaces/{api.namespace}/leases/a"
    answer = await api.put(path, {"metadata": {"name": "a"}, "spec": {"holderIdentity": "me"}})
    assert (answer.code, answer.body["spec"]) == (201, {"holderIdentity": "me"})


@case("U-04", "E-05")
async def test_an_update_of_an_object_that_has_been_deleted_conflicts_for_its_uid(api: Api):
    for path, body in _kinds(api):
        made = await api.made(path, body)
        assert (await api.delete(f"{path}/a")).code == 200
        answer = await api.put(f"{path}/a", made)
        assert (answer.code, answer.body["reason"]) == (409, "Conflict"), path
        assert (await api.get(f"{path}/a")).code == 404


@case("U-04")
async def test_the_version_alone_does_not_keep_an_update_from_creating_what_has_been_deleted(api: Api):
    codes = []
    for path, body in _kinds(api):
        made = await api.made(path, body)
        assert (await api.delete(f"{path}/a")).code == 200
        del made["metadata"]["uid"]
        codes.append((await api.put(f"{path}/a", made)).code)
    assert codes == [201, 404, 404]


def _kinds(api: Api) -> list[tuple[str, dict[str, Any]]]:
    """A kind that updates may create, and two that they may not."""
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{api.namespace}/leases"
    lease = {"metadata": {"name": "a"}, "spec": {"holderIdentity": "me"}}
    return [(leases, lease), (api.config_maps, config_map()), (api.widgets, widget())]


@case("U-05", "U-06")
async def test_the_generation_counts_changes_of_the_spec_alone(api: Api):
    await api.made(api.widgets, widget())
    changes = (
        {"spec": {"replicas": 4}},
        {"metadata": {"labels": {"a": "b"}}},
        {"metadata": {"annotations": {"a": "b"}}},
        {"status": {"phase": "Ready"}},
        {"spec": {"text": "x"}},
    )
    answers = [await api.merge(f"{api.widgets}/a", change) for change in changes]
    assert [answer.body["metadata"]["generation"] for answer in answers] == [2, 2, 2, 2, 3]


@case("U-05")
async def test_the_generation_counts_a_status_that_is_no_subresource(api: Api):
    kind = await api.define()
    await api.made(kind.path(), kind.body())
    answer = await api.merge(f"{kind.path()}/a", {"status": {"phase": "Ready"}})
    assert answer.body["metadata"]["generation"] == 2


@case("U-05")
async def test_the_generation_counts_any_field_beside_the_spec(api: Api):
    kind = await api.define()
    await api.made(kind.path(), kind.body())
    answer = await api.merge(f"{kind.path()}/a", {"extra": 1})
    assert answer.body["metadata"]["generation"] == 2


@case("U-05")
async def test_a_client_cannot_set_the_generation(api: Api):
    await api.made(api.widgets, widget())
    answer = await api.merge(f"{api.widgets}/a", {"metadata": {"generation": 9}})
    assert answer.body["metadata"]["generation"] == 1


@case("U-06")
async def test_a_change_of_metadata_gives_a_new_version(api: Api):
    made = await api.made(api.widgets, widget())
    answer = await api.merge(f"{api.widgets}/a", {"metadata": {"labels": {"a": "b"}}})
    assert int(answer.version) > int(made["metadata"]["resourceVersion"])


@case("U-07")
async def test_the_beginning_of_a_deletion_counts_as_a_generation(api: Api):
    await api.made(api.widgets, widget(finalizers=[HOLD]))
    assert (await api.delete(f"{api.widgets}/a")).body["metadata"]["generation"] == 2


@case("U-08")
async def test_an_update_that_changes_nothing_keeps_the_version(api: Api):
    made = await api.made(api.widgets, widget(labels={"a": "b"}))
    answer = await api.put(f"{api.widgets}/a", made)
    assert (answer.code, answer.version) == (200, made["metadata"]["resourceVersion"])


@case("U-08")
async def test_an_update_to_what_defaults_make_of_it_changes_nothing(api: Api):
    made = await api.made(api.widgets, widget())
    del made["spec"]["mode"]
    assert (await api.put(f"{api.widgets}/a", made)).version == made["metadata"]["resourceVersion"]


@case("U-08")
async def test_an_update_with_pruned_fields_alone_changes_nothing(api: Api):
    made = await api.made(api.widgets, widget())
    made["spec"]["unknown"] = 1
    assert (await api.put(f"{api.widgets}/a", made)).version == made["metadata"]["resourceVersion"]


@case("U-08")
async def test_an_update_of_a_core_object_that_changes_nothing_keeps_the_version(api: Api):
    made = await api.made(api.config_maps, config_map(data={"a": "b"}))
    answer = await api.put(f"{api.config_maps}/a", config_map(data={"a": "b"}))
    assert answer.version == made["metadata"]["resourceVersion"]


@case(
    "U-09",
    rows={
        "uid": ("uid", None),
        "creationTimestamp": ("creationTimestamp", None),
        "another creationTimestamp": ("creationTimestamp", "2001-01-01T00:00:00Z"),
        "generation": ("generation", None),
        "another generation": ("generation", 9),
        "namespace": ("namespace", None),
    },
)
async def test_what_the_server_set_is_silently_restored(api: Api, field, value):
    made = await api.made(api.widgets, widget())
    sent = made | {"metadata": {name: part for name, part in made["metadata"].items() if name != field}}
    if value is not None:
        sent["metadata"][field] = value
    answer = await api.put(f"{api.widgets}/a", sent)
    assert answer.code == 200
    assert answer.body["metadata"][field] == made["metadata"][field]


@case("U-09")
async def test_a_deletion_cannot_be_begun_by_an_update(api: Api):
    made = await api.made(api.widgets, widget())
    made["metadata"]["deletionTimestamp"] = "2031-01-01T00:00:00Z"
    answer = await api.put(f"{api.widgets}/a", made)
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "metadata.deletionTimestamp")])


@case("U-09")
async def test_a_deletion_cannot_be_taken_back_by_an_update(api: Api):
    await api.made(api.widgets, widget(finalizers=[HOLD]))
    deleting = (await api.delete(f"{api.widgets}/a")).body
    sent = deleting | {"metadata": {k: v for k, v in deleting["metadata"].items() if not k.startswith("deletion")}}
    answer = await api.put(f"{api.widgets}/a", sent)
    assert answer.body["metadata"]["deletionTimestamp"] == deleting["metadata"]["deletionTimestamp"]
    assert answer.body["metadata"]["deletionGracePeriodSeconds"] == 0


@case("U-10")
async def test_no_finalizer_can_be_added_while_an_object_is_deleted(api: Api):
    await api.made(api.widgets, widget(finalizers=[HOLD]))
    await api.delete(f"{api.widgets}/a")
    answer = await api.merge(f"{api.widgets}/a", {"metadata": {"finalizers": [HOLD, "conformance.dev/more"]}})
    assert (answer.code, answer.causes) == (422, [("FieldValueForbidden", "metadata.finalizers")])


@case("U-10")
async def test_other_fields_may_change_while_an_object_is_deleted(api: Api):
    await api.made(api.widgets, widget(finalizers=[HOLD]))
    await api.delete(f"{api.widgets}/a")
    answer = await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 5}})
    assert (answer.code, answer.body["metadata"]["generation"]) == (200, 3)


@case("U-11")
async def test_annotations_may_not_grow_beyond_their_limit(api: Api):
    await api.made(api.widgets, widget(annotations={"a": "x"}))
    answer = await api.merge(f"{api.widgets}/a", {"metadata": {"annotations": {"b": "x" * 262_144}}})
    assert (answer.code, answer.causes) == (422, [("FieldValueTooLong", "metadata.annotations")])


@case("U-09")
async def test_the_data_of_an_immutable_config_map_stay(api: Api):
    await api.made(api.config_maps, config_map(data={"a": "b"}) | {"immutable": True})
    answer = await api.merge(f"{api.config_maps}/a", {"data": {"a": "c"}})
    assert (answer.code, answer.causes) == (422, [("FieldValueForbidden", "data")])


@case("U-09")
async def test_an_immutable_config_map_stays_immutable(api: Api):
    await api.made(api.config_maps, config_map(data={"a": "b"}) | {"immutable": True})
    answer = await api.merge(f"{api.config_maps}/a", {"immutable": False})
    assert (answer.code, answer.causes) == (422, [("FieldValueForbidden", "immutable")])


@case("U-09")
async def test_the_labels_of_an_immutable_config_map_may_change(api: Api):
    await api.made(api.config_maps, config_map(data={"a": "b"}) | {"immutable": True})
    assert (await api.merge(f"{api.config_maps}/a", {"metadata": {"labels": {"a": "b"}}})).code == 200


@case("U-09")
async def test_the_type_of_a_secret_is_immutable(api: Api):
    await api.made(api.core("secrets"), {"metadata": {"name": "a"}})
    answer = await api.merge(f"{api.core('secrets')}/a", {"type": "other.dev/type"})
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "type")])


@case("U-09")
async def test_the_containers_of_a_pod_are_immutable(api: Api):
    await api.made(api.core("pods"), pod())
    answer = await api.json_patch(
        f"{api.core('pods')}/a",
        {"op": "add", "path": "/spec/containers/-", "value": {"name": "two", "image": "two"}},
    )
    assert (answer.code, answer.causes) == (422, [("FieldValueForbidden", "spec.containers")])


@case("U-09")
async def test_the_spec_of_a_pod_is_immutable(api: Api):
    await api.made(api.core("pods"), pod())
    answer = await api.merge(f"{api.core('pods')}/a", {"spec": {"restartPolicy": "Never"}})
    assert (answer.code, answer.causes) == (422, [("FieldValueForbidden", "spec")])


@case("U-09")
async def test_the_image_of_a_container_may_change(api: Api):
    await api.made(api.core("pods"), pod())
    answer = await api.json_patch(
        f"{api.core('pods')}/a", {"op": "replace", "path": "/spec/containers/0/image", "value": "two"}
    )
    assert (answer.code, answer.body["spec"]["containers"][0]["image"]) == (200, "two")


@case("U-09")
async def test_the_selector_of_a_deployment_is_immutable(api: Api):
    path = f"/apis/apps/v1/namespaces/{api.namespace}/deployments"
    template = {"metadata": {"labels": {"a": "b", "c": "d"}}, "spec": pod()["spec"]}
    body = {"metadata": {"name": "a"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}
    await api.made(path, body | {"spec": body["spec"] | {"replicas": 0}})
    answer = await api.merge(f"{path}/a", {"spec": {"selector": {"matchLabels": {"c": "d"}}}})
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "spec.selector")])


@case("U-09")
async def test_the_template_of_a_job_is_immutable(api: Api):
    path = f"/apis/batch/v1/namespaces/{api.namespace}/jobs"
    template = {"spec": pod()["spec"] | {"restartPolicy": "Never"}}
    await api.made(path, {"metadata": {"name": "a"}, "spec": {"template": template, "parallelism": 0}})
    change = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "two"}
    answer = await api.json_patch(f"{path}/a", change)
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "spec.template")])


@case("U-08", "W-16")
async def test_a_write_that_changes_nothing_is_not_seen_by_a_watch(api: Api):
    made = await api.made(api.widgets, widget())
    async with api.watch(api.widgets, resourceVersion=made["metadata"]["resourceVersion"]) as watch:
        await api.put(f"{api.widgets}/a", made)
        await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 3}})
        await api.made(api.widgets, widget("sentinel"))
        assert await watch.seen(1) == [("ADDED", "sentinel")]


@case("U-06")
async def test_what_was_written_is_what_is_read(api: Api):
    made = await api.made(api.widgets, widget(labels={"a": "b"}))
    made["spec"] = {"replicas": 1, "plain": ["x", "y"], "map": {"k": "v"}}
    made["metadata"]["labels"] = {"c": "d"}
    written = (await api.put(f"{api.widgets}/a", made)).body
    assert written["spec"] == made["spec"] | {"mode": "fast"}
    assert (await api.get(f"{api.widgets}/a")).body == written


@case("U-03")
async def test_of_two_updates_of_one_version_the_second_is_refused(api: Api):
    made = await api.made(api.config_maps, config_map())
    first = await api.put(f"{api.config_maps}/a", made | {"data": {"a": "1"}})
    second = await api.put(f"{api.config_maps}/a", made | {"data": {"a": "2"}})
    assert (first.code, second.code) == (200, 409)
    assert stable((await api.get(f"{api.config_maps}/a")).body)["data"] == {"a": "1"}


@case("E-07", rows={"text": ("abc",), "a negative number": ("-1",)})
async def test_a_version_that_is_no_number_is_refused_or_in_conflict(api: Api, version):
    made = await api.made(api.widgets, widget())
    made["metadata"]["resourceVersion"] = version
    answer = await api.put(f"{api.widgets}/a", made | {"spec": {"replicas": 9}})
    assert answer.code in api.since(21, (400, 409, 422), (500,))
    assert (await api.get(f"{api.widgets}/a")).body["spec"]["replicas"] == 3
