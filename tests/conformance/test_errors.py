"""Refusals: code, reason and details of the Status that a client decides by."""

from conformance.harness import PATCHES, Api, case, config_map, widget

GONE = {"group": "conformance.dev", "kind": "widgets", "name": "a"}


@case("E-01")
async def test_an_absent_custom_object_is_not_found_under_its_plural(api: Api):
    answer = await api.get(f"{api.widgets}/a")
    assert answer.refusal == {"code": 404, "reason": "NotFound", "details": GONE}


@case("E-01")
async def test_an_absent_core_object_is_not_found_without_a_group(api: Api):
    answer = await api.get(f"{api.config_maps}/a")
    assert answer.refusal == {"code": 404, "reason": "NotFound", "details": {"kind": "configmaps", "name": "a"}}


@case("E-01")
async def test_a_status_document_has_the_form_of_every_refusal(api: Api):
    body = (await api.get(f"{api.widgets}/a")).body
    assert {name: body[name] for name in ("kind", "apiVersion", "metadata", "status", "code")} == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "code": 404,
    }


@case(
    "E-02",
    rows={
        "group": ("/apis/absent.dev/v1/widgets",),
        "version": ("/apis/conformance.dev/v9/widgets",),
        "kind": ("/apis/conformance.dev/v1/absent",),
        "core kind": ("/api/v1/absent",),
        "path": ("/absent",),
        "group document": ("/apis/absent.dev",),
        "version document": ("/apis/conformance.dev/v9",),
    },
)
async def test_what_is_not_served_is_not_found(api: Api, path):
    assert (await api.get(path)).code == 404


@case("E-02")
async def test_a_cluster_scoped_kind_is_not_found_in_a_namespace(api: Api):
    path = f"/apis/apiextensions.k8s.io/v1/namespaces/{api.namespace}/customresourcedefinitions"
    assert (await api.get(path)).code == 404


@case("E-02")
async def test_a_namespaced_object_is_not_found_outside_its_namespace(api: Api):
    await api.made(api.widgets, widget())
    assert (await api.get("/apis/conformance.dev/v1/widgets/a")).code == 404


@case("E-02", "SS-03")
async def test_an_unknown_subresource_is_not_found(api: Api):
    await api.made(api.widgets, widget())
    assert (await api.get(f"{api.widgets}/a/absent")).code == 404


@case("E-03")
async def test_creating_what_exists_is_refused(api: Api):
    await api.made(api.widgets, widget())
    answer = await api.create(api.widgets, widget())
    assert answer.refusal == {"code": 409, "reason": "AlreadyExists", "details": GONE}


@case("E-03", "D-09")
async def test_creating_what_is_being_deleted_is_refused(api: Api):
    await api.made(api.widgets, widget(finalizers=["conformance.dev/hold"]))
    await api.delete(f"{api.widgets}/a")
    answer = await api.create(api.widgets, widget())
    assert answer.refusal == {"code": 409, "reason": "AlreadyExists", "details": GONE}


@case("E-04", "U-03")
async def test_an_update_of_an_older_version_is_a_conflict(api: Api):
    made = await api.made(api.widgets, widget())
    await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 4}})
    answer = await api.put(f"{api.widgets}/a", made)
    assert answer.refusal == {"code": 409, "reason": "Conflict", "details": GONE}


@case("E-05")
async def test_an_update_with_another_uid_is_a_conflict(api: Api):
    made = await api.made(api.widgets, widget())
    made["metadata"]["uid"] = "00000000-0000-4000-8000-000000000000"
    answer = await api.put(f"{api.widgets}/a", made)
    assert answer.refusal == {"code": 409, "reason": "Conflict", "details": GONE}


@case("E-06")
async def test_an_invalid_custom_object_is_named_by_its_kind_with_one_cause_a_fault(api: Api):
    answer = await api.create(api.widgets, widget(spec={"replicas": 11, "mode": "odd"}))
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    details = answer.body["details"]
    assert (details["name"], details["group"], details["kind"]) == ("a", "conformance.dev", "Widget")
    assert answer.causes == [("FieldValueNotSupported", "spec.mode"), ("FieldValueInvalid", "spec.replicas")]


@case("E-06")
async def test_an_invalid_core_object_is_named_by_its_kind_without_a_group(api: Api):
    answer = await api.create(api.config_maps, config_map("Not A Name"))
    assert answer.refusal == {
        "code": 422,
        "reason": "Invalid",
        "details": {
            "name": "Not A Name",
            "kind": "ConfigMap",
            "causes": [{"reason": "FieldValueInvalid", "field": "metadata.name"}],
        },
    }


@case("E-06")
async def test_an_object_without_any_name_is_invalid(api: Api):
    answer = await api.create(api.config_maps, {"metadata": {}})
    assert (answer.code, answer.causes) == (422, [("FieldValueRequired", "metadata.name")])


@case(
    "E-07",
    rows={
        "broken JSON": (b'{"kind": ',),
        "an array": (b"[]",),
        "a string": (b'"text"',),
        "a number": (b"17",),
        "nothing": (b"",),
    },
)
async def test_a_custom_body_that_is_no_object_is_a_bad_request(api: Api, body):
    answer = await api.create(api.widgets, body)
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case(
    "E-07",
    rows={
        "broken JSON": (b'{"kind": ',),
        "an array": (b"[]",),
        "labels that are a list": (b'{"metadata":{"name":"a","labels":[]}}',),
        "data that are numbers": (b'{"metadata":{"name":"a"},"data":{"a":1}}',),
        "a name that is a number": (b'{"metadata":{"name":1}}',),
    },
)
async def test_a_core_body_that_cannot_be_decoded_is_a_bad_request(api: Api, body):
    answer = await api.create(api.config_maps, body)
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case("E-07")
async def test_another_name_than_that_of_the_path_is_a_bad_request(api: Api):
    made = await api.made(api.widgets, widget())
    made["metadata"]["name"] = "b"
    assert (await api.put(f"{api.widgets}/a", made)).refusal == {"code": 400, "reason": "BadRequest"}


@case("E-07")
async def test_another_namespace_than_that_of_the_path_is_a_bad_request_when_creating(api: Api):
    answer = await api.create(api.widgets, widget(namespace="default"))
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case("E-07")
async def test_another_namespace_than_that_of_the_path_is_a_bad_request_when_updating(api: Api):
    made = await api.made(api.widgets, widget())
    made["metadata"]["namespace"] = "default"
    assert (await api.put(f"{api.widgets}/a", made)).refusal == {"code": 400, "reason": "BadRequest"}


@case("E-07", "CR-04")
async def test_another_kind_than_that_of_the_path_is_a_bad_request_for_a_core_path(api: Api):
    answer = await api.create(api.config_maps, config_map() | {"kind": "Secret"})
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case("E-07", "CR-04")
async def test_another_kind_than_that_of_the_path_is_invalid_for_a_custom_path(api: Api):
    answer = await api.create(api.widgets, widget() | {"kind": "Gadget"})
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "kind")])


@case("CR-04")
async def test_another_version_than_that_of_the_path_is_a_bad_request(api: Api):
    answer = await api.create(api.widgets, widget() | {"apiVersion": "conformance.dev/v2"})
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case("CR-04")
async def test_a_custom_object_without_a_kind_is_a_bad_request(api: Api):
    body = widget()
    del body["kind"]
    assert (await api.create(api.widgets, body)).refusal == {"code": 400, "reason": "BadRequest"}


@case("CR-04")
async def test_a_core_object_may_leave_out_its_kind_and_version(api: Api):
    made = await api.made(api.config_maps, {"metadata": {"name": "a"}})
    assert (made["kind"], made["apiVersion"]) == ("ConfigMap", "v1")


@case("E-08", "A-01")
async def test_a_wrong_token_is_unauthorized(api: Api):
    answer = await api.request("GET", api.widgets, headers={"Authorization": "Bearer wrong"})
    assert answer.refusal == {"code": 401, "reason": "Unauthorized"}


@case(
    "E-11",
    rows={
        "POST to an object": ("POST", "/a"),
        "PUT to a collection": ("PUT", ""),
        "PATCH of a collection": ("PATCH", ""),
        "DELETE of a subresource": ("DELETE", "/a/status"),
    },
)
async def test_a_verb_that_a_core_path_does_not_know_is_not_allowed(api: Api, method, suffix):
    content_type = PATCHES["merge"] if method == "PATCH" else "application/json"
    answer = await api.request(method, api.core("pods") + suffix, {}, content_type=content_type)
    assert answer.refusal == {"code": 405, "reason": "MethodNotAllowed"}


@case("E-11")
async def test_a_subresource_of_a_custom_object_cannot_be_deleted(api: Api):
    await api.made(api.widgets, widget())
    answer = await api.delete(f"{api.widgets}/a/status")
    assert answer.refusal["code"] == 405
    assert (await api.get(f"{api.widgets}/a")).code == 200


@case("E-11", rows={"PUT": ("PUT", "application/json"), "PATCH": ("PATCH", PATCHES["merge"])})
async def test_writing_to_a_collection_of_a_custom_kind_lacks_a_name(api: Api, method, content_type):
    answer = await api.request(method, api.widgets, widget(), content_type=content_type)
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case("E-12", rows={"text": ("text/plain",), "a form": ("application/x-www-form-urlencoded",)})
async def test_a_body_of_an_unknown_media_type_is_refused(api: Api, content_type):
    answer = await api.request("POST", api.widgets, widget(), content_type=content_type)
    assert answer.refusal == {"code": 415, "reason": "UnsupportedMediaType"}


@case("E-12", "P-01")
async def test_a_patch_of_an_unknown_media_type_is_refused(api: Api):
    await api.made(api.widgets, widget())
    answer = await api.request("PATCH", f"{api.widgets}/a", {}, content_type="application/json")
    assert answer.refusal == {"code": 415, "reason": "UnsupportedMediaType"}


@case("E-13")
async def test_an_answer_in_an_unknown_media_type_cannot_be_had(api: Api):
    answer = await api.request("GET", api.widgets, headers={"Accept": "text/csv"})
    assert answer.refusal == {"code": 406, "reason": "NotAcceptable"}


@case("E-14")
async def test_a_body_of_more_than_three_mebibytes_is_too_large(api: Api):
    body = config_map("a", {"a": "x" * (3 * 1024 * 1024)})
    assert (await api.create(api.config_maps, body)).refusal == {"code": 413, "reason": "RequestEntityTooLarge"}


@case("E-14")
async def test_a_json_patch_of_more_than_ten_thousand_operations_is_too_large(api: Api):
    await api.made(api.config_maps, config_map())
    operation = {"op": "test", "path": "/kind", "value": "ConfigMap"}
    answer = await api.json_patch(f"{api.config_maps}/a", *[operation] * 10_001)
    assert answer.refusal == {"code": 413, "reason": "RequestEntityTooLarge"}


@case("E-12")
async def test_yaml_is_taken_as_well_as_json(api: Api):
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {b: c}\n"
    answer = await api.request("POST", api.config_maps, body, content_type="application/yaml")
    assert (answer.code, answer.body["data"]) == (201, {"b": "c"})
