"""JSON patches and merge patches."""

from conformance.harness import Api, case, config_map, widget

SPEC = {"replicas": 3, "plain": ["x", "y"], "map": {"k": "v"}, "mode": "fast"}


@case(
    "P-02",
    rows={
        "add a field": ([("add", "/spec/text", "t")], SPEC | {"text": "t"}),
        "add over a field": ([("add", "/spec/replicas", 4)], SPEC | {"replicas": 4}),
        "add an item": ([("add", "/spec/plain/1", "z")], SPEC | {"plain": ["x", "z", "y"]}),
        "append an item": ([("add", "/spec/plain/-", "z")], SPEC | {"plain": ["x", "y", "z"]}),
        "remove a field": ([("remove", "/spec/map", None)], {k: v for k, v in SPEC.items() if k != "map"}),
        "remove an item": ([("remove", "/spec/plain/0", None)], SPEC | {"plain": ["y"]}),
        "replace an item": ([("replace", "/spec/plain/1", "z")], SPEC | {"plain": ["x", "z"]}),
        "copy": ([("copy", "/spec/map/l", "/spec/map/k")], SPEC | {"map": {"k": "v", "l": "v"}}),
        "move": ([("move", "/spec/map/l", "/spec/map/k")], SPEC | {"map": {"l": "v"}}),
        "test and replace": ([("test", "/spec/replicas", 3), ("replace", "/spec/replicas", 4)], SPEC | {"replicas": 4}),
        "an escaped name": ([("add", "/spec/map/a~1b~0c", "w")], SPEC | {"map": {"k": "v", "a/b~c": "w"}}),
        "nothing": ([], SPEC),
    },
)
async def test_json_patches_are_performed(api: Api, operations, expected):
    await api.made(api.widgets, widget(spec=SPEC))
    listed = []
    for name, path, value in operations:
        operation = {"op": name, "path": path}
        operation |= {"from": value} if name in ("copy", "move") else {} if name == "remove" else {"value": value}
        listed.append(operation)
    answer = await api.json_patch(f"{api.widgets}/a", *listed)
    assert (answer.code, answer.body["spec"]) == (200, expected)


@case(
    "P-02",
    rows={
        "a test that fails": ({"op": "test", "path": "/spec/replicas", "value": 4},),
        "a field to replace that is not there": ({"op": "replace", "path": "/spec/absent", "value": 4},),
        "a field to remove that is not there": ({"op": "remove", "path": "/spec/absent"},),
        "a parent that is not there": ({"op": "add", "path": "/spec/absent/deep", "value": 4},),
        "an item beyond the end": ({"op": "replace", "path": "/spec/plain/9", "value": "z"},),
    },
)
async def test_a_json_patch_that_cannot_be_performed_is_invalid(api: Api, operation):
    await api.made(api.widgets, widget(spec=SPEC))
    answer = await api.json_patch(f"{api.widgets}/a", operation)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert (await api.get(f"{api.widgets}/a")).body["spec"] == SPEC


@case(
    "P-02",
    rows={
        "an object": (b"{}",),
        "broken JSON": (b"[",),
        "a list of numbers": (b"[1]",),
    },
)
async def test_a_malformed_json_patch_is_a_bad_request(api: Api, raw):
    await api.made(api.widgets, widget())
    answer = await api.request("PATCH", f"{api.widgets}/a", raw, content_type="application/json-patch+json")
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case("P-02", rows={"an unknown operation": ({"op": "jump", "path": "/spec"},), "no path": ({"op": "remove"},)})
async def test_an_odd_operation_is_refused(api: Api, operation):
    await api.made(api.widgets, widget())
    answer = await api.json_patch(f"{api.widgets}/a", operation)
    assert answer.code in (400, 422, 500)
    assert (await api.get(f"{api.widgets}/a")).body["metadata"]["generation"] == 1


@case("P-02")
async def test_a_json_patch_is_performed_whole_or_not_at_all(api: Api):
    await api.made(api.widgets, widget())
    change = {"op": "replace", "path": "/spec/replicas", "value": 9}
    answer = await api.json_patch(f"{api.widgets}/a", change, {"op": "test", "path": "/spec/replicas", "value": 1})
    assert answer.code == 422
    assert (await api.get(f"{api.widgets}/a")).body["spec"]["replicas"] == 3


@case(
    "P-03",
    rows={
        "a field is set": ({"text": "t"}, SPEC | {"text": "t"}),
        "null removes": ({"map": None}, {k: v for k, v in SPEC.items() if k != "map"}),
        "null removes deep inside": ({"map": {"k": None}}, SPEC | {"map": {}}),
        "maps are merged": ({"map": {"l": "w"}}, SPEC | {"map": {"k": "v", "l": "w"}}),
        "lists are replaced": ({"plain": ["z"]}, SPEC | {"plain": ["z"]}),
        "an empty list replaces": ({"plain": []}, SPEC | {"plain": []}),
        "null of what is not there": ({"text": None}, SPEC),
        "a default comes back": ({"mode": None}, SPEC),
        "nothing": ({}, SPEC),
    },
)
async def test_merge_patches_are_performed(api: Api, patch, expected):
    await api.made(api.widgets, widget(spec=SPEC))
    answer = await api.merge(f"{api.widgets}/a", {"spec": patch})
    assert (answer.code, answer.body["spec"]) == (200, expected)


@case("P-03", rows={"a list": (b"[]", 422), "broken JSON": (b"{", 500), "a string": (b'"x"', 500)})
async def test_a_malformed_merge_patch_is_refused(api: Api, raw, before):
    await api.made(api.widgets, widget())
    answer = await api.request("PATCH", f"{api.widgets}/a", raw, content_type="application/merge-patch+json")
    assert answer.refusal["code"] == api.since(25, 400, before)


@case("P-04")
async def test_a_patch_without_a_version_is_unconditional(api: Api):
    await api.made(api.widgets, widget())
    await api.merge(f"{api.widgets}/a", {"spec": {"text": "x"}})
    answer = await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 4}})
    assert (answer.code, answer.body["spec"]["text"]) == (200, "x")


@case("P-04")
async def test_a_patch_that_names_an_older_version_is_a_conflict(api: Api):
    made = await api.made(api.widgets, widget())
    await api.merge(f"{api.widgets}/a", {"spec": {"text": "x"}})
    patch = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "spec": {"replicas": 4}}
    answer = await api.merge(f"{api.widgets}/a", patch)
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")


@case("P-04")
async def test_a_patch_that_names_the_current_version_is_done(api: Api):
    made = await api.made(api.widgets, widget())
    patch = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "spec": {"replicas": 4}}
    assert (await api.merge(f"{api.widgets}/a", patch)).code == 200


@case("P-04")
async def test_a_json_patch_may_test_the_version(api: Api):
    made = await api.made(api.widgets, widget())
    version = {"op": "test", "path": "/metadata/resourceVersion", "value": made["metadata"]["resourceVersion"]}
    change = {"op": "replace", "path": "/spec/replicas", "value": 9}
    assert (await api.json_patch(f"{api.widgets}/a", version, change)).code == 200
    assert (await api.json_patch(f"{api.widgets}/a", version, change)).code == 422


@case("P-04")
async def test_a_patch_cannot_change_the_uid(api: Api):
    await api.made(api.widgets, widget())
    answer = await api.merge(f"{api.widgets}/a", {"metadata": {"uid": "11111111-0000-4000-8000-000000000000"}})
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "metadata.uid")])


@case("P-05")
async def test_a_patch_that_changes_nothing_keeps_the_version(api: Api):
    made = await api.made(api.widgets, widget())
    answer = await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 3}})
    assert (answer.code, answer.version) == (200, made["metadata"]["resourceVersion"])


@case("P-06", rows={"merge": ("merge",), "json": ("json",)})
async def test_a_patch_of_an_absent_object_is_not_found(api: Api, how):
    path = f"{api.widgets}/a"
    answer = await (api.merge(path, {}) if how == "merge" else api.json_patch(path))
    assert answer.refusal["reason"] == "NotFound"


@case("P-01")
async def test_a_custom_object_takes_no_strategic_patch(api: Api):
    await api.made(api.widgets, widget())
    answer = await api.strategic(f"{api.widgets}/a", {"spec": {"replicas": 4}})
    assert answer.refusal == {"code": 415, "reason": "UnsupportedMediaType"}


@case("P-03", "K-03")
async def test_what_a_patch_makes_is_validated(api: Api):
    await api.made(api.widgets, widget())
    answer = await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 11}})
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "spec.replicas")])


@case("P-03", "E-07")
async def test_a_patch_cannot_rename_an_object(api: Api):
    await api.made(api.config_maps, config_map())
    answer = await api.merge(f"{api.config_maps}/a", {"metadata": {"name": "b"}})
    assert answer.code in (400, 422)


@case("P-03", "E-07")
async def test_a_patch_cannot_change_the_kind(api: Api):
    await api.made(api.widgets, widget())
    answer = await api.merge(f"{api.widgets}/a", {"kind": "Gadget"})
    assert answer.code in (400, 422)
    assert (await api.get(f"{api.widgets}/a")).body["kind"] == "Widget"


@case("P-03")
async def test_a_core_object_is_patched_by_merging(api: Api):
    await api.made(api.config_maps, config_map(data={"a": "1", "b": "2"}))
    answer = await api.merge(f"{api.config_maps}/a", {"data": {"a": None, "c": "3"}})
    assert answer.body["data"] == {"b": "2", "c": "3"}


@case("P-02")
async def test_a_core_object_is_patched_by_operations(api: Api):
    await api.made(api.config_maps, config_map(data={"a": "1"}))
    answer = await api.json_patch(f"{api.config_maps}/a", {"op": "add", "path": "/data/b", "value": "2"})
    assert answer.body["data"] == {"a": "1", "b": "2"}


@case("P-03")
async def test_labels_are_patched_without_touching_others(api: Api):
    await api.made(api.widgets, widget(labels={"a": "1", "b": "2"}))
    answer = await api.merge(f"{api.widgets}/a", {"metadata": {"labels": {"a": None, "c": "3"}}})
    assert answer.body["metadata"]["labels"] == {"b": "2", "c": "3"}
