"""Roles from needs, and requests as RBAC sees them."""

import itertools

import pytest

from windlass.informers import ConfigMap, Event, Namespace, Pod, Resource
from windlass.informers.errors import UnregisteredKind
from windlass.manifests import Need, needs
from windlass.manifests.rbac import READ, Ask, asked, needs_of, outside, rules

WIDGETS = Resource("example.com", "v1", "Widget", "widgets")


def test_rules_merge_what_has_the_same_verbs_and_are_sorted():
    wanted = [
        Need.on(WIDGETS, "watch", "get"),
        Need.on(Pod, "delete"),
        Need.on(ConfigMap, *READ),
        Need.on(Pod, *READ),
        Need.on(ConfigMap, "delete"),
        Need.on(WIDGETS, "list"),
        Need.on(WIDGETS, "patch", subresource="status"),
        Need.on(Event, "create"),
    ]
    expected = [
        {"apiGroups": [""], "resources": ["configmaps", "pods"], "verbs": ["get", "list", "watch", "delete"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
        {"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["example.com"], "resources": ["widgets/status"], "verbs": ["patch"]},
    ]

    assert all(rules(order) == expected for order in itertools.islice(itertools.permutations(wanted), 0, 40320, 997))


def test_names_restrict_a_rule_of_its_own():
    wanted = [Need.on(ConfigMap, "get"), Need.on(ConfigMap, "update", names=["b", "a"])]

    assert rules(wanted) == [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["update"], "resourceNames": ["a", "b"]},
    ]


def test_a_reconciler_says_what_it_writes():
    @needs(WIDGETS, "patch", subresource="status")
    @needs(ConfigMap, "create")
    async def reconcile(ctx, request): ...

    @needs(ConfigMap, "delete")
    class Reconciler:
        async def __call__(self, ctx, request): ...

    assert needs_of(reconcile) == (Need.on(WIDGETS, "patch", subresource="status"), Need.on(ConfigMap, "create"))
    assert needs_of(Reconciler()) == (Need.on(ConfigMap, "delete"),)
    assert needs_of(print) == ()


def test_a_verb_that_there_is_not_and_a_kind_that_is_none_are_refused():
    with pytest.raises(ValueError, match="found destroy"):
        needs(ConfigMap, "destroy")
    with pytest.raises(ValueError, match="found none"):
        needs(ConfigMap)
    with pytest.raises(UnregisteredKind):
        needs(dict, "get")


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", ConfigMap.path("n"), {}, Ask("list", "", "configmaps", "n")),
        ("GET", ConfigMap.path(), {"watch": "true"}, Ask("watch", "", "configmaps")),
        ("GET", WIDGETS.path("n", "a"), {}, Ask("get", "example.com", "widgets", "n", "a")),
        ("PATCH", WIDGETS.path("n", "a", "status"), {}, Ask("patch", "example.com", "widgets/status", "n", "a")),
        ("POST", WIDGETS.path("n"), {}, Ask("create", "example.com", "widgets", "n")),
        ("PUT", WIDGETS.path("n", "a"), {}, Ask("update", "example.com", "widgets", "n", "a")),
        ("DELETE", WIDGETS.path("n", "a"), {}, Ask("delete", "example.com", "widgets", "n", "a")),
        ("DELETE", WIDGETS.path("n"), {}, Ask("deletecollection", "example.com", "widgets", "n")),
        ("GET", Namespace.path(), {}, Ask("list", "", "namespaces")),
        ("GET", Namespace.path(None, "n"), {}, Ask("get", "", "namespaces", "", "n")),
        ("PUT", Namespace.path(None, "n", "finalize"), {}, Ask("update", "", "namespaces/finalize", "", "n")),
        ("GET", "/version", {}, None),
        ("GET", "/apis/example.com/v1", {}, None),
    ],
)
def test_a_request_is_what_rbac_makes_of_it(method, path, query, expected):
    assert asked(method, path, query) == expected


def test_what_is_outside_of_a_role_is_told_once():
    permitted = [Need.on(WIDGETS, *READ), Need.on(ConfigMap, "update", names=["a"])]
    found = [
        Ask("list", "example.com", "widgets"),
        Ask("patch", "example.com", "widgets/status", "n", "w"),
        Ask("patch", "example.com", "widgets/status", "n", "w"),
        Ask("update", "", "configmaps", "n", "a"),
        Ask("update", "", "configmaps", "n", "b"),
    ]

    assert [str(ask) for ask in outside(found, permitted)] == [
        "patch widgets/status.example.com w in n",
        "update configmaps b in n",
    ]
