"""Requests taken apart, and chosen."""

import pytest

from windlass.envtest.kit.calls import Call, Calls
from windlass.informers import ConfigMap, Deployment, Key, Namespace, PatchType, requests
from windlass.informers.requests import ListOptions

KEY = Key("default", "a")
EVERYWHERE = ListOptions()
REQUESTS = {
    "get /version": requests.raw_get("/version"),
    "get": requests.get(ConfigMap, KEY),
    "list": requests.list_page(Deployment, ListOptions("default")),
    "watch": requests.watch(Deployment, EVERYWHERE),
    "create": requests.create(ConfigMap, b"{}", namespace="default"),
    "create subresource": requests.create(ConfigMap, b"{}", namespace="default", name="a", subresource="token"),
    "replace": requests.replace(ConfigMap, KEY, b"{}"),
    "patch": requests.patch(Deployment, KEY, b"{}", type=PatchType.MERGE, subresource="status"),
    "delete": requests.delete(ConfigMap, KEY),
    "deletecollection": requests.delete_collection(ConfigMap, ListOptions("default")),
    "namespace": requests.get(Namespace, Key("", "a")),
    "namespace status": requests.get(Namespace, Key("", "a"), subresource="status"),
    "odd name": requests.get(ConfigMap, Key("default", "a b/c")),
}
APPLY = requests.patch(
    ConfigMap, KEY, b"{}", type=PatchType.APPLY, options=requests.WriteOptions(field_manager="tests")
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("get /version", ("get", "", "", "", "", "", "")),
        ("get", ("get", "", "v1", "configmaps", "default", "a", "")),
        ("list", ("list", "apps", "v1", "deployments", "default", "", "")),
        ("watch", ("watch", "apps", "v1", "deployments", "", "", "")),
        ("create", ("create", "", "v1", "configmaps", "default", "", "")),
        ("create subresource", ("create", "", "v1", "configmaps", "default", "a", "token")),
        ("replace", ("replace", "", "v1", "configmaps", "default", "a", "")),
        ("patch", ("patch", "apps", "v1", "deployments", "default", "a", "status")),
        ("delete", ("delete", "", "v1", "configmaps", "default", "a", "")),
        ("deletecollection", ("deletecollection", "", "v1", "configmaps", "default", "", "")),
        ("namespace", ("get", "", "v1", "namespaces", "", "a", "")),
        ("namespace status", ("get", "", "v1", "namespaces", "", "a", "status")),
        ("odd name", ("get", "", "v1", "configmaps", "default", "a b/c", "")),
    ],
)
def test_a_call_is_read_from_method_and_path(name, expected):
    assert Call.of(REQUESTS[name]) == Call(*expected, REQUESTS[name].what)


def test_an_apply_is_no_other_patch():
    assert (Call.of(APPLY).verb, str(Call.of(APPLY))) == ("apply", "apply configmaps.v1 default/a")


def test_reads_are_told_from_writes():
    writes = {name for name, request in REQUESTS.items() if Call.of(request).writes}
    assert writes == {"create", "create subresource", "replace", "patch", "delete", "deletecollection"}


@pytest.mark.parametrize(
    ("calls", "matched"),
    [
        (Calls(), set(REQUESTS)),
        (Calls("delete"), {"delete"}),
        (Calls(kind=Deployment), {"list", "watch", "patch"}),
        (Calls(key=Key("default", "a")), {"get", "create subresource", "replace", "patch", "delete"}),
        (Calls("get", key="a"), {"get", "namespace", "namespace status"}),
        (Calls("get", Namespace, subresource=""), {"namespace"}),
        (Calls(kind=Deployment, subresource="status"), {"patch"}),
    ],
    ids=lambda one: ", ".join(sorted(one)) if isinstance(one, set) else str(one),
)
def test_calls_are_chosen_by_what_is_said_of_them(calls, matched):
    assert {name for name, request in REQUESTS.items() if calls.match(Call.of(request))} == matched


def test_a_choice_says_what_it_chooses():
    assert str(Calls("patch", Deployment, "a", "status")) == "patch deployments.v1.apps/status a"
    assert str(Calls()) == "any call"
