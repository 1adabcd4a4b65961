"""Dry runs and the validation of fields."""

from typing import Any

from conformance.harness import Api, case, config_map, names, stable, widget


@case("F-01")
async def test_a_dry_create_answers_as_if_and_stores_nothing(api: Api):
    answer = await api.create(api.widgets, widget(), dryRun="All")
    assert answer.code == 201
    assert answer.body["spec"] == {"replicas": 3, "mode": "fast"}
    assert answer.body["metadata"]["uid"]
    assert not answer.body["metadata"].get("resourceVersion")
    assert names(await api.get(api.widgets)) == []


@case("F-01")
async def test_a_dry_update_answers_as_if_and_stores_nothing(api: Api):
    made = await api.made(api.widgets, widget())
    answer = await api.put(f"{api.widgets}/a", made | {"spec": {"replicas": 9}}, dryRun="All")
    assert (answer.code, answer.body["spec"]["replicas"], answer.body["metadata"]["generation"]) == (200, 9, 2)
    assert answer.version == made["metadata"]["resourceVersion"]
    assert (await api.get(f"{api.widgets}/a")).body == made


@case("F-01")
async def test_a_dry_patch_answers_as_if_and_stores_nothing(api: Api):
    made = await api.made(api.widgets, widget())
    answer = await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 9}}, dryRun="All")
    assert (answer.code, answer.body["spec"]["replicas"]) == (200, 9)
    assert (await api.get(f"{api.widgets}/a")).body == made


@case("F-01")
async def test_a_dry_apply_answers_as_if_and_stores_nothing(api: Api):
    answer = await api.apply(f"{api.widgets}/a", widget(), dryRun="All")
    assert (answer.code, answer.body["spec"]["replicas"]) == (201, 3)
    assert (await api.get(f"{api.widgets}/a")).code == 404


@case("F-01", rows={"in the query": ({}, {"dryRun": "All"}), "in the body": ({"dryRun": ["All"]}, {})})
async def test_a_dry_deletion_deletes_nothing(api: Api, options, query):
    made = await api.made(api.widgets, widget())
    answer = await api.delete(f"{api.widgets}/a", options or None, **query)
    assert answer.code == 200
    assert (await api.get(f"{api.widgets}/a")).body == made


@case("F-01")
async def test_a_dry_deletion_of_a_held_object_marks_nothing(api: Api):
    made = await api.made(api.widgets, widget(finalizers=["conformance.dev/hold"]))
    assert (await api.delete(f"{api.widgets}/a", dryRun="All")).code == 200
    assert (await api.get(f"{api.widgets}/a")).body == made


@case("F-01")
async def test_a_dry_deletion_of_a_collection_deletes_nothing(api: Api):
    await api.made(api.widgets, widget("a"))
    await api.made(api.widgets, widget("b"))
    assert (await api.delete(api.widgets, dryRun="All")).code == 200
    assert names(await api.get(api.widgets)) == ["a", "b"]


@case("F-01")
async def test_a_dry_write_of_the_status_stores_nothing(api: Api):
    made = await api.made(api.widgets, widget())
    answer = await api.merge(f"{api.widgets}/a/status", {"status": {"phase": "Ready"}}, dryRun="All")
    assert answer.body["status"] == {"phase": "Ready"}
    assert (await api.get(f"{api.widgets}/a")).body == made


@case("F-01")
async def test_a_dry_scaling_stores_nothing(api: Api):
    made = await api.made(api.widgets, widget())
    answer = await api.merge(f"{api.widgets}/a/scale", {"spec": {"replicas": 9}}, dryRun="All")
    assert answer.body["spec"] == {"replicas": 9}
    assert (await api.get(f"{api.widgets}/a")).body == made


@case("F-01")
async def test_a_dry_run_is_validated(api: Api):
    answer = await api.create(api.widgets, widget(spec={"replicas": 11}), dryRun="All")
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "spec.replicas")])


@case("F-01")
async def test_a_dry_create_of_what_exists_is_refused(api: Api):
    await api.made(api.widgets, widget())
    assert (await api.create(api.widgets, widget(), dryRun="All")).refusal["reason"] == "AlreadyExists"


@case("F-01")
async def test_a_dry_update_of_an_older_version_is_a_conflict(api: Api):
    made = await api.made(api.widgets, widget())
    await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 4}})
    assert (await api.put(f"{api.widgets}/a", made, dryRun="All")).refusal["reason"] == "Conflict"


@case("F-01")
async def test_a_dry_run_of_a_core_object_stores_nothing(api: Api):
    answer = await api.create(api.config_maps, config_map(data={"a": "b"}), dryRun="All")
    assert stable(answer.body) == config_map(data={"a": "b"})
    assert (await api.get(f"{api.config_maps}/a")).code == 404


@case("F-01")
async def test_a_dry_definition_serves_nothing(api: Api):
    kind = await api.define()
    second = kind.definition | {"metadata": {"name": f"dry.{kind.group}"}}
    second["spec"] = kind.definition["spec"] | {"names": {"plural": "dry", "kind": "Dry"}}
    answer = await api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", second, dryRun="All")
    assert answer.code == 201, answer.body
    assert (await api.get(f"/apis/{kind.group}/v1/dry")).code == 404


@case("F-01", rows={"create": ("POST",), "update": ("PUT",), "delete": ("DELETE",)})
async def test_an_unknown_dry_run_is_invalid(api: Api, method):
    made = await api.made(api.widgets, widget())
    path = api.widgets if method == "POST" else f"{api.widgets}/a"
    answer = await api.request(method, path, None if method == "DELETE" else made, query={"dryRun": "Some"})
    assert (answer.code, answer.causes) == (422, [("FieldValueNotSupported", "dryRun")])


@case("F-02")
async def test_strict_validation_refuses_unknown_fields(api: Api):
    answer = await api.create(api.widgets, widget(spec={"replicas": 3, "odd": 1}), fieldValidation="Strict")
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case("F-02")
async def test_strict_validation_refuses_fields_that_stand_twice(api: Api):
    raw = b'{"apiVersion":"conformance.dev/v1","kind":"Widget","metadata":{"name":"a"},"spec":{"text":"x","text":"y"}}'
    answer = await api.create(api.widgets, raw, fieldValidation="Strict")
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case("F-02")
async def test_fields_that_stand_twice_are_warned_of(api: Api):
    raw = b'{"apiVersion":"conformance.dev/v1","kind":"Widget","metadata":{"name":"a"},"spec":{"text":"x","text":"y"}}'
    answer = await api.create(api.widgets, raw, fieldValidation="Warn")
    assert answer.body["spec"]["text"] == "y"
    assert "duplicate field" in answer.headers["Warning"]


@case("F-02", rows={"a custom kind": (widget,), "a built-in kind": (config_map,)})
async def test_unknown_metadata_are_found(api: Api, body: Any):
    path = api.widgets if body is widget else api.config_maps
    answer = await api.create(path, body(odd="x"), fieldValidation="Strict")
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}
    answer = await api.create(path, body(odd="x"), fieldValidation="Warn")
    assert answer.code == 201
    assert 'unknown field \\"metadata.odd\\"' in answer.headers["Warning"]


@case("F-02")
async def test_unknown_fields_are_warned_of(api: Api):
    answer = await api.create(api.widgets, widget(spec={"replicas": 3, "odd": 1}), fieldValidation="Warn")
    assert answer.code == 201
    assert 'unknown field \\"spec.odd\\"' in answer.headers["Warning"]


@case("F-02")
async def test_unknown_fields_are_ignored_on_request(api: Api):
    answer = await api.create(api.widgets, widget(spec={"replicas": 3, "odd": 1}), fieldValidation="Ignore")
    assert answer.code == 201
    assert "Warning" not in answer.headers


@case("F-02")
async def test_an_unknown_validation_is_invalid(api: Api):
    answer = await api.create(api.widgets, widget(), fieldValidation="Odd")
    assert (answer.code, answer.causes) == (422, [("FieldValueNotSupported", "fieldValidation")])


@case("F-02")
async def test_a_complete_object_passes_strict_validation(api: Api):
    spec = {"replicas": 3, "items": [{"name": "a", "inner": {"a": "b"}}], "map": {"any": "key"}}
    assert (await api.create(api.widgets, widget(spec=spec), fieldValidation="Strict")).code == 201
