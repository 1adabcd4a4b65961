"""Several versions of a kind: objects are stored in one, written and read in all, and converted by a webhook."""

import contextlib
import copy

from aiohttp import web
from conformance.harness import CRDS, Api, Kind, case, stable
from conformance.webhooks import webhook_for

_FIELDS = {"v1": "host", "v2": "target"}


def _version(name, storage, **spec):
    properties = {_FIELDS[name]: {"type": "string"}} | spec
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}
    return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema}}


def converted(obj, version):
    """The object in another version, as the webhook of these cases does it."""
    obj, wanted = copy.deepcopy(obj), version.rpartition("/")[2]
    (other,) = _FIELDS.keys() - {wanted}
    obj["apiVersion"] = version
    spec = obj.get("spec", {})
    if _FIELDS[other] in spec:
        spec[_FIELDS[wanted]] = spec.pop(_FIELDS[other])
    return obj


def answered(request, change=lambda obj: None):
    objects = [converted(obj, request["desiredAPIVersion"]) for obj in request["objects"]]
    for obj in objects:
        change(obj)
    return {"result": {"status": "Success"}, "convertedObjects": objects}


class Converter:
    """What the webhook does at the moment."""

    def __init__(self):
        self.act = answered

    def __call__(self, request):
        return self.act(request)


@contextlib.asynccontextmanager
async def _defined(api: Api, *versions):
    """A kind with a conversion webhook, the webhook, and what steers it."""
    converter = Converter()
    async with webhook_for(api, converter) as webhook:
        review = {"clientConfig": webhook.client(), "conversionReviewVersions": ["v1"]}
        conversion = {"strategy": "Webhook", "webhook": review}
        versions = versions or (_version("v1", True), _version("v2", False))
        kind = await api.define(versions=[*versions], conversion=conversion)
        try:
            yield kind, webhook, converter
        finally:
            # A kind that nobody converts any more would hold up the garbage collector of a real server for good.
            converter.act = answered
            await api.delete(kind.crd)
            await api.gone(kind.crd)


@case("K-09", "K-11")
async def test_an_object_is_read_in_every_version(api: Api):
    async with _defined(api) as (kind, _, _):
        made = await api.made(kind.path("v2"), kind.body(version="v2", spec={"target": "x"}))
        first, second = [(await api.get(f"{kind.path(version)}/a")).body for version in ("v1", "v2")]
    assert made["spec"] == {"target": "x"}
    assert (first["apiVersion"], first["spec"]) == (f"{kind.group}/v1", {"host": "x"})
    assert (second["apiVersion"], second["spec"]) == (f"{kind.group}/v2", {"target": "x"})
    assert first["metadata"] == second["metadata"] == made["metadata"]


@case("K-11")
async def test_what_is_in_the_stored_version_is_not_converted(api: Api):
    async with _defined(api) as (kind, webhook, _):
        await api.made(kind.path(), kind.body(spec={"host": "x"}))
        await api.get(f"{kind.path()}/a")
        await api.get(kind.path())
        found = [*webhook.requests]
    # A real server keeps a cache for every version, which may ask for itself.
    assert [request for request in found if request["desiredAPIVersion"] == f"{kind.group}/v1"] == []


@case("K-11")
async def test_a_review_holds_the_objects_and_the_version_wanted(api: Api):
    async with _defined(api) as (kind, webhook, _):
        await api.made(kind.path(), kind.body(spec={"host": "x"}))
        await api.get(f"{kind.path('v2')}/a")
        review = webhook.reviews[0]
    assert (review["apiVersion"], review["kind"]) == ("apiextensions.k8s.io/v1", "ConversionReview")
    assert sorted(review["request"]) == ["desiredAPIVersion", "objects", "uid"]
    assert review["request"]["desiredAPIVersion"] == f"{kind.group}/v2"
    assert [stable(obj)["spec"] for obj in review["request"]["objects"]] == [{"host": "x"}]
    assert webhook.queries[0] == {"timeout": "30s"}


@case("K-11", "L-01")
async def test_a_list_is_in_the_version_asked_for(api: Api):
    async with _defined(api) as (kind, _, _):
        for name in ("a", "b"):
            await api.made(kind.path(), kind.body(name, spec={"host": name}))
        found = (await api.get(kind.path("v2"))).body
    assert found["apiVersion"] == f"{kind.group}/v2"
    assert [(one["apiVersion"], one["spec"]) for one in found["items"]] == [
        (f"{kind.group}/v2", {"target": "a"}),
        (f"{kind.group}/v2", {"target": "b"}),
    ]


@case("K-11", "W-03")
async def test_a_watch_is_in_the_version_asked_for(api: Api):
    async with _defined(api) as (kind, _, _):
        await api.made(kind.path(), kind.body(spec={"host": "x"}))
        async with api.watch(kind.path("v2")) as watch:
            (first,) = await watch.take(1)
            await api.merge(f"{kind.path()}/a", {"spec": {"host": "y"}})
            await api.delete(f"{kind.path()}/a")
            changed, deleted = await watch.take(2)
    found = [(event["type"], event["object"]["spec"]) for event in (first, changed, deleted)]
    assert found == [("ADDED", {"target": "x"}), ("MODIFIED", {"target": "y"}), ("DELETED", {"target": "y"})]


@case("K-11", "U-05")
async def test_an_object_is_written_in_every_version(api: Api):
    async with _defined(api) as (kind, _, _):
        made = await api.made(kind.path(), kind.body(spec={"host": "x"}))
        patched = await api.merge(f"{kind.path('v2')}/a", {"spec": {"target": "y"}})
        body = kind.body(version="v2", spec={"target": "z"})
        body["metadata"]["resourceVersion"] = patched.version
        put = await api.put(f"{kind.path('v2')}/a", body)
        found = (await api.get(f"{kind.path()}/a")).body
    assert (patched.body["spec"], put.body["spec"], found["spec"]) == ({"target": "y"}, {"target": "z"}, {"host": "z"})
    assert found["metadata"]["generation"] == made["metadata"]["generation"] + 2


@case("K-11", "U-08")
async def test_a_write_that_changes_nothing_in_another_version_is_none(api: Api):
    async with _defined(api) as (kind, _, _):
        made = await api.made(kind.path(), kind.body(spec={"host": "x"}))
        answer = await api.merge(f"{kind.path('v2')}/a", {"spec": {"target": "x"}})
    assert answer.version == made["metadata"]["resourceVersion"]


@case("K-02", "K-11", rows={"by a webhook": (True,), "by name": (False,)})
async def test_what_is_read_has_the_defaults_of_the_version_in_which_it_is_stored(api: Api, by_webhook):
    mode = {"mode": {"type": "string"}}
    versions = [_version("v1", True, **mode), _version("v2", False, mode={"type": "string", "default": "slow"})]
    async with _defined(api, *versions) as (converted_kind, _, _):
        kind = converted_kind if by_webhook else await api.define(versions=versions)
        await api.made(kind.path(), kind.body(spec={}))
        before = (await api.get(f"{kind.path('v2')}/a")).body
        versions[0] = _version("v1", True, mode={"type": "string", "default": "fast"})
        await api.merge(kind.crd, {"spec": {"versions": versions}})

        async def defaulted():
            return (await api.get(f"{kind.path('v2')}/a")).body["spec"]

        after = await api.until(defaulted)
    assert (before["spec"], after) == ({}, {"mode": "fast"})


@case("K-01", "K-11")
async def test_what_is_converted_is_pruned_by_the_schema_of_its_version(api: Api):
    async with _defined(api) as (kind, _, converter):
        await api.made(kind.path(), kind.body(spec={"host": "x"}))
        converter.act = lambda request: answered(request, lambda obj: obj["spec"].update(nowhere=1))
        found = (await api.get(f"{kind.path('v2')}/a")).body
    assert found["spec"] == {"target": "x"}


@case("K-11")
async def test_a_conversion_changes_labels_and_annotations_and_nothing_else_of_the_metadata(api: Api):
    def change(obj):
        obj["metadata"] |= {"labels": {"l": "x"}, "annotations": {"a": "y"}, "finalizers": ["own.dev/f"]}
        obj["metadata"]["creationTimestamp"] = "2001-01-01T00:00:00Z"

    async with _defined(api) as (kind, _, converter):
        made = await api.made(kind.path(), kind.body(spec={"host": "x"}))
        converter.act = lambda request: answered(request, change)
        found = (await api.get(f"{kind.path('v2')}/a")).body
    assert found["metadata"] == made["metadata"] | {"labels": {"l": "x"}, "annotations": {"a": "y"}}


def _renamed(obj):
    obj["metadata"]["name"] = "other"


def _rekinded(obj):
    obj["kind"] = "Other"


def _reversioned(obj):
    obj["apiVersion"] = "other/v1"


@case("K-11")
async def test_a_conversion_may_take_labels_away(api: Api):
    async with _defined(api) as (kind, _, converter):
        body = kind.body(spec={"host": "x"})
        body["metadata"]["labels"] = {"l": "x"}
        await api.made(kind.path(), body)
        converter.act = lambda request: answered(request, lambda obj: obj["metadata"].pop("labels"))
        found = (await api.get(f"{kind.path('v2')}/a")).body
    assert "labels" not in found["metadata"]


_FAILED = "conversion webhook for {group}/v1, Kind={kind} "
_FAILURES = {
    "an error of the webhook": (
        lambda request: web.Response(status=500, text="boom"),
        _FAILED + 'failed: an error on the server ("boom") has prevented the request from succeeding',
    ),
    "a refusal": (
        lambda request: {"result": {"status": "Failure", "message": "no way"}},
        _FAILED + "failed: no way",
    ),
    "a refusal without a word": (
        lambda request: {"result": {"status": "Failure"}},
        _FAILED + "failed: response.result.status was 'Failure', not 'Success'",
    ),
    "fewer objects": (
        lambda request: answered(request) | {"convertedObjects": []},
        _FAILED + "returned 0 objects, expected 1",
    ),
    "another name": (
        lambda request: answered(request, _renamed),
        _FAILED + "returned invalid object: must have the same name: a != other",
    ),
    "another kind": (
        lambda request: answered(request, _rekinded),
        _FAILED + "returned invalid object at index 0: invalid kind (expected {kind}, received Other)",
    ),
    "another version": (
        lambda request: answered(request, _reversioned),
        _FAILED + "returned invalid object at index 0: invalid groupVersion (expected {group}/v2, received other/v1)",
    ),
}


@case("K-11")
async def test_a_failed_conversion_is_an_error_without_a_reason(api: Api):
    async with _defined(api) as (kind, _, converter):
        await api.made(kind.path(), kind.body(spec={"host": "x"}))
        for act, message in _FAILURES.values():
            converter.act = act
            answer = await api.get(f"{kind.path('v2')}/a")
            expected = message.format(group=kind.group, kind=kind.definition["spec"]["names"]["kind"])
            assert (answer.code, answer.body["message"]) == (500, expected)
            assert "reason" not in answer.body


@case("K-11")
async def test_what_cannot_be_converted_cannot_be_worked_with(api: Api):
    async with _defined(api) as (kind, _, converter):
        await api.made(kind.path(), kind.body(spec={"host": "x"}))
        converter.act = _FAILURES["a refusal"][0]
        answers = [
            await api.get(kind.path("v2")),
            await api.create(kind.path("v2"), kind.body("b", version="v2")),
            await api.merge(f"{kind.path('v2')}/a", {"spec": {"target": "y"}}),
            await api.delete(f"{kind.path('v2')}/a"),
        ]
        assert [answer.code for answer in answers] == [500] * 4
        assert (await api.get(f"{kind.path()}/a")).body["spec"] == {"host": "x"}
        assert (await api.get(f"{kind.path()}/b")).code == 404


@case("K-06", "R-03")
async def test_the_versions_in_which_objects_were_stored_are_remembered(api: Api):
    async with _defined(api) as (kind, _, _):
        await api.made(kind.path(), kind.body(spec={"host": "x"}))
        versions = [_version("v1", False), _version("v2", True)]
        await api.merge(kind.crd, {"spec": {"versions": versions}})

        async def stored():
            return len((await api.get(kind.crd)).body["status"]["storedVersions"]) == 2

        await api.until(stored)
        refused = await api.merge(kind.crd, {"spec": {"versions": versions[1:]}})
        found = [(await api.get(f"{kind.path(version)}/a")).body["spec"] for version in ("v1", "v2")]
    assert (refused.code, refused.causes) == (422, [("FieldValueInvalid", "status.storedVersions[0]")])
    assert found == [{"host": "x"}, {"target": "x"}]


@case("K-09")
async def test_without_a_webhook_another_version_is_another_name(api: Api):
    kind = await api.define(versions=[_version("v1", True, same={"type": "string"}), _version("v2", False)])
    await api.made(kind.path(), kind.body(spec={"host": "x", "same": "y"}))
    first = (await api.get(f"{kind.path()}/a")).body
    second = (await api.get(f"{kind.path('v2')}/a")).body
    assert first["spec"] == {"host": "x", "same": "y"}
    assert (second["apiVersion"], second["spec"]) == (f"{kind.group}/v2", {})


_CLIENT = {"url": "https://x/"}
_CONVERSIONS = {
    "no strategy": ({"strategy": "X"}, [("FieldValueNotSupported", "spec.conversion.strategy")]),
    "no webhook": (
        {"strategy": "Webhook"},
        [
            ("FieldValueRequired", "spec.conversion.conversionReviewVersions"),
            ("FieldValueRequired", "spec.conversion.webhookClientConfig"),
        ],
    ),
    "no review version": (
        {"strategy": "Webhook", "webhook": {"clientConfig": _CLIENT, "conversionReviewVersions": []}},
        [("FieldValueRequired", "spec.conversion.conversionReviewVersions")],
    ),
    "an unknown review version": (
        {"strategy": "Webhook", "webhook": {"clientConfig": _CLIENT, "conversionReviewVersions": ["v7"]}},
        [("FieldValueInvalid", "spec.conversion.conversionReviewVersions")],
    ),
    "plain HTTP": (
        {"strategy": "Webhook", "webhook": {"clientConfig": {"url": "http://x/"}, "conversionReviewVersions": ["v1"]}},
        [("FieldValueInvalid", "spec.conversion.webhookClientConfig.url")],
    ),
    "a webhook that is not called": (
        {"strategy": "None", "webhook": {"clientConfig": _CLIENT, "conversionReviewVersions": ["v1"]}},
        [
            ("FieldValueForbidden", "spec.conversion.conversionReviewVersions"),
            ("FieldValueForbidden", "spec.conversion.webhookClientConfig"),
        ],
    ),
}


@case("R-09", rows=_CONVERSIONS)
async def test_a_conversion_that_cannot_work_is_refused(api: Api, conversion, causes):
    kind = Kind.of("things", conversion=conversion)
    answer = await api.create(CRDS, kind.definition, dryRun="All")
    assert (answer.code, answer.causes) == (422, causes)
