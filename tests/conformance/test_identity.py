"""Identity: tokens and whose they are, acting for somebody else, and the questions about both."""

import base64
import json
from typing import Any

from conformance.harness import Api, case, pod
from conformance.test_roles import NOBODY, PODS, REVIEWS, allowed, granted, rule

TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"


async def _account(api: Api, name: str = "bot") -> str:
    await api.made(api.core("serviceaccounts"), {"metadata": {"name": name}})
    return f"{api.core('serviceaccounts')}/{name}/token"


async def _token(api: Api, **spec: Any) -> str:
    found = await api.made(await _account(api), {"spec": spec})
    return found["status"]["token"]


async def _review(api: Api, token: str, **spec: Any) -> dict[str, Any]:
    return (await api.made(TOKENS, {"spec": {"token": token} | spec}))["status"]


@case("A-03")
async def test_an_account_is_given_a_token(api: Api):
    found = await api.made(await _account(api), {"spec": {"expirationSeconds": 700}})
    assert (found["kind"], found["apiVersion"]) == ("TokenRequest", "authentication.k8s.io/v1")
    assert found["spec"]["expirationSeconds"] == 700
    assert len(found["spec"]["audiences"]) == 1
    assert found["status"]["expirationTimestamp"].endswith("Z")
    claims = json.loads(base64.urlsafe_b64decode(found["status"]["token"].split(".")[1] + "=="))
    assert claims["sub"] == f"system:serviceaccount:{api.namespace}:bot"
    assert claims["exp"] - claims["iat"] == 700
    assert claims["kubernetes.io"]["serviceaccount"]["name"] == "bot"


@case("A-03")
async def test_a_token_is_its_accounts(api: Api):
    token = await _token(api)
    await granted(
        api,
        rule("get", "", "configmaps"),
        subject={"kind": "ServiceAccount", "name": "bot", "namespace": api.namespace},
        name=f"system:serviceaccount:{api.namespace}:bot",
    )
    assert (await api.bearing(token).get(f"{api.config_maps}/a")).code == 404
    assert (await api.bearing(token).get(api.config_maps)).code == 403


@case("A-03")
async def test_an_account_is_in_the_groups_of_accounts(api: Api):
    status = await _review(api, await _token(api))
    assert status["authenticated"] is True
    assert status["user"]["username"] == f"system:serviceaccount:{api.namespace}:bot"
    groups = ["system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{api.namespace}"]
    assert sorted(status["user"]["groups"]) == groups
    assert len(status["audiences"]) == 1


@case("A-03")
async def test_a_token_for_others_is_not_for_the_server(api: Api):
    token = await _token(api, audiences=["one", "two"])
    assert (await api.bearing(token).get("/api")).refusal == {"code": 401, "reason": "Unauthorized"}
    assert "authenticated" not in await _review(api, token)
    assert (await _review(api, token, audiences=["two", "three"]))["audiences"] == ["two"]


@case("A-03")
async def test_a_token_ends_with_its_account(api: Api):
    path = await _account(api)
    # One for each time that we ask: a token that was good is taken for good for some seconds.
    tokens = [(await api.made(path, {"spec": {}}))["status"]["token"] for _ in range(20)]
    await api.delete(f"{api.core('serviceaccounts')}/bot")

    async def refused() -> bool:
        token = tokens.pop() if len(tokens) > 1 else tokens[0]
        return (await api.bearing(token).get("/api")).code == 401

    await api.until(refused)


@case("A-03")
async def test_a_token_ends_with_the_pod_that_it_is_bound_to(api: Api):
    body = pod()
    body["spec"]["serviceAccountName"] = "bot"
    made = await api.made(api.core("pods"), body)
    token = await _token(api, boundObjectRef={"kind": "Pod", "apiVersion": "v1", "name": "a"})
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["kubernetes.io"]["pod"] == {"name": "a", "uid": made["metadata"]["uid"]}
    await api.delete(f"{api.core('pods')}/a", {"gracePeriodSeconds": 0})

    async def refused() -> bool:
        return (await api.bearing(token).get("/api")).code == 401

    await api.until(refused)


@case(
    "A-03",
    rows={
        "too short a life": ({"expirationSeconds": 10}, 422, "Invalid"),
        "a pod that is not there": (
            {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "no"}},
            404,
            "NotFound",
        ),
        "a pod of another account": (
            {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "a"}},
            400,
            "BadRequest",
        ),
        "something that no token is bound to": (
            {"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "no"}},
            400,
            "BadRequest",
        ),
    },
)
async def test_a_token_that_cannot_be_had(api: Api, spec: dict[str, Any], code: int, reason: str):
    await api.made(api.core("pods"), pod())
    answer = await api.create(await _account(api), {"spec": spec})
    assert (answer.code, answer.body["reason"]) == (code, reason)


@case("A-03")
async def test_a_token_of_an_account_that_is_not_there(api: Api):
    answer = await api.create(f"{api.core('serviceaccounts')}/no/token", {"spec": {}})
    assert answer.refusal["details"] == {"name": "no", "kind": "serviceaccounts"}
    assert answer.code == 404


@case("A-03", rows={method: (method,) for method in ("GET", "PUT", "DELETE")})
async def test_tokens_are_made_and_nothing_else(api: Api, method: str):
    path = await _account(api)
    assert (await api.request(method, path, {} if method == "PUT" else None)).code == 405


@case("A-03")
async def test_a_review_knows_the_administrators_token(api: Api):
    status = await _review(api, api.token)
    assert (status["authenticated"], status["user"]["username"]) == (True, "admin")
    assert "system:masters" in status["user"]["groups"]


@case("A-03")
async def test_a_review_of_an_unknown_token(api: Api):
    status = await _review(api, "no-such-token")
    assert "authenticated" not in status
    assert status["error"]


@case("A-03")
async def test_a_review_of_no_token_is_a_bad_request(api: Api):
    assert (await api.create(TOKENS, {"spec": {}})).refusal == {"code": 400, "reason": "BadRequest"}


@case(
    "A-03",
    rows={
        "nothing": ("selfsubjectaccessreviews", {}, ["spec.resourceAttributes"]),
        "both kinds of access": (
            "selfsubjectaccessreviews",
            {"resourceAttributes": PODS, "nonResourceAttributes": {"verb": "get", "path": "/"}},
            ["spec.nonResourceAttributes"],
        ),
        "nobody": ("subjectaccessreviews", {"resourceAttributes": PODS}, ["spec.user"]),
        "nobody and nothing": ("subjectaccessreviews", {}, ["spec.resourceAttributes", "spec.user"]),
    },
)
async def test_a_question_that_asks_too_little_or_too_much(api: Api, kind: str, spec: Any, fields: list[str]):
    answer = await api.create(f"{REVIEWS}/{kind}", {"spec": spec})
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert answer.causes == [("FieldValueInvalid", field) for field in fields]


@case("A-03")
async def test_everybody_may_ask_what_they_may_themselves(api: Api):
    name = await granted(api, rule("get", "", "pods"))
    for attributes, expected in ((PODS, True), (PODS | {"verb": "list"}, False)):
        body = {"spec": {"resourceAttributes": attributes | {"namespace": api.namespace}}}
        found = await api.acting(name).made(f"{REVIEWS}/selfsubjectaccessreviews", body)
        assert found["status"]["allowed"] is expected
    assert (await api.acting(name).create(f"{REVIEWS}/subjectaccessreviews", {})).code == 403


@case("A-03")
async def test_a_question_in_a_namespace_is_about_that_namespace(api: Api):
    name = await granted(api, rule("get", "", "pods"))
    path = f"{REVIEWS}/namespaces/{api.namespace}/localsubjectaccessreviews"
    body = {
        "metadata": {"namespace": api.namespace},
        "spec": {"user": name, "resourceAttributes": PODS | {"namespace": api.namespace}},
    }
    assert (await api.made(path, body))["status"]["allowed"] is True
    body["spec"]["resourceAttributes"]["namespace"] = "default"
    assert (await api.create(path, body)).code in (400, 422)


@case("A-03")
async def test_the_rules_of_a_user_in_a_namespace(api: Api):
    mine = rule("get", "", "pods", resourceNames=["a"])
    name = await granted(api, mine)
    body = {"spec": {"namespace": api.namespace}}
    status = (await api.acting(name).made(f"{REVIEWS}/selfsubjectrulesreviews", body))["status"]
    assert mine in status["resourceRules"]
    assert any("/version" in one["nonResourceURLs"] for one in status["nonResourceRules"])
    assert status["incomplete"] is False


@case("A-03")
async def test_rules_are_asked_for_in_a_namespace(api: Api):
    answer = await api.create(f"{REVIEWS}/selfsubjectrulesreviews", {"spec": {}})
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case("A-03")
async def test_who_am_i(api: Api):
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    found = await api.acting("ann", "crew").made(path, {})
    assert found["status"]["userInfo"] == {"username": "ann", "groups": ["crew", "system:authenticated"]}


@case("A-02")
async def test_who_acts_for_others_must_be_allowed_to(api: Api):
    name = await granted(api, rule("impersonate", "", "users", resourceNames=["ann"]), cluster=True)
    tokenless = await _acting_through(api, name)
    assert (await tokenless.acting("ann").get("/api")).code == 200
    answer = await tokenless.acting("bob").get("/api")
    assert answer.refusal == {"code": 403, "reason": "Forbidden", "details": {"name": "bob", "kind": "users"}}
    answer = await tokenless.acting("ann", "crew").get("/api")
    assert answer.refusal == {"code": 403, "reason": "Forbidden", "details": {"name": "crew", "kind": "groups"}}


async def _acting_through(api: Api, name: str) -> Api:
    """A client whose token is an account's that may do what a user may."""
    token = await _token(api)
    reference = (await api.get("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")).body["items"]
    mine = next(one for one in reference if any(each["name"] == name for each in one.get("subjects") or ()))
    subject = {"kind": "ServiceAccount", "name": "bot", "namespace": api.namespace}
    body = {"metadata": {"name": f"{name}-bot"}, "roleRef": mine["roleRef"], "subjects": [subject]}
    await api.made("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", body)
    account = f"system:serviceaccount:{api.namespace}:bot"
    wanted = {"verb": "impersonate", "resource": "users", "name": "ann"}
    await api.until(lambda: allowed(api, account, wanted))
    return api.bearing(token)


@case("A-02")
async def test_who_acts_for_an_account_is_in_its_groups(api: Api):
    subject = {
        "kind": "Group",
        "apiGroup": "rbac.authorization.k8s.io",
        "name": f"system:serviceaccounts:{api.namespace}",
    }
    account = f"system:serviceaccount:{api.namespace}:bot"
    await granted(api, rule("get", "", "configmaps"), subject=subject, name=account)
    assert (await api.acting(account).get(f"{api.config_maps}/a")).code == 404


@case("A-02")
async def test_a_group_without_a_user_is_nobody_to_act_for(api: Api):
    assert (await api.request("GET", "/api", headers={"Impersonate-Group": "crew"})).code == 500


@case("A-02")
async def test_nobody_of_the_usual_roles_acts_for_others(api: Api):
    token = await _token(api)
    answer = await api.bearing(token).acting(NOBODY).get("/api")
    assert answer.refusal == {"code": 403, "reason": "Forbidden", "details": {"name": NOBODY, "kind": "users"}}
