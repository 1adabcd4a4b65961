"""Server-side apply: who owns which field, and what follows from it."""

from conformance.harness import Api, case, config_map, manager_of, pod, widget


async def _apply(api: Api, manager: str, spec, **query):
    return await api.apply(f"{api.widgets}/a", widget(spec=spec), manager, **query)


@case("P-06", "P-07")
async def test_an_apply_creates_what_is_absent(api: Api):
    answer = await _apply(api, "one", {"replicas": 3})
    assert answer.code == 201
    assert answer.body["spec"] == {"replicas": 3, "mode": "fast"}
    assert (await _apply(api, "one", {"replicas": 4})).code == 200


@case("P-07")
async def test_an_apply_needs_a_manager(api: Api):
    answer = await _apply(api, "", {"replicas": 3})
    assert (answer.code, answer.causes) == (422, [("FieldValueRequired", "fieldManager")])


@case("P-07")
async def test_an_apply_may_not_state_who_owns_what(api: Api):
    body = widget(managedFields=[{"manager": "x", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1"}])
    answer = await api.apply(f"{api.widgets}/a", body)
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case("P-07", rows={"kind": ("kind",), "apiVersion": ("apiVersion",)})
async def test_an_apply_states_its_kind_and_version(api: Api, field):
    body = {name: part for name, part in widget().items() if name != field}
    answer = await api.apply(f"{api.widgets}/a", body)
    assert answer.refusal["code"] in (400, 500)


@case("P-07")
async def test_an_apply_of_another_name_is_a_bad_request(api: Api):
    answer = await api.apply(f"{api.widgets}/a", widget("b"))
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case("P-07")
async def test_an_apply_may_be_written_in_yaml(api: Api):
    raw = b"apiVersion: conformance.dev/v1\nkind: Widget\nmetadata: {name: a}\nspec: {replicas: 2}\n"
    answer = await api.apply(f"{api.widgets}/a", raw)
    assert (answer.code, answer.body["spec"]["replicas"]) == (201, 2)


@case("P-05")
async def test_an_apply_of_the_same_keeps_the_version(api: Api):
    first = await _apply(api, "one", {"replicas": 3})
    second = await _apply(api, "one", {"replicas": 3})
    assert (second.code, second.version) == (200, first.version)


@case("P-08")
async def test_an_apply_to_anothers_field_is_a_conflict(api: Api):
    await _apply(api, "one", {"replicas": 3, "text": "x"})
    answer = await _apply(api, "two", {"replicas": 4})
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert answer.causes == [("FieldManagerConflict", ".spec.replicas")]
    assert (await api.get(f"{api.widgets}/a")).body["spec"]["replicas"] == 3


@case("P-08")
async def test_every_conflict_is_a_cause(api: Api):
    await _apply(api, "one", {"replicas": 3, "text": "x"})
    answer = await _apply(api, "two", {"replicas": 4, "text": "y"})
    assert answer.causes == [("FieldManagerConflict", ".spec.replicas"), ("FieldManagerConflict", ".spec.text")]


@case("P-08")
async def test_a_field_may_be_taken_by_force(api: Api):
    await _apply(api, "one", {"replicas": 3, "text": "x"})
    answer = await _apply(api, "two", {"replicas": 4}, force="true")
    assert (answer.code, answer.body["spec"]["replicas"]) == (200, 4)
    assert manager_of(answer.body, "one") == {"f:spec": {"f:text": {}}}
    assert manager_of(answer.body, "two") == {"f:spec": {"f:replicas": {}}}


@case("P-08")
async def test_a_field_that_an_update_set_is_a_conflict(api: Api):
    await api.made(api.widgets, widget(), fieldManager="creator")
    answer = await _apply(api, "one", {"replicas": 4})
    assert answer.causes == [("FieldManagerConflict", ".spec.replicas")]


@case("P-08")
async def test_an_update_takes_fields_without_a_conflict(api: Api):
    await _apply(api, "one", {"replicas": 3, "text": "x"})
    answer = await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 5}}, fieldManager="two")
    assert answer.code == 200
    assert manager_of(answer.body, "one") == {"f:spec": {"f:text": {}}}
    assert manager_of(answer.body, "two") == {"f:spec": {"f:replicas": {}}}
    assert (await _apply(api, "one", {"replicas": 3, "text": "x"})).code == 409


@case("P-09")
async def test_the_same_value_is_shared(api: Api):
    await _apply(api, "one", {"replicas": 3})
    answer = await _apply(api, "two", {"replicas": 3})
    assert answer.code == 200
    assert manager_of(answer.body, "one") == manager_of(answer.body, "two") == {"f:spec": {"f:replicas": {}}}


@case("P-09")
async def test_a_field_that_is_no_longer_stated_goes(api: Api):
    await _apply(api, "one", {"replicas": 3, "text": "x"})
    answer = await _apply(api, "one", {"replicas": 3})
    assert answer.body["spec"] == {"replicas": 3, "mode": "fast"}


@case("P-09")
async def test_a_shared_field_that_one_no_longer_states_stays(api: Api):
    await _apply(api, "one", {"replicas": 3, "text": "x"})
    await _apply(api, "two", {"text": "x"})
    answer = await _apply(api, "one", {"replicas": 3})
    assert answer.body["spec"]["text"] == "x"
    assert manager_of(answer.body, "one") == {"f:spec": {"f:replicas": {}}}
    answer = await _apply(api, "two", {})
    assert "text" not in answer.body["spec"]


@case("P-09")
async def test_a_field_that_an_update_took_stays_when_it_is_no_longer_stated(api: Api):
    await _apply(api, "one", {"replicas": 3, "text": "x"})
    await api.merge(f"{api.widgets}/a", {"spec": {"text": "y"}}, fieldManager="two")
    answer = await _apply(api, "one", {"replicas": 3})
    assert answer.body["spec"]["text"] == "y"


@case("P-09", "K-02")
async def test_a_default_comes_back_when_a_field_is_no_longer_stated(api: Api):
    await _apply(api, "one", {"replicas": 3, "mode": "slow"})
    answer = await _apply(api, "one", {"replicas": 3})
    assert answer.body["spec"]["mode"] == "fast"


@case("P-09")
async def test_labels_and_annotations_are_owned_one_by_one(api: Api):
    await api.apply(f"{api.widgets}/a", widget(spec={}, labels={"a": "1", "b": "2"}), "one")
    answer = await api.apply(f"{api.widgets}/a", widget(spec={}, labels={"c": "3"}, annotations={"x": "y"}), "two")
    assert answer.body["metadata"]["labels"] == {"a": "1", "b": "2", "c": "3"}
    answer = await api.apply(f"{api.widgets}/a", widget(spec={}, labels={"b": "2"}), "one")
    assert answer.body["metadata"]["labels"] == {"b": "2", "c": "3"}
    assert answer.body["metadata"]["annotations"] == {"x": "y"}


@case("P-10")
async def test_an_entry_says_who_did_what_and_when(api: Api):
    answer = await _apply(api, "one", {"replicas": 3})
    (entry,) = answer.body["metadata"]["managedFields"]
    assert entry.pop("time")
    assert entry == {
        "manager": "one",
        "operation": "Apply",
        "apiVersion": "conformance.dev/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
    }


@case("P-10")
async def test_an_apply_and_an_update_of_one_manager_are_two_entries(api: Api):
    await _apply(api, "one", {"replicas": 3})
    answer = await api.merge(f"{api.widgets}/a", {"spec": {"text": "x"}}, fieldManager="one")
    operations = [entry["operation"] for entry in answer.body["metadata"]["managedFields"]]
    assert sorted(operations) == ["Apply", "Update"]


@case("P-10")
async def test_entries_are_reset_by_an_empty_one(api: Api):
    await _apply(api, "one", {"replicas": 3})
    await api.merge(f"{api.widgets}/a", {"metadata": {"managedFields": [{}]}})
    found = (await api.get(f"{api.widgets}/a")).body
    assert manager_of(found, "one") is None


@case("P-10")
async def test_an_update_that_leaves_the_entries_out_keeps_them(api: Api):
    await _apply(api, "one", {"replicas": 3})
    found = (await api.get(f"{api.widgets}/a")).body
    del found["metadata"]["managedFields"]
    answer = await api.put(f"{api.widgets}/a", found | {"spec": {"replicas": 3, "text": "x"}}, fieldManager="two")
    assert manager_of(answer.body, "one") == {"f:spec": {"f:replicas": {}}}
    assert manager_of(answer.body, "two") == {"f:spec": {"f:text": {}}}


@case("P-11")
async def test_the_manager_of_a_plain_write_is_the_one_it_names(api: Api):
    made = await api.made(api.widgets, widget(spec={"replicas": 3}), fieldManager="named")
    (entry,) = made["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("named", "Update")


@case("P-11")
async def test_the_manager_of_a_plain_write_is_its_program_otherwise(api: Api):
    made = await api.made(api.widgets, widget(spec={"replicas": 3}))
    assert [entry["manager"] for entry in made["metadata"]["managedFields"]] == ["conformance"]


@case("P-11")
async def test_a_created_object_is_owned_by_its_creator(api: Api):
    body = widget(spec={"replicas": 3, "map": {"k": "v"}}, labels={"a": "b"})
    made = await api.made(api.widgets, body, fieldManager="creator")
    fields = manager_of(made, "creator")
    assert fields["f:metadata"] == {"f:labels": {".": {}, "f:a": {}}}
    assert fields["f:spec"]["f:map"] == {".": {}, "f:k": {}}
    assert fields["f:spec"]["f:replicas"] == {}


@case("P-11", rows={"too long": ("x" * 129,)})
async def test_an_odd_manager_is_invalid(api: Api, manager):
    answer = await api.create(api.widgets, widget(), fieldManager=manager)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")


@case("P-12")
async def test_items_of_a_keyed_list_are_owned_one_by_one(api: Api):
    await _apply(api, "one", {"items": [{"name": "a", "value": 1}]})
    answer = await _apply(api, "two", {"items": [{"name": "b", "value": 2}]})
    assert answer.code == 200
    assert answer.body["spec"]["items"] == [{"name": "a", "value": 1}, {"name": "b", "value": 2}]
    answer = await _apply(api, "one", {"items": []})
    assert answer.body["spec"]["items"] == [{"name": "b", "value": 2}]


@case("P-12")
async def test_fields_of_a_keyed_item_are_owned_one_by_one(api: Api):
    await _apply(api, "one", {"items": [{"name": "a", "value": 1}]})
    answer = await _apply(api, "two", {"items": [{"name": "a", "note": "n"}]})
    assert answer.body["spec"]["items"] == [{"name": "a", "value": 1, "note": "n"}]
    key = 'k:{"name":"a"}'
    fields = {".": {}, "f:name": {}, "f:note": {}}
    assert manager_of(answer.body, "two") == {"f:spec": {"f:items": {key: fields}}}
    conflict = await _apply(api, "two", {"items": [{"name": "a", "value": 2}]})
    assert conflict.causes == [("FieldManagerConflict", '.spec.items[name="a"].value')]


@case("P-12")
async def test_items_of_a_set_are_owned_one_by_one(api: Api):
    await _apply(api, "one", {"set": ["a", "b"]})
    answer = await _apply(api, "two", {"set": ["b", "c"]})
    assert sorted(answer.body["spec"]["set"]) == ["a", "b", "c"]
    assert manager_of(answer.body, "two") == {"f:spec": {"f:set": {'v:"b"': {}, 'v:"c"': {}}}}
    answer = await _apply(api, "one", {"set": []})
    assert sorted(answer.body["spec"]["set"]) == ["b", "c"]


@case("P-12")
async def test_a_plain_list_is_owned_whole(api: Api):
    await _apply(api, "one", {"plain": ["a"]})
    answer = await _apply(api, "two", {"plain": ["b"]})
    assert answer.causes == [("FieldManagerConflict", ".spec.plain")]
    answer = await _apply(api, "two", {"plain": ["b"]}, force="true")
    assert answer.body["spec"]["plain"] == ["b"]
    assert manager_of(answer.body, "two") == {"f:spec": {"f:plain": {}}}


@case("P-12")
async def test_entries_of_a_map_are_owned_one_by_one(api: Api):
    await _apply(api, "one", {"map": {"a": "1"}})
    answer = await _apply(api, "two", {"map": {"b": "2"}})
    assert answer.body["spec"]["map"] == {"a": "1", "b": "2"}
    answer = await _apply(api, "one", {"map": {}})
    assert answer.body["spec"]["map"] == {"b": "2"}


@case("P-12")
async def test_an_atomic_map_is_owned_whole(api: Api):
    await _apply(api, "one", {"atom": {"a": "1"}})
    answer = await _apply(api, "two", {"atom": {"b": "2"}})
    assert answer.causes == [("FieldManagerConflict", ".spec.atom")]
    answer = await _apply(api, "two", {"atom": {"b": "2"}}, force="true")
    assert answer.body["spec"]["atom"] == {"b": "2"}


@case("P-12")
async def test_containers_of_a_pod_are_a_keyed_list(api: Api):
    path = f"{api.core('pods')}/a"
    body = pod("a", {"name": "main", "image": "one"})
    await api.apply(path, body, "one")
    answer = await api.apply(path, pod("a", {"name": "main", "image": "two"}), "two")
    assert answer.causes == [("FieldManagerConflict", '.spec.containers[name="main"].image')]


@case("P-12")
async def test_two_appliers_share_the_containers_of_a_template(api: Api):
    path = f"/apis/apps/v1/namespaces/{api.namespace}/deployments/a"
    labels = {"matchLabels": {"a": "b"}}

    def body(name):
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": name, "image": name}]}}
        spec = {"selector": labels, "template": template, "replicas": 0, "paused": True}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec}

    assert (await api.apply(path, body("one"), "one")).code == 201
    answer = await api.apply(path, body("two"), "two")
    assert [one["name"] for one in answer.body["spec"]["template"]["spec"]["containers"]] == ["one", "two"]
    answer = await api.apply(path, body("two"), "one")
    assert [one["name"] for one in answer.body["spec"]["template"]["spec"]["containers"]] == ["two"]


@case("P-12")
async def test_data_of_a_config_map_are_owned_one_by_one(api: Api):
    path = f"{api.config_maps}/a"
    await api.apply(path, config_map(data={"a": "1"}), "one")
    answer = await api.apply(path, config_map(data={"b": "2"}), "two")
    assert answer.body["data"] == {"a": "1", "b": "2"}
    conflict = await api.apply(path, config_map(data={"a": "2"}), "two")
    assert conflict.causes == [("FieldManagerConflict", ".data.a")]


@case("P-12")
async def test_finalizers_are_a_set(api: Api):
    one, two = "conformance.dev/one", "conformance.dev/two"
    await api.apply(f"{api.widgets}/a", widget(spec={}, finalizers=[one]), "one")
    answer = await api.apply(f"{api.widgets}/a", widget(spec={}, finalizers=[two]), "two")
    assert sorted(answer.body["metadata"]["finalizers"]) == [one, two]
    answer = await api.apply(f"{api.widgets}/a", widget(spec={}), "one")
    assert answer.body["metadata"]["finalizers"] == [two]


@case("P-12")
async def test_owners_are_a_list_keyed_by_uid(api: Api):
    def body(uid):
        owner = {"apiVersion": "absent.dev/v1", "kind": "Absent", "name": uid, "uid": uid}
        return widget(spec={}, ownerReferences=[owner])

    await api.apply(f"{api.widgets}/a", body("x"), "one")
    answer = await api.apply(f"{api.widgets}/a", body("y"), "two")
    assert sorted(one["uid"] for one in answer.body["metadata"]["ownerReferences"]) == ["x", "y"]


@case("P-13")
async def test_an_apply_that_names_a_uid_creates_nothing(api: Api):
    body = widget(uid="11111111-0000-4000-8000-000000000000")
    answer = await api.apply(f"{api.widgets}/a", body)
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert (await api.get(f"{api.widgets}/a")).code == 404


@case("P-04", "P-07")
async def test_an_apply_that_names_an_older_version_is_a_conflict(api: Api):
    first = await _apply(api, "one", {"replicas": 3})
    await _apply(api, "one", {"replicas": 4})
    body = widget(spec={"replicas": 5}, resourceVersion=first.version)
    answer = await api.apply(f"{api.widgets}/a", body)
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")


@case("P-14")
async def test_an_apply_of_the_status_sets_the_status_alone(api: Api):
    await api.made(api.widgets, widget(spec={"replicas": 3}))
    body = widget(spec={"replicas": 9}) | {"status": {"phase": "Ready"}}
    answer = await api.apply(f"{api.widgets}/a/status", body, "reporter")
    assert (answer.code, answer.body["status"], answer.body["spec"]["replicas"]) == (200, {"phase": "Ready"}, 3)


@case("P-14")
async def test_an_apply_of_the_status_has_an_entry_of_its_own(api: Api):
    await _apply(api, "one", {"replicas": 3})
    body = widget(spec={}) | {"status": {"phase": "Ready"}}
    answer = await api.apply(f"{api.widgets}/a/status", body, "one")
    entries = {entry.get("subresource", ""): entry["fieldsV1"] for entry in answer.body["metadata"]["managedFields"]}
    assert entries == {"": {"f:spec": {"f:replicas": {}}}, "status": {"f:status": {"f:phase": {}}}}


@case("P-14")
async def test_an_apply_of_the_object_ignores_its_status(api: Api):
    body = widget(spec={"replicas": 3}) | {"status": {"phase": "Ready"}}
    answer = await api.apply(f"{api.widgets}/a", body)
    assert "status" not in answer.body


@case("P-14")
async def test_an_apply_of_the_status_of_an_absent_object_is_not_found(api: Api):
    answer = await api.apply(f"{api.widgets}/a/status", widget() | {"status": {"phase": "Ready"}})
    assert answer.refusal["code"] == 404


@case("P-14")
async def test_conditions_are_owned_one_by_one(api: Api):
    await api.made(api.widgets, widget())

    async def report(manager, kind, status):
        body = widget(spec={}) | {"status": {"conditions": [{"type": kind, "status": status}]}}
        return await api.apply(f"{api.widgets}/a/status", body, manager)

    await report("one", "Ready", "True")
    answer = await report("two", "Happy", "False")
    assert answer.body["status"]["conditions"] == [
        {"type": "Ready", "status": "True"},
        {"type": "Happy", "status": "False"},
    ]
    conflict = await report("two", "Ready", "False")
    assert conflict.causes == [("FieldManagerConflict", '.status.conditions[type="Ready"].status')]


@case("P-08")
async def test_an_apply_of_an_invalid_object_is_refused(api: Api):
    answer = await _apply(api, "one", {"replicas": 99})
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "spec.replicas")])
    assert (await api.get(f"{api.widgets}/a")).code == 404


@case("P-12")
async def test_a_duplicate_key_in_an_applied_list_is_refused(api: Api):
    answer = await _apply(api, "one", {"items": [{"name": "a"}, {"name": "a"}]})
    assert answer.code in (400, 422, 500)
    assert (await api.get(f"{api.widgets}/a")).code == 404


@case("P-12")
async def test_whoever_applies_nested_fields_shares_their_parent(api: Api):
    await _apply(api, "one", {"nested": {"a": 1}})
    answer = await _apply(api, "two", {"nested": {"b": 2}})
    assert answer.body["spec"]["nested"] == {"a": 1, "b": 2}
    answer = await _apply(api, "one", {})
    assert answer.body["spec"]["nested"] == {"b": 2}
    assert manager_of(answer.body, "one") in (None, {}, {"f:spec": {}})


@case("P-09")
async def test_the_last_field_of_a_parent_takes_it_along(api: Api):
    await _apply(api, "one", {"replicas": 3, "nested": {"a": 1}})
    answer = await _apply(api, "one", {"replicas": 3})
    assert "nested" not in answer.body["spec"]


@case("P-11", "SS-01")
async def test_a_write_of_the_status_is_an_entry_of_the_subresource(api: Api):
    await api.made(api.widgets, widget(spec={"replicas": 3}), fieldManager="one")
    answer = await api.merge(f"{api.widgets}/a/status", {"status": {"phase": "Ready"}}, fieldManager="one")
    entries = {entry.get("subresource", ""): entry for entry in answer.body["metadata"]["managedFields"]}
    assert entries["status"]["fieldsV1"] == {"f:status": {".": {}, "f:phase": {}}}
    assert "f:status" not in entries[""]["fieldsV1"]


@case("P-11", "SS-04")
async def test_a_scaling_takes_the_replicas(api: Api):
    await _apply(api, "one", {"replicas": 3, "text": "x"})
    await api.merge(f"{api.widgets}/a/scale", {"spec": {"replicas": 5}}, fieldManager="scaler")
    found = (await api.get(f"{api.widgets}/a")).body
    assert manager_of(found, "one") == {"f:spec": {"f:text": {}}}
    assert manager_of(found, "scaler") == {"f:spec": {"f:replicas": {}}}
