"""Watches: where they begin, what they show, how they end."""

import asyncio

from conformance.harness import Api, case, config_map, widget


def _version(obj):
    return obj["metadata"]["resourceVersion"]


@case("W-01")
async def test_a_watch_begins_before_anything_happens(api: Api):
    async with asyncio.timeout(5), api.watch(api.widgets, resourceVersion="0") as watch:
        assert watch.response.content_type == "application/json"
        assert watch.response.headers["Transfer-Encoding"] == "chunked"


@case("W-01")
async def test_an_event_has_a_type_and_the_whole_object(api: Api):
    async with api.watch(api.widgets) as watch:
        made = await api.made(api.widgets, widget())
        assert await watch.next() == {"type": "ADDED", "object": made}


@case("W-01")
async def test_an_event_of_a_core_kind_carries_kind_and_version(api: Api):
    version = _version(await api.made(api.config_maps, config_map("first")))
    # A real controller manager publishes its certificate in every namespace, some time after its creation.
    async with api.watch(api.config_maps, resourceVersion=version, fieldSelector="metadata.name=a") as watch:
        made = await api.made(api.config_maps, config_map())
        assert await watch.next() == {"type": "ADDED", "object": made}


@case("W-02")
async def test_a_watch_resumes_behind_its_version(api: Api):
    first = await api.made(api.widgets, widget("a"))
    await api.made(api.widgets, widget("b"))
    await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 4}})
    await api.delete(f"{api.widgets}/b")
    async with api.watch(api.widgets, resourceVersion=_version(first)) as watch:
        assert await watch.seen(3) == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]


@case("W-02", "L-01")
async def test_a_watch_from_the_version_of_a_list_shows_what_came_after_it(api: Api):
    await api.made(api.widgets, widget("a"))
    listed = await api.get(api.widgets)
    await api.made(api.widgets, widget("b"))
    async with api.watch(api.widgets, resourceVersion=listed.version) as watch:
        assert await watch.seen(1) == [("ADDED", "b")]


@case("W-02")
async def test_versions_of_events_grow(api: Api):
    made = await api.made(api.widgets, widget("a"))
    async with api.watch(api.widgets, resourceVersion=_version(made)) as watch:
        for replicas in range(4, 9):
            await api.merge(f"{api.widgets}/a", {"spec": {"replicas": replicas}})
        versions = [int(_version(event["object"])) for event in await watch.take(5)]
    assert versions == sorted(set(versions))
    assert versions[0] > int(_version(made))


@case("W-02")
async def test_every_state_between_is_shown(api: Api):
    made = await api.made(api.widgets, widget("a"))
    for replicas in range(4, 9):
        await api.merge(f"{api.widgets}/a", {"spec": {"replicas": replicas}})
    async with api.watch(api.widgets, resourceVersion=_version(made)) as watch:
        assert [event["object"]["spec"]["replicas"] for event in await watch.take(5)] == [4, 5, 6, 7, 8]


@case("W-03", rows={"unset": ({},), "any": ({"resourceVersion": "0"},)})
async def test_a_watch_without_a_version_begins_with_what_is_there(api: Api, query):
    kind = await api.define()
    for name in ("a", "b"):
        await api.made(kind.path(), kind.body(name))
    async with api.watch(kind.path(), **query) as watch:
        assert sorted(await watch.seen(2)) == [("ADDED", "a"), ("ADDED", "b")]
        await api.merge(f"{kind.path()}/a", {"spec": {"x": 1}})
        assert await watch.seen(1) == [("MODIFIED", "a")]


@case("W-05", rows={"text": ("abc",), "a negative number": ("-1",)})
async def test_a_version_that_is_no_number_is_refused(api: Api, version):
    answer = await api.get(api.widgets, watch="1", resourceVersion=version)
    assert answer.code in api.since(21, (400, 422), (500,))


@case("W-07")
async def test_a_watch_ends_cleanly_at_its_time(api: Api):
    async with api.watch(api.widgets, timeoutSeconds="1") as watch:
        assert await watch.rest() == []


@case("W-07")
async def test_events_are_shown_until_the_time_is_over(api: Api):
    async with api.watch(api.widgets, timeoutSeconds="1") as watch:
        await api.made(api.widgets, widget())
        assert [event["type"] for event in await watch.rest()] == ["ADDED"]


@case("W-09")
async def test_bookmarks_show_those_who_ask_how_far_the_server_has_come(api: Api):
    made = await api.made(api.widgets, widget())
    query = {"resourceVersion": _version(made), "timeoutSeconds": "3"}
    asking = api.watch(api.widgets, allowWatchBookmarks="true", **query)
    async with asking as watch, api.watch(api.widgets, **query) as silent:
        later = await api.made(api.widgets, widget("b"))
        found = await watch.rest()
        assert [event["type"] for event in await silent.rest()] == ["ADDED"]
    types = [event["type"] for event in found]
    assert types[0] == "ADDED"
    assert set(types[1:]) <= {"BOOKMARK"}
    for event in found[1:]:
        assert (event["object"]["kind"], event["object"]["apiVersion"]) == ("Widget", "conformance.dev/v1")
        assert int(_version(event["object"])) >= int(_version(later))
        assert not event["object"].get("spec")


@case("W-10")
async def test_initial_events_end_with_a_bookmark(api: Api):
    await api.made(api.widgets, widget())
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with api.watch(api.widgets, **query) as watch:
        added, bookmark = await watch.take(2)
    assert (added["type"], bookmark["type"]) == ("ADDED", "BOOKMARK")
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


@case("W-10")
async def test_initial_events_need_a_match(api: Api):
    answer = await api.get(api.widgets, watch="1", sendInitialEvents="true", timeoutSeconds="1")
    assert (answer.code, answer.causes) == (422, [("FieldValueForbidden", "resourceVersionMatch")])


@case("W-10")
async def test_initial_events_are_not_for_lists(api: Api):
    answer = await api.get(api.widgets, sendInitialEvents="true", resourceVersionMatch="NotOlderThan")
    assert answer.code == 422


@case("W-11")
async def test_an_object_enters_and_leaves_the_selection_of_a_watch(api: Api):
    made = await api.made(api.widgets, widget("a"))
    path = f"{api.widgets}/a"
    async with api.watch(api.widgets, resourceVersion=_version(made), labelSelector="on=yes") as watch:
        for change in (
            {"metadata": {"labels": {"on": "yes"}}},
            {"spec": {"replicas": 5}},
            {"metadata": {"labels": {"on": "no"}}},
            {"spec": {"replicas": 6}},
            {"metadata": {"labels": {"on": "yes"}}},
        ):
            await api.merge(path, change)
        await api.delete(path)
        found = await watch.take(5)
    assert [event["type"] for event in found] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]


@case("W-11")
async def test_an_object_that_leaves_is_shown_as_it_was_under_the_new_version(api: Api):
    made = await api.made(api.widgets, widget("a", labels={"on": "yes"}))
    async with api.watch(api.widgets, resourceVersion=_version(made), labelSelector="on=yes") as watch:
        left = await api.merge(f"{api.widgets}/a", {"metadata": {"labels": {"on": "no"}}, "spec": {"replicas": 9}})
        event = await watch.next()
    assert event["type"] == "DELETED"
    assert event["object"]["metadata"]["labels"] == {"on": "yes"}
    assert event["object"]["spec"]["replicas"] == 3
    assert _version(event["object"]) == left.version


@case("W-11")
async def test_a_deletion_outside_the_selection_is_not_shown(api: Api):
    made = await api.made(api.widgets, widget("a"))
    async with api.watch(api.widgets, resourceVersion=_version(made), labelSelector="on=yes") as watch:
        await api.delete(f"{api.widgets}/a")
        await api.made(api.widgets, widget("b", labels={"on": "yes"}))
        assert await watch.seen(1) == [("ADDED", "b")]


@case("W-13")
async def test_a_field_selector_watches_one_object(api: Api):
    made = await api.made(api.widgets, widget("a"))
    query = {"resourceVersion": _version(made), "fieldSelector": "metadata.name=b"}
    async with api.watch(api.widgets, **query) as watch:
        await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 5}})
        await api.made(api.widgets, widget("b"))
        await api.delete(f"{api.widgets}/a")
        await api.delete(f"{api.widgets}/b")
        assert await watch.seen(2) == [("ADDED", "b"), ("DELETED", "b")]


@case("W-02")
async def test_a_watch_of_a_namespace_does_not_show_others(api: Api):
    other = f"{api.namespace}-z"
    await api.made("/api/v1/namespaces", {"metadata": {"name": other}})
    made = await api.made(api.widgets, widget("a"))
    async with api.watch(api.widgets, resourceVersion=_version(made)) as watch:
        await api.made(f"/apis/conformance.dev/v1/namespaces/{other}/widgets", widget("b"))
        await api.made(api.widgets, widget("c"))
        assert await watch.seen(1) == [("ADDED", "c")]


@case("W-02")
async def test_a_watch_of_all_namespaces_shows_each(api: Api):
    kind = await api.define()
    listed = await api.get(f"/apis/{kind.group}/v1/{kind.plural}")
    async with api.watch(f"/apis/{kind.group}/v1/{kind.plural}", resourceVersion=listed.version) as watch:
        await api.made(kind.path(), kind.body())
        event = await watch.next()
    assert event["object"]["metadata"]["namespace"] == api.namespace


@case("W-14", "T-02")
async def test_a_watch_may_show_metadata_alone(api: Api):
    accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    made = await api.made(api.widgets, widget())
    async with api.watch(api.widgets, accept) as watch:
        event = await watch.next()
    assert (event["object"]["kind"], event["object"]["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert event["object"]["metadata"]["uid"] == made["metadata"]["uid"]
    assert "spec" not in event["object"]


@case("W-14", "T-01")
async def test_a_watch_may_show_tables(api: Api):
    await api.made(api.widgets, widget("a"))
    await api.made(api.widgets, widget("b"))
    async with api.watch(api.widgets, "application/json;as=Table;v=v1;g=meta.k8s.io") as watch:
        first, second = (event["object"] for event in await watch.take(2))
    assert first["kind"] == second["kind"] == "Table"
    assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Replicas", "Ready", "Mode", "Age"]
    assert not second.get("columnDefinitions")
    assert sorted([first["rows"][0]["cells"][0], second["rows"][0]["cells"][0]]) == ["a", "b"]


@case("W-16", "F-01")
async def test_a_dry_run_is_not_seen(api: Api):
    made = await api.made(api.widgets, widget("a"))
    async with api.watch(api.widgets, resourceVersion=_version(made)) as watch:
        await api.create(api.widgets, widget("b"), dryRun="All")
        await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 9}}, dryRun="All")
        await api.delete(f"{api.widgets}/a", dryRun="All")
        await api.made(api.widgets, widget("c"))
        assert await watch.seen(1) == [("ADDED", "c")]


@case("W-02")
async def test_two_watches_see_the_same(api: Api):
    made = await api.made(api.widgets, widget("a"))
    query = {"resourceVersion": _version(made)}
    async with api.watch(api.widgets, **query) as one, api.watch(api.widgets, **query) as two:
        await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 5}})
        await api.delete(f"{api.widgets}/a")
        assert await one.take(2) == await two.take(2)


@case("K-08")
async def test_a_change_of_the_definition_ends_the_watches_of_its_kind(api: Api):
    kind = await api.define()
    async with api.watch(kind.path()) as watch:
        await api.made(kind.path(), kind.body())
        assert await watch.seen(1) == [("ADDED", "a")]
        names = {"spec": {"names": kind.definition["spec"]["names"] | {"shortNames": ["sh"]}}}
        assert (await api.merge(kind.crd, names)).code == 200
        assert await watch.next() is None


@case("K-07", "K-08")
async def test_the_deletion_of_the_definition_ends_the_watches_of_its_kind(api: Api):
    kind = await api.define()
    async with api.watch(kind.path()) as watch:
        await api.made(kind.path(), kind.body())
        await api.delete(kind.crd)
        types = [event["type"] for event in await watch.rest()]
    assert types[0] == "ADDED"
    assert set(types[1:]) <= {"DELETED"}


@case("W-08")
async def test_a_watch_after_another_goes_on_where_that_ended(api: Api):
    made = await api.made(api.widgets, widget("a"))
    async with api.watch(api.widgets, resourceVersion=_version(made), timeoutSeconds="1") as watch:
        await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 5}})
        (seen,) = await watch.rest()
    await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 6}})
    async with api.watch(api.widgets, resourceVersion=_version(seen["object"])) as watch:
        assert [event["object"]["spec"]["replicas"] for event in await watch.take(1)] == [6]
