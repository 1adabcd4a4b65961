"""Creating: what the server sets, what it drops, what it refuses."""

import re

from conformance.harness import Api, case, config_map, pod, stable, widget

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@case("CR-01")
async def test_a_created_object_gets_its_identity(api: Api):
    metadata = (await api.made(api.widgets, widget()))["metadata"]
    assert re.fullmatch(UUID, metadata["uid"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["creationTimestamp"])
    assert (metadata["generation"], metadata["namespace"], metadata["name"]) == (1, api.namespace, "a")


@case("U-01")
async def test_a_resource_version_is_a_positive_decimal_that_grows(api: Api):
    first = (await api.made(api.widgets, widget("a")))["metadata"]["resourceVersion"]
    second = (await api.made(api.config_maps, config_map("b")))["metadata"]["resourceVersion"]
    assert re.fullmatch(r"[1-9][0-9]*", first)
    assert int(first) < int(second)


@case("CR-01")
async def test_the_answer_to_a_create_is_what_a_get_returns(api: Api):
    made = await api.made(api.widgets, widget(labels={"a": "b"}, annotations={"c": "d"}))
    assert (await api.get(f"{api.widgets}/a")).body == made


@case("CR-01")
async def test_a_status_is_dropped_where_it_is_a_subresource(api: Api):
    made = await api.made(api.widgets, widget() | {"status": {"phase": "Ready"}})
    assert "status" not in made


@case("CR-01")
async def test_a_status_is_kept_where_it_is_no_subresource(api: Api):
    kind = await api.define()
    made = await api.made(kind.path(), kind.body(status={"phase": "Ready"}))
    assert made["status"] == {"phase": "Ready"}


@case("CR-02")
async def test_a_resource_version_may_not_be_set(api: Api):
    answer = await api.create(api.widgets, widget(resourceVersion="1"))
    assert answer.code == 500


@case("CR-03")
async def test_a_generated_name_is_the_base_and_five_characters(api: Api):
    body = widget(generateName="base-")
    del body["metadata"]["name"]
    metadata = (await api.made(api.widgets, body))["metadata"]
    assert re.fullmatch(r"base-[bcdfghjklmnpqrstvwxz2456789]{5}", metadata["name"])
    assert metadata["generateName"] == "base-"


@case("CR-03")
async def test_a_long_base_of_a_name_is_cut(api: Api):
    body = config_map(generateName="x" * 70)
    del body["metadata"]["name"]
    name = (await api.made(api.config_maps, body))["metadata"]["name"]
    assert re.fullmatch(r"x{58}[bcdfghjklmnpqrstvwxz2456789]{5}", name)


@case("CR-03")
async def test_a_name_wins_over_a_base(api: Api):
    assert (await api.made(api.widgets, widget("named", generateName="base-")))["metadata"]["name"] == "named"


@case("CR-04")
async def test_an_owner_named_twice_is_kept_once_with_a_warning(api: Api):
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "11111111-0000-4000-8000-000000000000"}
    answer = await api.create(api.widgets, widget(ownerReferences=[owner, owner], finalizers=["a.dev/hold"]))
    assert answer.body["metadata"]["ownerReferences"] == [owner]
    assert answer.headers["Warning"].startswith("299 ")


@case("CR-05")
async def test_an_absent_namespace_is_named(api: Api):
    answer = await api.create("/apis/conformance.dev/v1/namespaces/absent/widgets", widget())
    details = {"kind": "namespaces", "name": "absent"}
    assert answer.refusal == {"code": 404, "reason": "NotFound", "details": details}


@case("CR-06")
async def test_what_only_the_server_sets_is_cleared(api: Api):
    sent = widget(
        uid="11111111-0000-4000-8000-000000000000",
        creationTimestamp="2001-01-01T00:00:00Z",
        deletionTimestamp="2001-01-01T00:00:00Z",
        deletionGracePeriodSeconds=30,
        selfLink="/there",
        generation=7,
    )
    metadata = (await api.made(api.widgets, sent))["metadata"]
    assert metadata["uid"] != sent["metadata"]["uid"]
    assert metadata["creationTimestamp"] > "2002"
    assert metadata["generation"] == 1
    assert not {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"} & metadata.keys()


@case("CR-01")
async def test_a_name_may_be_a_subdomain(api: Api):
    assert (await api.create(api.config_maps, config_map("a.b-c.1"))).code == 201


@case(
    "E-06",
    rows={
        "upper case": ("Upper",),
        "an underscore": ("a_b",),
        "a leading dash": ("-a",),
        "a trailing dot": ("a.",),
        "254 characters": ("a" * 254,),
    },
)
async def test_a_name_that_is_no_subdomain_is_invalid(api: Api, name):
    for path, body in ((api.config_maps, config_map(name)), (api.widgets, widget(name))):
        answer = await api.create(path, body)
        assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "metadata.name")])


@case(
    "E-06",
    rows={
        "key": ({"a b": "c"}, "metadata.labels"),
        "prefix": ({"UPPER_/a": "c"}, "metadata.labels"),
        "value": ({"a": "b c"}, "metadata.labels"),
        "long value": ({"a": "b" * 64}, "metadata.labels"),
    },
)
async def test_an_odd_label_is_invalid(api: Api, labels, field):
    answer = await api.create(api.widgets, widget(labels=labels))
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", field)])


@case("E-06")
async def test_an_odd_annotation_key_is_invalid(api: Api):
    answer = await api.create(api.widgets, widget(annotations={"a b": "c"}))
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "metadata.annotations")])


@case("U-11")
async def test_annotations_have_a_limit_together(api: Api):
    answer = await api.create(api.widgets, widget(annotations={"a": "x" * 131_072, "b": "x" * 131_072}))
    assert (answer.code, answer.causes) == (422, [("FieldValueTooLong", "metadata.annotations")])


@case("U-11")
async def test_annotations_just_within_the_limit_are_fine(api: Api):
    assert (await api.create(api.widgets, widget(annotations={"a": "x" * 262_143}))).code == 201


@case("U-11", rows={"a blank": ("a b/c",), "an odd name": ("a.dev/c d",), "nothing": ("",)})
async def test_a_finalizer_must_be_a_qualified_name(api: Api, finalizer):
    answer = await api.create(api.widgets, widget(finalizers=[finalizer]))
    assert answer.code == 422
    assert {field for _, field in answer.causes} <= {"metadata.finalizers", "metadata.finalizers[0]"}


@case("U-11")
async def test_a_finalizer_without_a_domain_is_refused_for_core_kinds(api: Api):
    answer = await api.create(api.config_maps, config_map(finalizers=["hold"]))
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "metadata.finalizers[0]")])


def _owner(**fields):
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "1-2-3"} | fields


@case(
    "U-11",
    rows={
        "no version": ({"apiVersion": ""}, "apiVersion"),
        "no kind": ({"kind": ""}, "kind"),
        "no name": ({"name": ""}, "name"),
        "no uid": ({"uid": ""}, "uid"),
    },
)
async def test_an_owner_must_be_complete(api: Api, change, field):
    answer = await api.create(api.widgets, widget(ownerReferences=[_owner(**change)]))
    assert answer.code == 422
    assert answer.causes[-1] == ("FieldValueInvalid", f"metadata.ownerReferences.{field}") or answer.causes[-1] == (
        "FieldValueInvalid",
        f"metadata.ownerReferences[0].{field}",
    )


@case("U-11")
async def test_at_most_one_owner_may_be_the_controller(api: Api):
    owners = [_owner(uid="1-2-3", controller=True), _owner(uid="1-2-4", controller=True)]
    answer = await api.create(api.widgets, widget(ownerReferences=owners))
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "metadata.ownerReferences")])


@case("CR-01")
async def test_core_objects_without_generation_have_none(api: Api):
    assert "generation" not in (await api.made(api.config_maps, config_map()))["metadata"]


@case("CR-01")
async def test_a_config_map_keeps_its_data_and_nothing_is_added(api: Api):
    made = await api.made(api.config_maps, config_map(data={"a": "b"}))
    assert stable(made) == config_map(data={"a": "b"})


@case("CR-01")
async def test_a_secret_takes_plain_strings_and_is_opaque_by_default(api: Api):
    body = {"metadata": {"name": "a"}, "data": {"x": "eQ=="}, "stringData": {"pin": "1234"}}
    made = await api.made(api.core("secrets"), body)
    assert made["data"] == {"x": "eQ==", "pin": "MTIzNA=="}
    assert made["type"] == "Opaque"
    assert "stringData" not in made


@case("E-07")
async def test_a_secret_whose_data_are_no_base64_is_a_bad_request(api: Api):
    answer = await api.create(api.core("secrets"), {"metadata": {"name": "a"}, "data": {"x": "%"}})
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case("E-06", rows={"a blank": ("a b",), "dots": ("..",)})
async def test_a_key_of_a_config_map_must_be_a_file_name(api: Api, key):
    answer = await api.create(api.config_maps, config_map(data={key: "x"}))
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", f"data[{key}]")])


@case("CR-01")
async def test_a_pod_begins_pending(api: Api):
    made = await api.made(api.core("pods"), pod())
    assert made["status"]["phase"] == "Pending"
    assert made["spec"]["restartPolicy"] == "Always"


@case("E-06")
async def test_a_pod_needs_containers(api: Api):
    answer = await api.create(api.core("pods"), {"metadata": {"name": "a"}, "spec": {}})
    assert (answer.code, answer.causes) == (422, [("FieldValueRequired", "spec.containers")])


@case("E-06")
async def test_a_container_needs_a_name_and_an_image(api: Api):
    answer = await api.create(api.core("pods"), pod("a", {}))
    assert answer.code == 422
    assert ("FieldValueRequired", "spec.containers[0].name") in answer.causes
    assert ("FieldValueRequired", "spec.containers[0].image") in answer.causes


@case("E-06")
async def test_a_deployment_needs_a_selector_that_its_template_matches(api: Api):
    body = {
        "metadata": {"name": "a"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "c"}}}},
    }
    body["spec"]["template"]["spec"] = pod()["spec"]
    answer = await api.create(f"/apis/apps/v1/namespaces/{api.namespace}/deployments", body)
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "spec.template.metadata.labels")])


@case("CR-01")
async def test_a_deployment_has_one_replica_by_default_and_a_generation(api: Api):
    body = {
        "metadata": {"name": "a"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}}},
    }
    body["spec"]["template"]["spec"] = pod()["spec"]
    made = await api.made(f"/apis/apps/v1/namespaces/{api.namespace}/deployments", body)
    assert made["spec"]["replicas"] == 1
    assert made["metadata"]["generation"] == 1
    assert made["status"] == {}


@case("CR-01")
async def test_a_job_is_given_its_counts(api: Api):
    template = {"spec": pod()["spec"] | {"restartPolicy": "Never"}}
    body = {"metadata": {"name": "a"}, "spec": {"template": template}}
    spec = (await api.made(f"/apis/batch/v1/namespaces/{api.namespace}/jobs", body))["spec"]
    assert (spec["parallelism"], spec["completions"], spec["backoffLimit"]) == (1, 1, 6)


@case("E-06")
async def test_a_job_may_not_always_restart_its_pod(api: Api):
    body = {"metadata": {"name": "a"}, "spec": {"template": {"spec": pod()["spec"]}}}
    answer = await api.create(f"/apis/batch/v1/namespaces/{api.namespace}/jobs", body)
    assert (answer.code, answer.causes) == (422, [("FieldValueRequired", "spec.template.spec.restartPolicy")])
