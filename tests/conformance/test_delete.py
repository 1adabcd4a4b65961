"""Deleting: at once, held by finalizers, under preconditions, many at a time."""

from conformance.harness import Api, case, config_map, names, widget

HOLD = "conformance.dev/hold"


@case("D-01")
async def test_a_deletion_answers_with_what_it_deleted(api: Api):
    made = await api.made(api.widgets, widget())
    answer = await api.delete(f"{api.widgets}/a")
    details = {"name": "a", "group": "conformance.dev", "kind": "widgets", "uid": made["metadata"]["uid"]}
    assert (answer.code, answer.body["status"], answer.body["details"]) == (200, "Success", details)
    assert (await api.get(f"{api.widgets}/a")).code == 404


@case("D-01")
async def test_a_deletion_of_a_core_object_names_no_group(api: Api):
    made = await api.made(api.config_maps, config_map())
    answer = await api.delete(f"{api.config_maps}/a")
    assert answer.body["details"] == {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}


@case("D-01", "W-15")
async def test_a_watch_sees_the_last_state_under_the_version_of_the_deletion(api: Api):
    made = await api.made(api.widgets, widget(labels={"a": "b"}))
    async with api.watch(api.widgets, resourceVersion=made["metadata"]["resourceVersion"]) as watch:
        await api.delete(f"{api.widgets}/a")
        event = await watch.next()
    assert event["type"] == "DELETED"
    assert event["object"]["spec"] == made["spec"]
    assert event["object"]["metadata"]["labels"] == {"a": "b"}
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])


@case("D-02")
async def test_a_finalizer_holds_an_object(api: Api):
    await api.made(api.widgets, widget(finalizers=[HOLD]))
    answer = await api.delete(f"{api.widgets}/a")
    metadata = answer.body["metadata"]
    assert (answer.code, answer.body["kind"]) == (200, "Widget")
    assert metadata["deletionTimestamp"] >= metadata["creationTimestamp"]
    assert metadata["deletionGracePeriodSeconds"] == 0
    assert (await api.get(f"{api.widgets}/a")).body["metadata"] == metadata
    assert names(await api.get(api.widgets)) == ["a"]


@case("D-02")
async def test_the_beginning_of_a_deletion_is_seen_as_a_modification(api: Api):
    made = await api.made(api.widgets, widget(finalizers=[HOLD]))
    async with api.watch(api.widgets, resourceVersion=made["metadata"]["resourceVersion"]) as watch:
        await api.delete(f"{api.widgets}/a")
        await api.merge(f"{api.widgets}/a", {"metadata": {"finalizers": None}})
        assert await watch.seen(2) == [("MODIFIED", "a"), ("DELETED", "a")]


@case("D-03")
async def test_a_second_deletion_changes_nothing(api: Api):
    await api.made(api.widgets, widget(finalizers=[HOLD]))
    first = await api.delete(f"{api.widgets}/a")
    second = await api.delete(f"{api.widgets}/a")
    assert (second.code, second.body) == (200, first.body)


@case("D-04")
async def test_the_removal_of_the_last_finalizer_ends_the_object(api: Api):
    await api.made(api.widgets, widget(finalizers=[HOLD, "conformance.dev/more"]))
    await api.delete(f"{api.widgets}/a")
    answer = await api.merge(f"{api.widgets}/a", {"metadata": {"finalizers": [HOLD]}})
    assert answer.code == 200
    assert (await api.get(f"{api.widgets}/a")).code == 200
    answer = await api.merge(f"{api.widgets}/a", {"metadata": {"finalizers": []}})
    assert (answer.code, answer.body["kind"]) == (200, "Widget")
    assert (await api.get(f"{api.widgets}/a")).code == 404


@case("D-04")
async def test_the_last_finalizer_may_be_removed_by_an_update(api: Api):
    await api.made(api.config_maps, config_map(finalizers=[HOLD]))
    deleting = (await api.delete(f"{api.config_maps}/a")).body
    del deleting["metadata"]["finalizers"]
    assert (await api.put(f"{api.config_maps}/a", deleting)).code == 200
    assert (await api.get(f"{api.config_maps}/a")).code == 404


@case("D-04", "W-15")
async def test_the_event_of_an_end_by_finalizers_has_a_version_of_its_own(api: Api):
    await api.made(api.widgets, widget(finalizers=[HOLD]))
    deleting = await api.delete(f"{api.widgets}/a")
    async with api.watch(api.widgets, resourceVersion=deleting.version) as watch:
        await api.merge(f"{api.widgets}/a", {"metadata": {"finalizers": None}})
        event = await watch.next()
    assert event["type"] == "DELETED"
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(deleting.version)


@case("D-05")
async def test_a_deletion_with_another_uid_is_a_conflict(api: Api):
    await api.made(api.widgets, widget())
    answer = await api.delete(f"{api.widgets}/a", {"preconditions": {"uid": "1-2-3"}})
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert (await api.get(f"{api.widgets}/a")).code == 200


@case("D-05")
async def test_a_deletion_with_another_version_is_a_conflict(api: Api):
    await api.made(api.widgets, widget())
    answer = await api.delete(f"{api.widgets}/a", {"preconditions": {"resourceVersion": "1"}})
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")


@case("D-05")
async def test_a_deletion_whose_preconditions_hold_is_done(api: Api):
    made = (await api.made(api.widgets, widget()))["metadata"]
    holds = {"preconditions": {"uid": made["uid"], "resourceVersion": made["resourceVersion"]}}
    assert (await api.delete(f"{api.widgets}/a", holds)).code == 200


@case("D-06")
async def test_an_absent_object_cannot_be_deleted(api: Api):
    answer = await api.delete(f"{api.widgets}/a")
    details = {"name": "a", "group": "conformance.dev", "kind": "widgets"}
    assert answer.refusal == {"code": 404, "reason": "NotFound", "details": details}


@case(
    "D-07",
    rows={
        "foreground": ({"propagationPolicy": "Foreground"}, "foregroundDeletion"),
        "orphan": ({"propagationPolicy": "Orphan"}, "orphan"),
        "orphaning dependents": ({"orphanDependents": True}, "orphan"),
    },
)
async def test_a_policy_becomes_a_finalizer(api: Api, options, finalizer):
    await api.made(api.widgets, widget(finalizers=[HOLD]))
    answer = await api.delete(f"{api.widgets}/a", options)
    assert sorted(answer.body["metadata"]["finalizers"]) == sorted([HOLD, finalizer])


@case("D-07")
async def test_a_policy_may_be_given_in_the_query(api: Api):
    await api.made(api.widgets, widget(finalizers=[HOLD]))
    answer = await api.delete(f"{api.widgets}/a", propagationPolicy="Foreground")
    assert "foregroundDeletion" in answer.body["metadata"]["finalizers"]


@case("D-07")
async def test_a_deletion_in_the_background_adds_no_finalizer(api: Api):
    await api.made(api.widgets, widget(finalizers=[HOLD]))
    answer = await api.delete(f"{api.widgets}/a", {"propagationPolicy": "Background"})
    assert answer.body["metadata"]["finalizers"] == [HOLD]


@case(
    "D-07",
    rows={
        "an unknown policy": ({"propagationPolicy": "Sideways"},),
        "a policy and orphanDependents": ({"propagationPolicy": "Orphan", "orphanDependents": True},),
    },
)
async def test_odd_policies_are_invalid(api: Api, options):
    await api.made(api.widgets, widget())
    answer = await api.delete(f"{api.widgets}/a", options)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert (await api.get(f"{api.widgets}/a")).code == 200


@case("D-03")
async def test_another_policy_is_taken_while_an_object_is_deleted(api: Api):
    await api.made(api.widgets, widget(finalizers=[HOLD]))
    await api.delete(f"{api.widgets}/a")
    answer = await api.delete(f"{api.widgets}/a", {"propagationPolicy": "Foreground"})
    assert sorted(answer.body["metadata"]["finalizers"]) == sorted([HOLD, "foregroundDeletion"])


@case("D-07")
async def test_options_that_cannot_be_decoded_are_refused(api: Api):
    await api.made(api.widgets, widget())
    answer = await api.delete(f"{api.widgets}/a", {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": 5})
    assert answer.refusal["code"] == api.since(21, 400, 500)
    assert (await api.get(f"{api.widgets}/a")).code == 200


@case("D-07")
async def test_options_with_their_kind_are_taken(api: Api):
    await api.made(api.widgets, widget())
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
    assert (await api.delete(f"{api.widgets}/a", options)).code == 200


@case("D-08")
async def test_a_collection_is_deleted_by_labels(api: Api):
    for name, group in (("a", "x"), ("b", "y"), ("c", "x")):
        await api.made(api.widgets, widget(name, labels={"group": group}))
    answer = await api.delete(api.widgets, labelSelector="group=x")
    assert answer.code == 200
    assert answer.body["kind"] == "WidgetList"
    assert names(answer) == ["a", "c"]
    assert names(await api.get(api.widgets)) == ["b"]


@case("D-08")
async def test_a_collection_is_deleted_by_fields(api: Api):
    for name in ("a", "b"):
        await api.made(api.config_maps, config_map(name))
    await api.delete(api.config_maps, fieldSelector="metadata.name=a")
    assert "b" in names(await api.get(api.config_maps))
    assert "a" not in names(await api.get(api.config_maps))


@case("D-08")
async def test_a_collection_is_deleted_in_one_namespace_only(api: Api):
    other = f"{api.namespace}-other"
    await api.made("/api/v1/namespaces", {"metadata": {"name": other}})
    path = f"/apis/conformance.dev/v1/namespaces/{other}/widgets"
    await api.made(api.widgets, widget())
    await api.made(path, widget())
    await api.delete(api.widgets)
    assert (names(await api.get(api.widgets)), names(await api.get(path))) == ([], ["a"])


@case("D-08")
async def test_held_members_of_a_deleted_collection_stay_a_while(api: Api):
    await api.made(api.widgets, widget("a", finalizers=[HOLD]))
    await api.made(api.widgets, widget("b"))
    await api.delete(api.widgets)
    (left,) = (await api.get(api.widgets)).body["items"]
    assert left["metadata"]["name"] == "a"
    assert "deletionTimestamp" in left["metadata"]


@case("D-08")
async def test_an_empty_collection_may_be_deleted(api: Api):
    answer = await api.delete(api.widgets)
    assert (answer.code, names(answer)) == (200, [])


@case("D-09")
async def test_a_name_may_be_used_again_after_a_deletion(api: Api):
    first = await api.made(api.widgets, widget())
    await api.delete(f"{api.widgets}/a")
    second = await api.made(api.widgets, widget())
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
    assert second["metadata"]["generation"] == 1


@case("D-05", "D-09")
async def test_a_successor_is_safe_from_a_deletion_of_its_predecessor(api: Api):
    first = await api.made(api.widgets, widget())
    await api.delete(f"{api.widgets}/a")
    await api.made(api.widgets, widget())
    answer = await api.delete(f"{api.widgets}/a", {"preconditions": {"uid": first["metadata"]["uid"]}})
    assert answer.code == 409
