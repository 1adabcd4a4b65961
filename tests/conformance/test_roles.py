"""Roles: who may do what, by rules that are bound to users, groups and accounts; and who may hand them out."""

import secrets
from typing import Any

from conformance.harness import Api, case, config_map

RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1"
CANARY = {"verbs": ["sing"], "apiGroups": ["conformance.dev"], "resources": ["canaries"]}
NOBODY = "nobody@conformance.dev"


def rule(verbs: str, group: str, resources: str, **more: Any) -> dict[str, Any]:
    return {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()} | more


def user(name: str) -> dict[str, str]:
    return {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name}


def roles(api: Api, kind: str = "roles") -> str:
    return f"{RBAC}/{kind}" if kind.startswith("cluster") else f"{RBAC}/namespaces/{api.namespace}/{kind}"


async def allowed(api: Api, name: str, attributes: dict[str, str], *groups: str) -> bool:
    """What a review answers; attributes with a `path` are of no resource."""
    place = "nonResourceAttributes" if "path" in attributes else "resourceAttributes"
    spec = {"user": name, "groups": list(groups), place: attributes}
    answer = await api.create(f"{REVIEWS}/subjectaccessreviews", {"spec": spec})
    assert answer.code == 201, answer.body
    return answer.body["status"]["allowed"]


async def granted(api: Api, *rules: Any, subject: Any = None, name: str = "", cluster: bool = False) -> str:
    """Bind a role with the rules, wait until it counts, and return the user's name, or that which was given."""
    name = name or f"user-{secrets.token_hex(4)}"
    prefix, scope = ("cluster", "Cluster") if cluster else ("", "")
    place = f"{api.namespace}-{secrets.token_hex(2)}"
    await api.made(roles(api, f"{prefix}roles"), {"metadata": {"name": place}, "rules": [*rules, CANARY]})
    binding = {"metadata": {"name": place}, "roleRef": {"kind": f"{scope}Role", "name": place}}
    binding["subjects"] = [subject or user(name)]
    await api.made(roles(api, f"{prefix}rolebindings"), binding)
    groups = [subject["name"]] if subject and subject["kind"] == "Group" else []
    await heard(api, name, *groups)
    return name


async def heard(api: Api, name: str, *groups: str) -> None:
    """Wait until a binding with the canary counts."""
    canary = {"verb": "sing", "group": "conformance.dev", "resource": "canaries", "namespace": api.namespace}
    await api.until(lambda: allowed(api, name, canary, *groups))


@case(
    "E-09",
    "A-04",
    rows={
        "a list": ("GET", "/api/v1/namespaces/{}/pods", {"kind": "pods"}),
        "a list of the whole cluster": ("GET", "/api/v1/pods", {"kind": "pods"}),
        "a watch": ("GET", "/apis/apps/v1/deployments?watch=1", {"kind": "deployments", "group": "apps"}),
        "a list of one": (
            "GET",
            "/apis/apps/v1/deployments?fieldSelector=metadata.name%3Da",
            {"name": "a", "kind": "deployments", "group": "apps"},
        ),
        "a get": ("GET", "/api/v1/namespaces/{}/pods/a", {"name": "a", "kind": "pods"}),
        "a subresource": ("GET", "/api/v1/namespaces/{}/pods/a/status", {"name": "a", "kind": "pods"}),
        "a create": ("POST", "/apis/batch/v1/namespaces/{}/jobs", {"kind": "jobs", "group": "batch"}),
        "an update": ("PUT", "/api/v1/namespaces/{}/secrets/a", {"name": "a", "kind": "secrets"}),
        "a patch": ("PATCH", "/api/v1/namespaces/{}/secrets/a", {"name": "a", "kind": "secrets"}),
        "a delete": ("DELETE", "/api/v1/namespaces/{}/secrets/a", {"name": "a", "kind": "secrets"}),
        "a deletion of all": ("DELETE", "/api/v1/namespaces/{}/secrets", {"kind": "secrets"}),
        "a namespace": ("GET", "/api/v1/namespaces/default", {"name": "default", "kind": "namespaces"}),
        "a kind that is not served": ("GET", "/apis/no.dev/v1/nothings", {"kind": "nothings", "group": "no.dev"}),
        "a path": ("GET", "/metrics", {}),
        "a path to write to": ("POST", "/version", {}),
    },
)
async def test_what_no_role_allows_is_forbidden(api: Api, method: str, path: str, details: dict[str, str]):
    answer = await api.acting(NOBODY).request(method, path.format(api.namespace))
    expected = {"code": 403, "reason": "Forbidden"} | ({"details": details} if details else {})
    assert answer.refusal == expected


@case("A-01", rows={path: (path,) for path in ("/api", "/apis", "/api/v1", "/apis/apps/v1", "/version", "/healthz")})
async def test_every_user_may_discover(api: Api, path: str):
    assert (await api.acting(NOBODY).get(path)).code == 200


@case("A-01", rows={"/healthz": ("/healthz", 200), "/version": ("/version", 200), "/api": ("/api", 403)})
async def test_nobody_in_particular_may_see_health_and_version(api: Api, path: str, code: int):
    assert (await api.acting("system:anonymous").get(path)).code == code


@case("E-08", rows={path: (path,) for path in ("/healthz", "/api/v1/namespaces")})
async def test_an_unknown_token_is_refused_everywhere(api: Api, path: str):
    answer = await api.bearing("no-such-token").get(path)
    assert answer.refusal == {"code": 401, "reason": "Unauthorized"}


PODS = {"verb": "get", "resource": "pods"}


@case(
    "A-04",
    rows={
        "the verb": (rule("get", "", "pods"), PODS, True),
        "another verb": (rule("list", "", "pods"), PODS, False),
        "every verb": (rule("*", "", "pods"), PODS | {"verb": "anything"}, True),
        "another group": (rule("get", "apps", "pods"), PODS, False),
        "every group": (rule("get", "*", "pods"), PODS | {"group": "some.dev"}, True),
        "another resource": (rule("get", "", "secrets"), PODS, False),
        "every resource": (rule("get", "", "*"), PODS | {"subresource": "log"}, True),
        "a subresource is not its resource": (rule("get", "", "pods"), PODS | {"subresource": "log"}, False),
        "a resource is not its subresource": (rule("get", "", "pods/log"), PODS, False),
        "the subresource": (rule("get", "", "pods/log"), PODS | {"subresource": "log"}, True),
        "a subresource of every kind": (rule("get", "", "*/log"), PODS | {"subresource": "log"}, True),
        "no kind by a star for its subresource": (rule("get", "", "*/log"), PODS, False),
        "the name": (rule("get", "", "pods", resourceNames=["a"]), PODS | {"name": "a"}, True),
        "another name": (rule("get", "", "pods", resourceNames=["a"]), PODS | {"name": "b"}, False),
        "no name where names are given": (rule("create", "", "pods", resourceNames=["a"]), PODS, False),
    },
)
async def test_a_rule_allows_what_it_lists(api: Api, given: dict[str, Any], wanted: dict[str, str], expected: bool):
    name = await granted(api, given)
    assert await allowed(api, name, wanted | {"namespace": api.namespace}) is expected


@case(
    "A-04",
    rows={
        "the path": (["/a"], "/a", True),
        "another path": (["/a"], "/a/b", False),
        "a prefix": (["/a/*"], "/a/b/c", True),
        "the prefix itself": (["/a/*"], "/a", False),
        "every path": (["*"], "/b", True),
    },
)
async def test_a_rule_of_paths_allows_what_it_lists(api: Api, urls: list[str], path: str, expected: bool):
    name = await granted(api, {"verbs": ["get"], "nonResourceURLs": urls}, cluster=True)
    assert await allowed(api, name, {"verb": "get", "path": path}) is expected
    assert not await allowed(api, name, {"verb": "post", "path": path})


@case("A-04")
async def test_a_role_counts_in_its_namespace_only(api: Api):
    name = await granted(api, rule("get", "", "pods"))
    for namespace in ("", "default"):
        assert not await allowed(api, name, PODS | {"namespace": namespace})


@case("A-04")
async def test_a_cluster_role_counts_everywhere(api: Api):
    name = await granted(api, rule("get", "", "pods"), cluster=True)
    for namespace in ("", "default"):
        assert await allowed(api, name, PODS | {"namespace": namespace})


@case("A-04")
async def test_a_cluster_role_that_a_namespace_binds_counts_there_only(api: Api):
    other = f"{api.namespace}-elsewhere"
    await api.made(
        roles(api, "clusterroles"), {"metadata": {"name": other}, "rules": [rule("get", "", "pods"), CANARY]}
    )
    binding = {"metadata": {"name": "a"}, "roleRef": {"kind": "ClusterRole", "name": other}, "subjects": [user(other)]}
    await api.made(roles(api, "rolebindings"), binding)
    await heard(api, other)
    assert await allowed(api, other, PODS | {"namespace": api.namespace})
    assert not await allowed(api, other, PODS)


@case("A-04")
async def test_a_group_may_what_its_role_allows(api: Api):
    group = f"group-{secrets.token_hex(4)}"
    subject = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": group}
    name = await granted(api, rule("get", "", "pods"), subject=subject)
    assert await allowed(api, name, PODS | {"namespace": api.namespace}, group)
    assert not await allowed(api, name, PODS | {"namespace": api.namespace})


@case("A-04")
async def test_an_account_may_what_its_role_allows(api: Api):
    subject = {"kind": "ServiceAccount", "name": "bot", "namespace": api.namespace}
    account = f"system:serviceaccount:{api.namespace}:bot"
    await granted(api, rule("get", "", "pods"), subject=subject, name=account)
    assert await allowed(api, account, PODS | {"namespace": api.namespace})
    assert not await allowed(api, account.replace(":bot", ":other"), PODS | {"namespace": api.namespace})


@case("A-04")
async def test_masters_may_everything(api: Api):
    assert await allowed(api, NOBODY, {"verb": "any", "resource": "things"}, "system:masters")


@case("A-04")
async def test_what_is_no_longer_bound_is_no_longer_allowed(api: Api):
    name = await granted(api, rule("get", "", "configmaps"))
    assert (await api.acting(name).get(f"{api.config_maps}/a")).code == 404
    await api.delete(roles(api, "rolebindings"))

    async def refused() -> bool:
        return (await api.acting(name).get(f"{api.config_maps}/a")).code == 403

    await api.until(refused)


@case("A-04")
async def test_a_binding_to_a_role_that_is_not_there_says_so(api: Api):
    name = f"user-{secrets.token_hex(4)}"
    binding = {"metadata": {"name": "a"}, "roleRef": {"kind": "Role", "name": "none"}, "subjects": [user(name)]}
    await api.made(roles(api, "rolebindings"), binding)
    spec = {"user": name, "resourceAttributes": PODS | {"namespace": api.namespace}}

    async def reason() -> str:
        answer = await api.create(f"{REVIEWS}/subjectaccessreviews", {"spec": spec})
        assert answer.body["status"]["allowed"] is False
        return answer.body["status"].get("reason", "")

    assert await api.until(reason) == 'RBAC: role.rbac.authorization.k8s.io "none" not found'


@case("A-04")
async def test_an_allowance_says_where_it_comes_from(api: Api):
    body = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/version"}}}
    status = (await api.acting(NOBODY).create(f"{REVIEWS}/selfsubjectaccessreviews", body)).body["status"]
    assert status["allowed"] is True
    assert status["reason"].startswith('RBAC: allowed by ClusterRoleBinding "system:')


@case("A-04")
async def test_an_apply_that_creates_needs_to_be_allowed_to_create(api: Api):
    name = await granted(api, rule("patch", "", "configmaps"))
    path = f"{api.config_maps}/a"
    answer = await api.acting(name).apply(path, config_map(data={"a": "b"}))
    assert answer.refusal == {"code": 403, "reason": "Forbidden", "details": {"name": "a", "kind": "configmaps"}}
    await api.made(api.config_maps, config_map())
    assert (await api.acting(name).apply(path, config_map(data={"a": "b"}))).code == 200


@case("A-04")
async def test_an_update_that_creates_needs_to_be_allowed_to_create(api: Api):
    name = await granted(api, rule("update", "coordination.k8s.io", "leases"))
    path = f"/apis/coordination.k8s.io/v1/namespaces/{api.namespace}/leases/a"
    answer = await api.acting(name).put(path, {"metadata": {"name": "a"}})
    details = {"name": "a", "kind": "leases", "group": "coordination.k8s.io"}
    assert answer.refusal == {"code": 403, "reason": "Forbidden", "details": details}


# ---- what roles and bindings look like

NAMED = {"metadata": {"name": "a"}}


@case(
    rows={
        "an empty rule": (
            "roles",
            {"rules": [{}]},
            [("Required", "rules[0].apiGroups"), ("Required", "rules[0].resources"), ("Required", "rules[0].verbs")],
        ),
        "a rule without resources": (
            "roles",
            {"rules": [{"verbs": ["get"], "apiGroups": [""]}]},
            [("Required", "rules[0].resources")],
        ),
        "paths in a namespace": (
            "roles",
            {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/a"]}]},
            [("Invalid", "rules[0].nonResourceURLs")],
        ),
        "paths and resources": (
            "clusterroles",
            {"rules": [rule("get", "", "pods", nonResourceURLs=["/a"])]},
            [("Invalid", "rules[0].nonResourceURLs")],
        ),
        "an aggregation of nothing": (
            "clusterroles",
            {"aggregationRule": {}},
            [("Required", "aggregationRule.clusterRoleSelectors")],
        ),
        "a slash in the name": ("roles", {"metadata": {"name": "a/b"}}, [("Invalid", "metadata.name")]),
        "a binding to nothing": (
            "rolebindings",
            {},
            [("NotSupported", "roleRef.kind"), ("Required", "roleRef.name")],
        ),
        "a binding of a cluster to a role": (
            "clusterrolebindings",
            {"roleRef": {"kind": "Role", "name": "a"}},
            [("NotSupported", "roleRef.kind")],
        ),
        "a subject without a name": (
            "rolebindings",
            {"roleRef": {"kind": "Role", "name": "a"}, "subjects": [{"kind": "User"}]},
            [("Required", "subjects[0].name")],
        ),
        "a subject of no kind": (
            "rolebindings",
            {"roleRef": {"kind": "Role", "name": "a"}, "subjects": [{"kind": "Cat", "name": "a"}]},
            [("NotSupported", "subjects[0].kind")],
        ),
        "a user of another group": (
            "rolebindings",
            {"roleRef": {"kind": "Role", "name": "a"}, "subjects": [{"kind": "User", "name": "a", "apiGroup": "b"}]},
            [("NotSupported", "subjects[0].apiGroup")],
        ),
        "an account by a name that none has": (
            "rolebindings",
            {
                "roleRef": {"kind": "Role", "name": "a"},
                "subjects": [{"kind": "ServiceAccount", "name": "A", "namespace": "b"}],
            },
            [("Invalid", "subjects[0].name")],
        ),
        "an account of no namespace": (
            "clusterrolebindings",
            {"roleRef": {"kind": "ClusterRole", "name": "a"}, "subjects": [{"kind": "ServiceAccount", "name": "a"}]},
            [("Required", "subjects[0].namespace")],
        ),
    },
)
async def test_a_malformed_role_or_binding_is_invalid(api: Api, kind: str, body: Any, causes: list[tuple[str, str]]):
    answer = await api.create(roles(api, kind), NAMED | body)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert answer.causes == sorted([(f"FieldValue{reason}", field) for reason, field in causes], key=lambda one: one[1])


@case()
async def test_a_role_may_have_any_name_that_a_path_can_hold(api: Api):
    await api.made(roles(api), {"metadata": {"name": "a:b C"}, "rules": [rule("get", "", "pods")]})
    assert (await api.get(f"{roles(api)}/a:b%20C")).code == 200


@case()
async def test_the_groups_of_subjects_and_roles_are_filled_in(api: Api):
    subjects = [{"kind": "User", "name": "a"}, {"kind": "ServiceAccount", "name": "b", "namespace": "c"}]
    body = NAMED | {"roleRef": {"kind": "Role", "name": "a"}, "subjects": subjects}
    found = await api.made(roles(api, "rolebindings"), body)
    assert found["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"}
    assert found["subjects"] == [user("a"), subjects[1]]


@case()
async def test_what_is_bound_cannot_change(api: Api):
    body = NAMED | {"roleRef": {"kind": "Role", "name": "a"}}
    await api.made(roles(api, "rolebindings"), body)
    answer = await api.put(f"{roles(api, 'rolebindings')}/a", NAMED | {"roleRef": {"kind": "Role", "name": "b"}})
    assert answer.code == 422
    assert answer.causes == [("FieldValueInvalid", "roleRef")]


@case()
async def test_a_cluster_role_gathers_the_rules_of_those_it_selects(api: Api):
    name, label = f"{api.namespace}-all", {f"conformance.dev/{api.namespace}": "true"}
    selectors = {"clusterRoleSelectors": [{"matchLabels": label}]}
    await api.made(roles(api, "clusterroles"), {"metadata": {"name": name}, "aggregationRule": selectors})
    for index, resource in enumerate(("pods", "secrets")):
        metadata = {"name": f"{api.namespace}-{index}", "labels": label}
        await api.made(roles(api, "clusterroles"), {"metadata": metadata, "rules": [rule("get", "", resource)]})
    path = f"{roles(api, 'clusterroles')}/{name}"

    def holds(*resources: str) -> Any:
        async def ask() -> bool:
            found = (await api.get(path)).body["rules"] or []
            return [one["resources"] for one in found] == [[resource] for resource in resources]

        return ask

    await api.until(holds("pods", "secrets"))
    await api.delete(f"{roles(api, 'clusterroles')}/{api.namespace}-0")
    await api.until(holds("secrets"))


@case(
    rows={
        "view reads": ("view", {"verb": "list", "resource": "pods"}, True),
        "view sees no secrets": ("view", {"verb": "get", "resource": "secrets"}, False),
        "view changes nothing": ("view", {"verb": "update", "resource": "pods"}, False),
        "edit changes": ("edit", {"verb": "patch", "resource": "deployments", "group": "apps"}, True),
        "edit sees secrets": ("edit", {"verb": "get", "resource": "secrets"}, True),
        "edit gives no roles": (
            "edit",
            {"verb": "create", "resource": "roles", "group": "rbac.authorization.k8s.io"},
            False,
        ),
        "admin gives roles": (
            "admin",
            {"verb": "create", "resource": "roles", "group": "rbac.authorization.k8s.io"},
            True,
        ),
        "admin has no nodes": ("admin", {"verb": "get", "resource": "nodes"}, False),
        "cluster-admin may everything": ("cluster-admin", {"verb": "any", "resource": "things"}, True),
    },
)
async def test_the_roles_that_every_cluster_has(api: Api, role: str, wanted: dict[str, str], expected: bool):
    name = await granted(api)
    binding = {"metadata": {"name": role}, "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [user(name)]}
    await api.made(roles(api, "rolebindings"), binding)
    sure = {"verb": "get", "resource": "configmaps", "namespace": api.namespace}
    await api.until(lambda: allowed(api, name, sure))
    assert await allowed(api, name, wanted | {"namespace": api.namespace}) is expected


# ---- who may hand out roles

WRITES = rule("create update patch get", "rbac.authorization.k8s.io", "roles rolebindings")


async def _refused_grant(api: Api, path: str, body: Any) -> None:
    answer = await api.create(path, body)
    details = {"name": "a", "group": "rbac.authorization.k8s.io", "kind": path.rpartition("/")[2]}
    assert answer.refusal == {"code": 403, "reason": "Forbidden", "details": details}


@case()
async def test_nobody_writes_a_role_with_more_than_they_hold(api: Api):
    name = await granted(api, WRITES, rule("get", "", "pods"))
    body = NAMED | {"rules": [rule("get list", "", "pods")]}
    await _refused_grant(api.acting(name), roles(api), body)
    await api.acting(name).made(roles(api), NAMED | {"rules": [rule("get", "", "pods", resourceNames=["a"])]})
    answer = await api.acting(name).merge(f"{roles(api)}/a", {"rules": [rule("*", "*", "*")]})
    assert (answer.code, answer.body["reason"]) == (403, "Forbidden")


@case()
async def test_the_refusal_names_what_is_missing(api: Api):
    name = await granted(api, WRITES, rule("get", "", "pods"))
    answer = await api.acting(name).create(roles(api), NAMED | {"rules": [rule("get list", "", "pods secrets")]})
    assert answer.body["message"].splitlines()[1:] == [
        '{APIGroups:[""], Resources:["pods"], Verbs:["list"]}',
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
    ]


@case()
async def test_nobody_binds_a_role_with_more_than_they_hold(api: Api):
    name = await granted(api, WRITES)
    body = NAMED | {"roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}, "subjects": [user(name)]}
    await _refused_grant(api.acting(name), roles(api, "rolebindings"), body)


@case()
async def test_nobody_binds_a_role_that_is_not_there_without_leave(api: Api):
    name = await granted(api, WRITES)
    body = NAMED | {"roleRef": {"kind": "Role", "name": "none"}, "subjects": [user(name)]}
    answer = await api.acting(name).create(roles(api, "rolebindings"), body)
    details = {"name": "none", "group": "rbac.authorization.k8s.io", "kind": "roles"}
    assert answer.refusal == {"code": 404, "reason": "NotFound", "details": details}


@case()
async def test_who_may_escalate_writes_any_role(api: Api):
    name = await granted(api, WRITES, rule("escalate", "rbac.authorization.k8s.io", "roles"))
    await api.acting(name).made(roles(api), NAMED | {"rules": [rule("*", "*", "*")]})


@case()
async def test_who_may_bind_a_role_binds_it(api: Api):
    name = await granted(api, WRITES, rule("bind", "rbac.authorization.k8s.io", "clusterroles", resourceNames=["view"]))
    path = roles(api, "rolebindings")
    await api.acting(name).made(path, NAMED | {"roleRef": {"kind": "ClusterRole", "name": "view"}})
    body = {"metadata": {"name": "a"}, "roleRef": {"kind": "ClusterRole", "name": "edit"}}
    await _refused_grant(api.acting(name), path, body)
