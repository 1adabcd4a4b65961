"""Events are one kind under two names: `v1`, and `events.k8s.io/v1`, which calls some fields otherwise."""

from typing import Any

from conformance.harness import Api, case, names

OLD = {
    "involvedObject": {"kind": "Pod", "name": "p", "uid": "1"},
    "reason": "Pulled",
    "message": "there it is",
    "source": {"component": "kubelet", "host": "n1"},
    "firstTimestamp": "2026-01-01T00:00:00Z",
    "lastTimestamp": "2026-01-01T00:00:05Z",
    "count": 3,
    "type": "Warning",
}
NEW = {
    "eventTime": "2026-01-01T00:00:00.000000Z",
    "regarding": {"kind": "Pod", "name": "p"},
    "related": {"kind": "Node", "name": "n1"},
    "reportingController": "conformance.dev/c",
    "reportingInstance": "c-1",
    "action": "Pulling",
    "reason": "Pulled",
    "note": "there it is",
    "type": "Normal",
    "series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"},
}


def _collections(api: Api) -> tuple[str, str]:
    return api.core("events"), f"/apis/events.k8s.io/v1/namespaces/{api.namespace}/events"


def _about(api: Api, body: dict[str, Any], name: str = "a", **fields: Any) -> dict[str, Any]:
    """The event, about an object in the namespace of the case."""
    (field,) = {"involvedObject", "regarding"} & body.keys()
    return {"metadata": {"name": name}} | body | {field: body[field] | {"namespace": api.namespace}} | fields


def _parts(obj: dict[str, Any]) -> dict[str, Any]:
    """All but what every object has."""
    return {field: value for field, value in obj.items() if field not in ("apiVersion", "kind", "metadata")}


@case("EV-01")
async def test_an_event_of_the_one_is_one_of_the_other(api: Api):
    old, new = _collections(api)
    made = await api.made(old, _about(api, OLD))
    found = (await api.get(f"{new}/a")).body
    assert (found["apiVersion"], found["kind"]) == ("events.k8s.io/v1", "Event")
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    assert found["metadata"]["managedFields"] == made["metadata"]["managedFields"]
    assert _parts(found) == {
        "eventTime": None,
        "regarding": OLD["involvedObject"] | {"namespace": api.namespace},
        "reason": "Pulled",
        "note": "there it is",
        "deprecatedSource": OLD["source"],
        "deprecatedFirstTimestamp": OLD["firstTimestamp"],
        "deprecatedLastTimestamp": OLD["lastTimestamp"],
        "deprecatedCount": 3,
        "type": "Warning",
    }


@case("EV-01")
async def test_an_event_of_the_other_is_one_of_the_one(api: Api):
    old, new = _collections(api)
    await api.made(new, _about(api, NEW))
    shown = (await api.get(f"{new}/a")).body
    assert _parts(shown) == NEW | {
        "regarding": NEW["regarding"] | {"namespace": api.namespace},
        "deprecatedSource": {},
        "deprecatedFirstTimestamp": None,
        "deprecatedLastTimestamp": None,
    }
    found = (await api.get(f"{old}/a")).body
    assert (found["apiVersion"], found["metadata"]["uid"]) == ("v1", shown["metadata"]["uid"])
    same = ("eventTime", "related", "reportingInstance", "action", "reason", "type", "series")
    assert _parts(found) == {field: NEW[field] for field in same} | {
        "involvedObject": NEW["regarding"] | {"namespace": api.namespace},
        "message": "there it is",
        "reportingComponent": "conformance.dev/c",
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
    }


@case("EV-02")
async def test_a_watch_of_either_shows_the_events_of_both(api: Api):
    old, new = _collections(api)
    version = (await api.get(new)).body["metadata"]["resourceVersion"]
    async with api.watch(new, resourceVersion=version) as theirs, api.watch(old, resourceVersion=version) as ours:
        await api.made(old, _about(api, OLD, "a"))
        await api.made(new, _about(api, NEW, "b"))
        await api.delete(f"{new}/a")
        expected = [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]
        shown = await theirs.take(3)
        assert [(one["type"], one["object"]["metadata"]["name"]) for one in shown] == expected
        assert {one["object"]["apiVersion"] for one in shown} == {"events.k8s.io/v1"}
        assert {one["object"]["note"] for one in shown} == {"there it is"}
        assert await ours.seen(3) == expected


@case("EV-02")
async def test_both_are_listed_changed_and_deleted_under_either_name(api: Api):
    old, new = _collections(api)
    await api.made(old, _about(api, OLD, "a"))
    await api.made(new, _about(api, NEW, "b"))
    assert names(await api.get(new)) == names(await api.get(old)) == ["a", "b"]
    assert (await api.merge(f"{new}/a", {"note": "changed"})).code == 200
    assert (await api.merge(f"{old}/b", {"message": "changed", "count": 7})).code == 200
    assert [one["message"] for one in (await api.get(old)).body["items"]] == ["changed", "changed"]
    assert (await api.get(f"{new}/b")).body["deprecatedCount"] == 7
    assert (await api.delete(f"{new}/a")).code == 200
    absent = {"name": "a", "kind": "events"}
    assert (await api.get(f"{old}/a")).refusal["details"] == absent
    assert (await api.get(f"{new}/a")).refusal["details"] == absent | {"group": "events.k8s.io"}
    assert (await api.delete(new)).code == 200
    assert names(await api.get(old)) == []


@case("EV-02")
async def test_an_update_of_an_event_that_changes_nothing_is_none(api: Api):
    _, new = _collections(api)
    made = await api.made(new, _about(api, NEW))
    found = await api.put(f"{new}/a", _about(api, NEW))
    assert (found.code, found.body["metadata"]["resourceVersion"]) == (200, made["metadata"]["resourceVersion"])


@case("EV-03")
async def test_the_other_selects_by_its_own_names(api: Api):
    old, new = _collections(api)
    await api.made(old, _about(api, OLD, "a"))
    await api.made(new, _about(api, NEW, "b"))
    assert names(await api.get(new, fieldSelector="regarding.uid=1")) == ["a"]
    assert names(await api.get(new, fieldSelector="reportingController=conformance.dev/c")) == ["b"]
    assert names(await api.get(new, fieldSelector="type=Warning,reason=Pulled")) == ["a"]
    assert (await api.get(new, fieldSelector="involvedObject.uid=1")).refusal["code"] == 400
    assert (await api.get(new, fieldSelector="source=kubelet")).refusal["code"] == 400


FAULTS = {
    "a time": ({"eventTime": None}, ["eventTime"]),
    "a controller": ({"reportingController": ""}, ["reportingController"]),
    "a qualified controller": ({"reportingController": "a b"}, ["reportingController"]),
    "an instance": ({"reportingInstance": ""}, ["reportingInstance"]),
    "a short instance": ({"reportingInstance": "x" * 129}, ["reportingInstance"]),
    "an action": ({"action": ""}, ["action"]),
    "a short reason": ({"reason": "x" * 129}, ["reason"]),
    "a short note": ({"note": "x" * 1025}, ["message"]),
    "one of two types": ({"type": "Odd"}, ["type"]),
    "a series of at least two": ({"series": {"count": 1}}, ["series.count", "series.lastObservedTime"]),
    "nothing of the old": ({"deprecatedCount": 2, "deprecatedSource": {"component": "c"}}, ["count", "source"]),
}


@case("EV-04", rows=FAULTS)
async def test_a_new_event_of_the_other_has(api: Api, fields, expected):
    _, new = _collections(api)
    answer = await api.create(new, _about(api, NEW, **fields))
    assert (answer.refusal["code"], answer.refusal["reason"]) == (422, "Invalid")
    assert answer.refusal["details"]["kind"] == "Event"
    assert "group" not in answer.refusal["details"]
    assert sorted({field for _, field in answer.causes}) == expected
