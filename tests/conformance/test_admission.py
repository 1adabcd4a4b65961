"""Admission webhooks: what they are asked, what their answers do, and what becomes of a write without one.

The statements: AW-01 a denial; AW-02 warnings; AW-03 what is no answer; AW-04 failurePolicy; AW-05 timeoutSeconds;
AW-06 caBundle; AW-07 services; AW-08 what a request holds; AW-09 dry runs; AW-10 rules; AW-11 selectors; AW-12
matchPolicy; AW-13 patches; AW-14 reinvocationPolicy; AW-15 what changes while a webhook is asked; AW-16 what a
configuration must be; AW-17 configurations are not admitted; AW-18 admissionReviewVersions.
"""

import asyncio
import base64

from aiohttp import web
from conformance.harness import Api, case, config_map, widget
from conformance.webhooks import (
    ALLOWED,
    MUTATING,
    VALIDATING,
    asked,
    configuration,
    hook,
    patch,
    registered,
    rule,
    webhook_for,
)

PATHS = {"validating": VALIDATING, "mutating": MUTATING}
DENIED = 'admission webhook "one.conformance.dev" denied the request'
FAILED = 'Internal error occurred: failed calling webhook "one.conformance.dev": '


def _bare(request, *fields):
    """What does not differ from run to run, of one request."""
    return {name: request[name] for name in fields if name in request}


_DENIALS = [
    ({"allowed": False}, 400, None, f"{DENIED} without explanation"),
    ({"allowed": False, "status": {"message": "no"}}, 400, None, f"{DENIED}: no"),
    ({"allowed": False, "status": {"reason": "Forbidden"}}, 400, "Forbidden", f"{DENIED}: Forbidden"),
    (
        {"allowed": False, "status": {"code": 409, "message": "m", "reason": "Conflict"}},
        409,
        "Conflict",
        f"{DENIED}: m",
    ),
    ({"allowed": False, "status": {"code": 200, "status": "Success", "message": "m"}}, 400, None, f"{DENIED}: m"),
    ({}, 400, None, f"{DENIED} without explanation"),
]


@case("AW-01", rows={name: (path,) for name, path in PATHS.items()})
async def test_a_denial_has_the_code_the_reason_and_the_words_of_its_webhook(api: Api, path):
    answers = [answer for answer, *_ in _DENIALS]
    async with asked(api, path, lambda request: answers.pop(0)):
        for _, *expected in _DENIALS:
            found = await api.create(api.config_maps, config_map())
            assert [found.code, found.body.get("reason"), found.body["message"]] == expected
    assert (await api.get(f"{api.config_maps}/a")).code == 404


@case("AW-01")
async def test_a_denial_keeps_its_details(api: Api):
    status = {"code": 422, "reason": "Invalid", "details": {"causes": [{"reason": "X", "field": "f", "message": "m"}]}}
    answer = {"allowed": False, "status": status}
    async with asked(api, MUTATING, answer):
        found = await api.create(api.config_maps, config_map())
    assert (found.code, found.causes) == (422, [("X", "f")])


@case("AW-02", rows={name: (path,) for name, path in PATHS.items()})
async def test_warnings_of_a_webhook_are_told_whatever_it_decides(api: Api, path):
    answers = [{"allowed": True, "warnings": ["one", "one", 'a "b"']}, {"allowed": False, "warnings": ["two"]}]
    async with asked(api, path, lambda request: answers.pop(0)):
        first = await api.create(api.config_maps, config_map("a"))
        second = await api.create(api.config_maps, config_map("b"))
    assert first.headers.getall("Warning") == ['299 - "one"', r'299 - "a \"b\""']
    assert (second.code, second.headers.getall("Warning")) == (400, ['299 - "two"'])


def _review(**fields):
    return web.json_response({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"} | fields)


_FAILURES = [
    lambda request: web.Response(status=500, text="boom"),
    lambda request: web.Response(status=404),
    lambda request: web.Response(status=301, headers={"Location": "/x"}),
    lambda request: web.Response(text="hello"),
    lambda request: web.json_response([1]),
    lambda request: _review(),
    lambda request: {"uid": "another", "allowed": True},
    lambda request: _review(kind="X", response={"uid": request["uid"], "allowed": True}),
    lambda request: patch({"op": "remove", "path": "/data"}) | {"patchType": None},
    lambda request: patch({"op": "remove", "path": "/data"}) | {"patchType": "X"},
]


@case("AW-03")
async def test_what_is_no_answer_fails_the_write(api: Api):
    answers = [*_FAILURES]
    async with asked(api, MUTATING, answers.pop(0)):
        for _ in _FAILURES:
            found = await api.create(api.config_maps, config_map())
            assert (found.code, found.body["reason"]) == (500, "InternalError")
            assert found.body["message"].startswith(FAILED)
            assert found.body["details"]["causes"] == [{"message": found.body["message"].partition(": ")[2]}]
    assert (await api.get(f"{api.config_maps}/a")).code == 404


@case("AW-03")
async def test_a_validating_webhook_may_not_change_anything(api: Api):
    answer = patch({"op": "add", "path": "/data", "value": {}})
    async with asked(api, VALIDATING, answer):
        found = await api.create(api.config_maps, config_map())
    assert found.code == 500
    assert "validating webhook may not return response.patch" in found.body["message"]


@case("AW-04", rows={name: (path,) for name, path in PATHS.items()})
async def test_a_webhook_that_is_gone_fails_the_write(api: Api, path):
    async with webhook_for(api, lambda request: ALLOWED) as webhook:
        gone = hook(webhook)
    async with registered(api, path, gone):
        found = await api.create(api.widgets, widget())
    assert found.code == 500
    assert "connection refused" in found.body["message"]


@case("AW-04", rows={name: (path,) for name, path in PATHS.items()})
async def test_the_failure_of_a_webhook_can_be_ignored(api: Api, path):
    async with asked(api, path, lambda request: web.Response(status=500), failurePolicy="Ignore") as webhook:
        assert (await api.create(api.config_maps, config_map())).code == 201
        assert webhook.requests


@case("AW-04")
async def test_a_denial_cannot_be_ignored(api: Api):
    async with asked(api, VALIDATING, {"allowed": False}, failurePolicy="Ignore"):
        assert (await api.create(api.config_maps, config_map())).code == 400


@case("AW-05")
async def test_a_webhook_that_hangs_is_waited_for_as_long_as_it_may_take(api: Api):
    async with asked(api, MUTATING, lambda request: None, timeoutSeconds=1) as webhook:
        found = await api.create(api.config_maps, config_map())
    assert found.code == 500
    assert found.body["message"].endswith("context deadline exceeded")
    assert webhook.queries == [{"timeout": "1s"}]


@case("AW-05")
async def test_a_webhook_that_takes_its_time_holds_up_nobody_else(api: Api):
    only, go_on = {"matchLabels": {"slow": "yes"}}, asyncio.Event()

    async def hesitate(request):
        await go_on.wait()
        return ALLOWED

    async with asked(api, MUTATING, hesitate, timeoutSeconds=30, objectSelector=only) as webhook:
        waiting = asyncio.create_task(api.create(api.config_maps, config_map("slow", labels=only["matchLabels"])))

        async def hanging():
            return webhook.requests

        await api.until(hanging)
        assert (await api.create(api.config_maps, config_map("quick"))).code == 201
        assert not waiting.done()
        go_on.set()
        assert (await waiting).code == 201


@case("AW-06")
async def test_a_webhook_must_have_a_certificate_of_its_authority(api: Api):
    async with webhook_for(api, lambda request: ALLOWED) as webhook:
        client = webhook.client() | {"caBundle": webhook.other_authority()}
        async with registered(api, VALIDATING, hook(webhook, clientConfig=client, rules=[rule("widgets")])):
            found = await api.create(api.widgets, widget())
    assert found.code == 500
    assert "x509" in found.body["message"]
    assert webhook.requests == []


@case("AW-07")
async def test_a_service_leads_to_its_external_name(api: Api):
    _, host = api.called_back_at
    name = "localhost" if host == "127.0.0.1" else host  # an external name is no address
    service = {"metadata": {"name": "hook"}, "spec": {"type": "ExternalName", "externalName": name}}
    await api.made(api.core("services"), service)
    async with webhook_for(api, lambda request: ALLOWED) as webhook:
        place = {"name": "hook", "namespace": api.namespace, "path": "/here", "port": webhook.port}
        client = {"service": place, "caBundle": webhook.authority()}
        webhook.certify(f"DNS:hook.{api.namespace}.svc")
        async with registered(api, VALIDATING, hook(webhook, clientConfig=client, rules=[rule("widgets")])):

            async def found():  # a real server hears of services a moment later
                return (await api.create(api.widgets, widget(), dryRun="All")).code == 201

            await api.until(found)
    assert webhook.paths == {"/here"}


@case("AW-08")
async def test_a_create_is_shown_with_its_object(api: Api):
    async with asked(api, VALIDATING, ALLOWED) as webhook:
        made = await api.made(api.widgets, widget())
    (request,) = webhook.requests
    kind = {"group": "conformance.dev", "version": "v1", "kind": "Widget"}
    resource = {"group": "conformance.dev", "version": "v1", "resource": "widgets"}
    expected = {
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": "a",
        "namespace": api.namespace,
        "operation": "CREATE",
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    assert {name: part for name, part in request.items() if name not in ("uid", "userInfo", "object")} == expected
    del made["metadata"]["resourceVersion"]
    made["metadata"].pop("selfLink", None)
    assert request["object"] == made
    assert "system:authenticated" in request["userInfo"]["groups"]


@case("AW-08")
async def test_mutating_webhooks_come_before_the_server_names_and_counts(api: Api):
    body = widget() | {"metadata": {"generateName": "g-"}, "status": {"phase": "x"}}
    async with asked(api, MUTATING, ALLOWED) as first, asked(api, VALIDATING, ALLOWED) as second:
        made = await api.made(api.widgets, body)
    early, late = first.requests[0], second.requests[0]
    assert "name" not in early
    assert late["name"] == made["metadata"]["name"]
    absent = [field for field in ("name", "uid", "generation") if field not in early["object"]["metadata"]]
    assert absent == ["name", "uid", "generation"]
    assert early["object"]["status"] == {"phase": "x"}
    assert late["object"]["metadata"]["name"] == made["metadata"]["name"]
    assert late["object"]["metadata"]["generation"] == 1
    assert "status" not in late["object"]


@case("AW-08")
async def test_an_update_is_shown_with_both_objects(api: Api):
    await api.made(api.widgets, widget())
    async with asked(api, VALIDATING, ALLOWED) as webhook:
        await api.merge(f"{api.widgets}/a", {"spec": {"replicas": 5}}, fieldManager="me")
    (request,) = webhook.requests
    options = {"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "me"}
    assert _bare(request, "operation", "name", "options", "dryRun") == {
        "operation": "UPDATE",
        "name": "a",
        "options": options,
        "dryRun": False,
    }
    shown = [
        (one["spec"]["replicas"], one["metadata"]["generation"]) for one in (request["oldObject"], request["object"])
    ]
    assert shown == [(3, 1), (5, 2)]


@case("AW-08")
async def test_an_update_that_changes_nothing_is_shown_too(api: Api):
    await api.made(api.widgets, widget())
    async with asked(api, VALIDATING, ALLOWED) as webhook:
        await api.merge(f"{api.widgets}/a", {})
    assert [request["operation"] for request in webhook.requests] == ["UPDATE"]


@case("AW-08")
async def test_an_apply_is_a_create_or_an_update(api: Api):
    async with asked(api, MUTATING, ALLOWED) as webhook:
        for replicas in (1, 2):
            await api.apply(f"{api.widgets}/a", widget(spec={"replicas": replicas}))
    found = [(request["operation"], request["options"]["kind"]) for request in webhook.requests]
    assert found == [("CREATE", "CreateOptions"), ("UPDATE", "UpdateOptions")]


@case("AW-08")
async def test_a_deletion_is_shown_with_the_old_object(api: Api):
    made = await api.made(api.widgets, widget())
    async with asked(api, VALIDATING, ALLOWED) as webhook:
        await api.delete(f"{api.widgets}/a", {"propagationPolicy": "Background"})
    (request,) = webhook.requests
    options = {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "propagationPolicy": "Background"}
    assert _bare(request, "operation", "name", "object", "options") == {
        "operation": "DELETE",
        "name": "a",
        "object": None,
        "options": options,
    }
    assert request["oldObject"]["metadata"]["uid"] == made["metadata"]["uid"]


@case("AW-08")
async def test_the_deletion_of_many_is_shown_one_by_one_and_without_names(api: Api):
    for name in ("a", "b"):
        await api.made(api.widgets, widget(name))
    async with asked(api, VALIDATING, ALLOWED) as webhook:
        await api.delete(api.widgets)
    shown = sorted((request.get("name"), request["oldObject"]["metadata"]["name"]) for request in webhook.requests)
    assert shown == [(None, "a"), (None, "b")]


@case("AW-08")
async def test_a_deletion_can_be_denied(api: Api):
    await api.made(api.widgets, widget())
    async with asked(api, VALIDATING, {"allowed": False}, rules=[rule("widgets", operations=["DELETE"])]):
        assert (await api.delete(f"{api.widgets}/a")).code == 400
        assert (await api.delete(api.widgets)).code == 400
    assert (await api.get(f"{api.widgets}/a")).code == 200


@case("AW-08")
async def test_a_write_of_the_status_is_shown_as_such(api: Api):
    await api.made(api.widgets, widget())
    async with asked(api, VALIDATING, ALLOWED) as webhook:
        await api.merge(f"{api.widgets}/a/status", {"status": {"phase": "P"}})
    (request,) = webhook.requests
    assert (request["subResource"], request["requestSubResource"]) == ("status", "status")
    assert request["object"]["status"] == {"phase": "P"}


@case("AW-08")
async def test_a_scaling_is_shown_as_a_scale(api: Api):
    await api.made(api.widgets, widget())
    async with asked(api, VALIDATING, ALLOWED) as webhook:
        await api.merge(f"{api.widgets}/a/scale", {"spec": {"replicas": 7}})
    (request,) = webhook.requests
    assert request["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert (request["subResource"], request["resource"]["resource"]) == ("scale", "widgets")
    assert [one["spec"]["replicas"] for one in (request["oldObject"], request["object"])] == [3, 7]


@case("AW-08")
async def test_writes_of_a_namespace_are_in_that_namespace(api: Api):
    name, path = f"{api.namespace}-new", "/api/v1/namespaces"
    mine = {"matchLabels": {"own": name}}
    async with asked(api, VALIDATING, ALLOWED, rules=[rule("namespaces")], namespaceSelector=mine) as webhook:
        await api.made(path, {"metadata": {"name": name, "labels": {"own": name}}})
        await api.merge(f"{path}/{name}", {"metadata": {"labels": {"more": "yes"}}})
        await api.delete(f"{path}/{name}")
    told = [(one["operation"], one["namespace"], one["name"]) for one in webhook.requests if "subResource" not in one]
    found = list(dict.fromkeys(told))  # a real server tries a write again that its cache was too old for
    assert found == [(operation, name, name) for operation in ("CREATE", "UPDATE", "DELETE")]


@case("AW-09")
async def test_a_dry_run_is_shown_as_one(api: Api):
    async with asked(api, VALIDATING, ALLOWED) as webhook:
        await api.made(api.config_maps, config_map(), dryRun="All")
    (request,) = webhook.requests
    assert request["dryRun"] is True
    assert request["options"]["dryRun"] == ["All"]


@case(
    "AW-10",
    rows={
        "every resource": (rule("*"), True),
        "every subresource of everything": (rule("*/*"), True),
        "the subresource": (rule("widgets/status"), True),
        "every subresource": (rule("widgets/*"), True),
        "the subresource of everything": (rule("*/status"), True),
        "the object alone": (rule("widgets"), False),
        "another group": (rule("widgets/status", apiGroups=["apps"]), False),
        "another version": (rule("widgets/status", apiVersions=["v9"]), False),
        "another operation": (rule("widgets/status", operations=["CREATE", "DELETE"]), False),
        "namespaced kinds": (rule("widgets/status", scope="Namespaced"), True),
        "kinds of the cluster": (rule("widgets/status", scope="Cluster"), False),
    },
)
async def test_a_webhook_is_asked_about_what_its_rules_name(api: Api, wanted, expected):
    expected = expected and wanted["resources"] != ["*"]  # a star alone does not stand for subresources
    await api.made(api.widgets, widget())
    async with asked(api, VALIDATING, ALLOWED, rules=[wanted]) as webhook:
        await api.merge(f"{api.widgets}/a/status", {"status": {"phase": "P"}})
    assert bool(webhook.requests) is expected


@case(
    "AW-11",
    rows={
        "labels": ({"matchLabels": {"color": "red"}}, True),
        "other labels": ({"matchLabels": {"color": "blue"}}, False),
        "expressions": ({"matchExpressions": [{"key": "color", "operator": "In", "values": ["red", "blue"]}]}, True),
        "the absence of a label": ({"matchExpressions": [{"key": "color", "operator": "DoesNotExist"}]}, False),
    },
)
async def test_a_webhook_is_asked_about_the_objects_it_selects(api: Api, selector, expected):
    async with asked(api, VALIDATING, ALLOWED, objectSelector=selector) as webhook:
        await api.made(api.config_maps, config_map(labels={"color": "red"}))
    assert bool(webhook.requests) is expected


@case("AW-11")
async def test_an_object_is_selected_by_what_it_was_or_by_what_it_is(api: Api):
    await api.made(api.config_maps, config_map(labels={"color": "red"}))
    async with asked(api, VALIDATING, ALLOWED, objectSelector={"matchLabels": {"color": "red"}}) as webhook:
        await api.merge(f"{api.config_maps}/a", {"metadata": {"labels": {"color": "blue"}}})

        async def settled():  # a real server tries a patch on what its cache holds first, and admits that too
            cached = await api.get(f"{api.config_maps}/a", resourceVersion="0")
            return cached.body["metadata"]["labels"]["color"] == "blue"

        await api.until(settled)
        await api.merge(f"{api.config_maps}/a", {"data": {"x": "y"}})
    assert len(webhook.requests) == 1


@case("AW-11")
async def test_a_webhook_is_not_asked_about_namespaces_it_does_not_select(api: Api):
    async with webhook_for(api, lambda request: {"allowed": False}) as webhook:
        other = {"matchLabels": {"case": "another"}}
        async with registered(api, VALIDATING, hook(webhook, namespaceSelector=other)):
            await api.made(api.config_maps, config_map())
    assert webhook.requests == []


@case("AW-11")
async def test_a_namespace_is_selected_by_its_own_labels(api: Api):
    name = f"{api.namespace}-new"
    async with asked(api, VALIDATING, {"allowed": False}, rules=[rule("namespaces", scope="Cluster")]) as webhook:
        refused = await api.create(
            "/api/v1/namespaces", {"metadata": {"name": name, "labels": {"case": api.namespace}}}
        )
        await api.made("/api/v1/namespaces", {"metadata": {"name": name}})
    assert refused.code == 400
    assert len(webhook.requests) == 1


def _two_versions(name, storage):
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": free}}


@case("AW-12", rows={"equivalent": ("Equivalent", ["v1"]), "exact": ("Exact", [])})
async def test_another_version_of_a_kind_is_equivalent_or_not(api: Api, policy, expected):
    kind = await api.define(versions=[_two_versions("v1", True), _two_versions("v2", False)])
    async with webhook_for(api, lambda request: ALLOWED) as webhook:
        only = hook(webhook, matchPolicy=policy, rules=[rule(kind.plural, apiVersions=["v1"])])
        async with registered(api, VALIDATING, only):
            await api.made(kind.path("v2"), kind.body(version="v2"))
    assert [request["resource"]["version"] for request in webhook.requests] == expected
    for request in webhook.requests:
        assert request["requestResource"]["version"] == "v2"
        assert request["object"]["apiVersion"] == f"{kind.group}/v1"
        assert request["kind"]["version"] == "v1"


def _add(name):
    return patch({"op": "add", "path": f"/metadata/annotations/{name}", "value": "yes"})


@case("AW-13")
async def test_a_patch_changes_what_is_stored(api: Api):
    answer = patch({"op": "replace", "path": "/spec/replicas", "value": 9})
    async with asked(api, MUTATING, answer):
        made = await api.made(api.widgets, widget())
    assert made["spec"]["replicas"] == 9
    assert (await api.get(f"{api.widgets}/a")).body["spec"]["replicas"] == 9


@case("AW-13")
async def test_what_a_patch_makes_is_pruned_defaulted_and_validated(api: Api):
    answer = patch({"op": "replace", "path": "/spec", "value": {"replicas": 2, "nowhere": 1}})
    wrong = patch({"op": "replace", "path": "/spec", "value": {"replicas": 99}})
    answers = [answer, wrong]
    async with asked(api, MUTATING, lambda request: answers.pop(0)):
        made = await api.made(api.widgets, widget())
        refused = await api.create(api.widgets, widget("b"))
    assert made["spec"] == {"replicas": 2, "mode": "fast"}
    assert (refused.code, refused.causes) == (422, [("FieldValueInvalid", "spec.replicas")])


@case("AW-13")
async def test_webhooks_see_what_the_ones_before_them_made(api: Api):
    async with (
        webhook_for(api, lambda request: _add("one")) as one,
        webhook_for(api, lambda request: _add("two")) as two,
    ):
        hooks = (hook(one), hook(two, "two.conformance.dev"))
        async with registered(api, MUTATING, *hooks), asked(api, VALIDATING, ALLOWED) as judge:
            await api.made(api.widgets, widget(annotations={"own": "yes"}))
    shown = [sorted(each.requests[0]["object"]["metadata"]["annotations"]) for each in (one, two, judge)]
    assert shown == [["own"], ["one", "own"], ["one", "own", "two"]]


@case("AW-14", rows={"if needed": ("IfNeeded", 2), "never": ("Never", 1)})
async def test_a_webhook_is_asked_again_about_later_changes_if_it_wants(api: Api, policy, times):
    async with webhook_for(api, lambda request: ALLOWED) as one, webhook_for(api, lambda request: _add("two")) as two:
        hooks = (hook(one, reinvocationPolicy=policy), hook(two, "two.conformance.dev", reinvocationPolicy=policy))
        async with registered(api, MUTATING, *hooks):
            await api.made(api.widgets, widget(annotations={"own": "yes"}))
    assert (len(one.requests), len(two.requests)) == (times, 1)
    assert sorted(one.requests[-1]["object"]["metadata"]["annotations"]) == ["own", "two"][:times]


@case(
    "AW-13",
    rows={
        "a path that is not there": (patch({"op": "remove", "path": "/nowhere"}),),
        "no list of operations": (ALLOWED | {"patchType": "JSONPatch", "patch": base64.b64encode(b"{}").decode()},),
    },
)
async def test_a_patch_that_cannot_be_performed_fails_the_write(api: Api, answer):
    async with asked(api, MUTATING, answer):
        found = await api.create(api.config_maps, config_map())
    assert (found.code, found.body["reason"]) == (500, "InternalError")


@case("AW-13")
async def test_a_deletion_cannot_be_patched(api: Api):
    await api.made(api.config_maps, config_map())
    async with asked(api, MUTATING, _add("one"), rules=[rule("configmaps", operations=["DELETE"])]):
        found = await api.delete(f"{api.config_maps}/a")
    assert found.code == 500
    assert "attempted to modify the object" in found.body["message"]


@case("AW-13")
async def test_a_webhook_may_scale(api: Api):
    await api.made(api.widgets, widget())
    answer = patch({"op": "replace", "path": "/spec/replicas", "value": 4})
    async with asked(api, MUTATING, answer, rules=[rule("widgets/scale")]):
        found = await api.merge(f"{api.widgets}/a/scale", {"spec": {"replicas": 7}})
    assert found.body["spec"]["replicas"] == 4
    assert (await api.get(f"{api.widgets}/a")).body["spec"]["replicas"] == 4


@case("AW-15")
async def test_a_patch_is_taken_again_when_the_object_changed_while_a_webhook_was_asked(api: Api):
    await api.made(api.config_maps, config_map(data={"a": "1"}))
    seen = []

    async def interfere(request):
        seen.append(request["object"]["data"])
        if len(seen) == 1:
            await api.merge(f"{api.config_maps}/a", {"data": {"b": "2"}})
        return ALLOWED

    only = {"matchLabels": {"slow": "yes"}}
    async with asked(api, VALIDATING, interfere, objectSelector=only):
        found = await api.merge(f"{api.config_maps}/a", {"metadata": {"labels": {"slow": "yes"}}, "data": {"c": "3"}})
    assert found.body["data"] == {"a": "1", "b": "2", "c": "3"}
    assert seen == [{"a": "1", "c": "3"}, {"a": "1", "b": "2", "c": "3"}]


@case("AW-15")
async def test_an_update_conflicts_with_what_happened_while_a_webhook_was_asked(api: Api):
    made = await api.made(api.config_maps, config_map(data={"a": "1"}))
    made["metadata"]["labels"] = {"slow": "yes"}

    async def interfere(request):
        await api.merge(f"{api.config_maps}/a", {"data": {"b": "2"}})
        return ALLOWED

    only = {"matchLabels": {"slow": "yes"}}
    async with asked(api, VALIDATING, interfere, objectSelector=only):
        found = await api.put(f"{api.config_maps}/a", made)
    assert (found.code, found.body["reason"]) == (409, "Conflict")


@case("AW-16")
async def test_a_configuration_is_completed(api: Api):
    async with webhook_for(api, lambda request: ALLOWED) as webhook:
        entry = hook(webhook, rules=[rule("nowhere")])
        del entry["timeoutSeconds"]
        made = await api.made(MUTATING, configuration(MUTATING, api.namespace, entry), dryRun="All")
    (found,) = made["webhooks"]
    names = ("failurePolicy", "matchPolicy", "timeoutSeconds", "reinvocationPolicy", "namespaceSelector")
    assert [found[name] for name in names] == ["Fail", "Equivalent", 10, "Never", {}]
    assert found["rules"][0]["scope"] == "*"
    assert made["metadata"]["generation"] == 1


@case(
    "AW-16",
    rows={
        "a name without three parts": ({"name": "x"}, [("FieldValueInvalid", "webhooks[0].name")]),
        "side effects": ({"sideEffects": "Some"}, [("FieldValueNotSupported", "webhooks[0].sideEffects")]),
        "no word on side effects": ({"sideEffects": None}, [("FieldValueRequired", "webhooks[0].sideEffects")]),
        "a long timeout": ({"timeoutSeconds": 31}, [("FieldValueInvalid", "webhooks[0].timeoutSeconds")]),
        "no review version": (
            {"admissionReviewVersions": []},
            [("FieldValueRequired", "webhooks[0].admissionReviewVersions")],
        ),
        "an unknown review version": (
            {"admissionReviewVersions": ["v9"]},
            [("FieldValueInvalid", "webhooks[0].admissionReviewVersions")],
        ),
        "policies": (
            {"failurePolicy": "X", "matchPolicy": "Y"},
            [
                ("FieldValueNotSupported", "webhooks[0].failurePolicy"),
                ("FieldValueNotSupported", "webhooks[0].matchPolicy"),
            ],
        ),
        "a selector": (
            {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "X"}]}},
            [("FieldValueInvalid", "webhooks[0].namespaceSelector.matchExpressions[0].operator")],
        ),
        "an empty rule": (
            {"rules": [{}]},
            [
                ("FieldValueRequired", f"webhooks[0].rules[0].{field}")
                for field in ("apiGroups", "apiVersions", "operations", "resources")
            ],
        ),
        "a star among others": (
            {"rules": [rule("a", apiVersions=["*", "v1"])]},
            [("FieldValueInvalid", "webhooks[0].rules[0].apiVersions")],
        ),
        "an operation": (
            {"rules": [rule("a", operations=["X"])]},
            [("FieldValueNotSupported", "webhooks[0].rules[0].operations[0]")],
        ),
        "a scope": ({"rules": [rule("a", scope="X")]}, [("FieldValueNotSupported", "webhooks[0].rules[0].scope")]),
        "no client": ({"clientConfig": {}}, [("FieldValueRequired", "webhooks[0].clientConfig")]),
        "an empty service": (
            {"clientConfig": {"service": {}}},
            [
                ("FieldValueRequired", "webhooks[0].clientConfig.service.name"),
                ("FieldValueRequired", "webhooks[0].clientConfig.service.namespace"),
            ],
        ),
        "plain HTTP": (
            {"clientConfig": {"url": "http://x/"}},
            [("FieldValueInvalid", "webhooks[0].clientConfig.url")],
        ),
        "a query": (
            {"clientConfig": {"url": "https://x/?y=z"}},
            [("FieldValueInvalid", "webhooks[0].clientConfig.url")],
        ),
        "a port": (
            {"clientConfig": {"service": {"name": "a", "namespace": "b", "port": 0}}},
            [("FieldValueInvalid", "webhooks[0].clientConfig.service.port")],
        ),
    },
)
async def test_a_configuration_that_cannot_work_is_refused(api: Api, fields, causes):
    async with webhook_for(api, lambda request: ALLOWED) as webhook:
        answer = await api.create(VALIDATING, configuration(VALIDATING, api.namespace, hook(webhook, **fields)))
    assert (answer.code, answer.causes) == (422, causes)


@case("AW-16")
async def test_two_webhooks_of_a_configuration_have_two_names(api: Api):
    async with webhook_for(api, lambda request: ALLOWED) as webhook:
        twice = configuration(VALIDATING, api.namespace, hook(webhook), hook(webhook))
        answer = await api.create(VALIDATING, twice, dryRun="All")
    assert (answer.code, answer.causes) == (422, [("FieldValueDuplicate", "webhooks[1].name")])


@case("AW-17")
async def test_webhooks_are_not_asked_about_configurations_of_webhooks(api: Api):
    async with webhook_for(api, lambda request: {"allowed": False}) as webhook:
        everything = hook(webhook, rules=[rule("*", apiGroups=["admissionregistration.k8s.io"])])
        async with registered(api, VALIDATING, everything):
            answer = await api.merge(f"{VALIDATING}/{api.namespace}", {"metadata": {"labels": {"a": "b"}}})
    assert answer.code == 200
    assert webhook.requests == []


@case("AW-18")
async def test_the_older_review_version_is_understood(api: Api):
    answer = {"allowed": False, "status": {"message": "no"}}
    async with asked(api, VALIDATING, answer, admissionReviewVersions=["v9", "v1beta1", "v1"]) as webhook:
        found = await api.create(api.config_maps, config_map())
    assert (found.code, found.body["message"]) == (400, f"{DENIED}: no")
    assert webhook.reviews[0]["apiVersion"] == "admission.k8s.io/v1beta1"
