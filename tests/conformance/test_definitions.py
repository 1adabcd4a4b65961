"""Definitions of kinds: how they come into force, change, and go."""

from conformance.harness import CRDS, FREE, Api, Kind, case, names


def _conditions(crd):
    return {one["type"]: (one["status"], one["reason"]) for one in crd["status"].get("conditions") or []}


async def _established(api: Api, crd: str):
    async def found():
        body = (await api.get(crd)).body
        return body if _conditions(body).get("Established", ("",))[0] == "True" else None

    return await api.until(found)


@case("K-06")
async def test_a_definition_is_established(api: Api):
    kind = await api.define()
    found = _conditions(await _established(api, kind.crd))
    assert found == {"NamesAccepted": ("True", "NoConflicts"), "Established": ("True", "InitialNamesAccepted")}


@case("K-06")
async def test_a_definition_is_completed(api: Api):
    kind = await api.define()
    names = (await api.get(kind.crd)).body["spec"]["names"]
    assert names["singular"] == kind.plural
    assert names["listKind"] == f"{kind.plural.capitalize()}List"
    assert (await api.get(kind.crd)).body["spec"]["conversion"] == {"strategy": "None"}


@case("K-06")
async def test_a_definition_says_which_names_and_versions_it_has(api: Api):
    kind = await api.define()
    status = (await _established(api, kind.crd))["status"]
    assert status["acceptedNames"]["plural"] == kind.plural
    assert status["storedVersions"] == ["v1"]


@case("K-06")
async def test_names_that_are_taken_are_not_accepted(api: Api):
    first = await api.define()
    second = Kind.of(f"{first.plural}x", names={"kind": first.definition["spec"]["names"]["kind"]})
    await api.made(CRDS, second.definition)

    async def judged():
        return _conditions((await api.get(second.crd)).body).get("NamesAccepted")

    assert (await api.until(judged))[0] == "False"
    assert (await api.get(f"/apis/{second.group}/v1/{second.plural}")).code == 404


@case("K-06", "U-05")
async def test_a_definition_has_a_generation(api: Api):
    kind = await api.define()
    await _established(api, kind.crd)
    answer = await api.merge(kind.crd, {"spec": {"names": {"shortNames": [f"s{kind.plural}"]}}})
    assert answer.body["metadata"]["generation"] == 2


@case(
    "K-06", rows={"group": ({"group": "x.dev"},), "scope": ({"scope": "Cluster"},), "kind": ({"names": {"kind": "X"}},)}
)
async def test_what_a_definition_is_about_is_immutable(api: Api, change):
    kind = await api.define()
    await _established(api, kind.crd)
    answer = await api.merge(kind.crd, {"spec": change})
    assert answer.code == 422
    assert "FieldValueInvalid" in {reason for reason, _ in answer.causes}


@case("K-08")
async def test_a_new_schema_is_in_force_soon(api: Api):
    kind = await api.define()
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    }
    version = kind.definition["spec"]["versions"][0] | {"schema": {"openAPIV3Schema": schema}}
    await api.merge(kind.crd, {"spec": {"versions": [version]}})

    async def refused():
        return (await api.create(kind.path(), kind.body(spec={"n": "x"}), dryRun="All")).code == 422

    await api.until(refused)


@case("K-08")
async def test_a_subresource_can_be_switched_on(api: Api):
    kind = await api.define()
    await api.made(kind.path(), kind.body(status={"x": 1}))
    version = kind.definition["spec"]["versions"][0] | {"subresources": {"status": {}}}
    await api.merge(kind.crd, {"spec": {"versions": [version]}})

    async def served():
        return (await api.get(f"{kind.path()}/a/status")).code == 200

    await api.until(served)
    answer = await api.merge(f"{kind.path()}/a", {"status": {"x": 2}})
    assert answer.body["status"] == {"x": 1}


@case("K-07")
async def test_the_deletion_of_a_definition_takes_its_objects_along(api: Api):
    kind = await api.define()
    await api.made(kind.path(), kind.body())
    answer = await api.delete(kind.crd)
    assert answer.code == 200
    await api.gone(kind.crd)

    async def unserved():
        return (await api.get(kind.path())).code == 404

    assert await api.until(unserved)  # a real server withdraws the path a moment after the definition


@case("K-07")
async def test_objects_do_not_come_back_with_their_definition(api: Api):
    kind = await api.define()
    await api.made(kind.path(), kind.body())
    await api.delete(kind.crd)
    await api.gone(kind.crd)
    await api.establish(kind.definition)
    assert names(await api.get(kind.path())) == []


@case("K-07")
async def test_a_held_object_holds_its_definition(api: Api):
    kind = await api.define()
    body = kind.body()
    body["metadata"]["finalizers"] = ["conformance.dev/hold"]
    await api.made(kind.path(), body)
    await api.delete(kind.crd)

    async def terminating():
        found = (await api.get(kind.crd)).body
        return _conditions(found).get("Terminating", ("",))[0] == "True" and found

    found = await api.until(terminating)
    assert found["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]

    async def deleting():
        return "deletionTimestamp" in (await api.get(f"{kind.path()}/a")).body["metadata"]

    await api.until(deleting)
    await api.merge(f"{kind.path()}/a", {"metadata": {"finalizers": None}})
    await api.gone(kind.crd)


@case("K-07")
async def test_nothing_is_created_while_a_definition_terminates(api: Api):
    kind = await api.define()
    body = kind.body("held")
    body["metadata"]["finalizers"] = ["conformance.dev/hold"]
    await api.made(kind.path(), body)
    await api.delete(kind.crd)

    async def refused():
        answer = await api.create(kind.path(), kind.body("late"), dryRun="All")
        return answer.code != 201 and answer

    answer = await api.until(refused)
    assert (answer.code, answer.body["reason"]) == api.since(21, (403, "Forbidden"), (405, "MethodNotAllowed"))
    await api.merge(f"{kind.path()}/held", {"metadata": {"finalizers": None}})


def _two(api: Api, **second):
    one = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": FREE}}
    two = {"name": "v2", "served": True, "storage": False, "schema": {"openAPIV3Schema": FREE}}
    return {"versions": [one, two | second]}


@case("K-09")
async def test_versions_show_the_same_object(api: Api):
    kind = await api.define(**_two(api))
    made = await api.made(kind.path("v2"), kind.body(version="v2", spec={"x": 1}))
    assert made["apiVersion"] == f"{kind.group}/v2"
    found = (await api.get(f"{kind.path('v1')}/a")).body
    assert (found["apiVersion"], found["spec"]) == (f"{kind.group}/v1", {"x": 1})
    for field in ("uid", "resourceVersion"):
        assert found["metadata"][field] == made["metadata"][field]


@case("K-09")
async def test_a_list_shows_the_version_it_is_asked_for(api: Api):
    kind = await api.define(**_two(api))
    await api.made(kind.path("v1"), kind.body("a"))
    await api.made(kind.path("v2"), kind.body("b", version="v2"))
    body = (await api.get(kind.path("v2"))).body
    assert body["apiVersion"] == f"{kind.group}/v2"
    assert [item["apiVersion"] for item in body["items"]] == [f"{kind.group}/v2"] * 2


@case("K-09")
async def test_a_watch_shows_the_version_it_is_asked_for(api: Api):
    kind = await api.define(**_two(api))
    made = await api.made(kind.path("v1"), kind.body("a"))
    async with api.watch(kind.path("v2"), resourceVersion=made["metadata"]["resourceVersion"]) as watch:
        await api.merge(f"{kind.path('v1')}/a", {"spec": {"x": 1}})
        event = await watch.next()
    assert (event["type"], event["object"]["apiVersion"]) == ("MODIFIED", f"{kind.group}/v2")


@case("K-09")
async def test_each_version_prunes_by_its_own_schema(api: Api):
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"x": {"type": "integer"}}}}}
    kind = await api.define(**_two(api, schema={"openAPIV3Schema": schema}))
    await api.made(kind.path("v1"), kind.body("a", spec={"x": 1, "y": 2}))
    made = await api.made(kind.path("v2"), kind.body("b", version="v2", spec={"x": 1, "y": 2}))
    assert made["spec"] == {"x": 1}
    assert (await api.get(f"{kind.path('v1')}/a")).body["spec"] == {"x": 1, "y": 2}


@case("K-09")
async def test_an_unserved_version_is_not_found(api: Api):
    kind = await api.define(**_two(api, served=False))
    assert (await api.get(kind.path("v2"))).code == 404


@case("K-09")
async def test_a_stored_version_may_not_be_dropped(api: Api):
    kind = await api.define(**_two(api))
    await _established(api, kind.crd)
    two = kind.definition["spec"]["versions"][1] | {"storage": True}
    answer = await api.merge(kind.crd, {"spec": {"versions": [two]}})
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "status.storedVersions[0]")])


@case("K-09")
async def test_another_storage_version_is_added_to_the_stored_ones(api: Api):
    kind = await api.define(**_two(api))
    await _established(api, kind.crd)
    one, two = kind.definition["spec"]["versions"]
    answer = await api.merge(kind.crd, {"spec": {"versions": [one | {"storage": False}, two | {"storage": True}]}})
    assert answer.code == 200

    async def stored():
        return (await api.get(kind.crd)).body["status"]["storedVersions"] == ["v1", "v2"]

    await api.until(stored)


@case("K-10")
async def test_a_deprecated_version_is_warned_of(api: Api):
    kind = await api.define(**_two(api, deprecated=True, deprecationWarning="use v1"))
    for answer in (
        await api.create(kind.path("v2"), kind.body(version="v2")),
        await api.get(kind.path("v2")),
        await api.get(f"{kind.path('v2')}/a"),
    ):
        assert answer.headers["Warning"] == '299 - "use v1"'
    assert "Warning" not in (await api.get(kind.path("v1"))).headers


@case("K-10")
async def test_a_deprecated_version_has_a_warning_by_default(api: Api):
    kind = await api.define(**_two(api, deprecated=True))
    kind_name = kind.definition["spec"]["names"]["kind"]
    answer = await api.get(kind.path("v2"))
    assert answer.headers["Warning"] == f'299 - "{kind.group}/v2 {kind_name} is deprecated"'


@case("W-04", "K-08")
async def test_a_watch_from_before_the_definition_is_expired(api: Api):
    kind = await api.define()
    async with api.watch(kind.path(), resourceVersion="1") as watch:
        (event,) = await watch.rest()
    assert event["type"] == "ERROR"
    assert (event["object"]["kind"], event["object"]["code"]) == ("Status", 410)
    assert event["object"]["reason"] in ("Expired", "Gone")


@case("K-06")
async def test_the_status_of_a_definition_is_not_the_clients(api: Api):
    kind = await api.define()
    await _established(api, kind.crd)
    answer = await api.merge(kind.crd, {"status": {"storedVersions": ["v9"]}})
    assert answer.body["status"]["storedVersions"] == ["v1"]


@case("P-01")
async def test_a_definition_may_be_applied(api: Api):
    kind = Kind.of(f"ap{api.namespace[2:]}")
    answer = await api.apply(kind.crd, kind.definition)
    assert answer.code == 201
    await _established(api, kind.crd)
    assert (await api.apply(kind.crd, kind.definition)).code == 200
