"""Requests are values: what goes on the wire can be read without a wire."""

import json

import pytest

from windlass.informers import requests
from windlass.informers.builtins import Node, Pod
from windlass.informers.keys import Key
from windlass.informers.requests import ListOptions, PatchType, WriteOptions

A = Key("ns", "a")


@pytest.mark.parametrize(
    ("request_", "line", "what"),
    [
        (requests.get(Pod, A), "GET /api/v1/namespaces/ns/pods/a", "get pods.v1 ns/a"),
        (
            requests.get(Pod, A, subresource="log"),
            "GET /api/v1/namespaces/ns/pods/a/log",
            "get pods.v1/log ns/a",
        ),
        (requests.list_page(Pod, ListOptions()), "GET /api/v1/pods", "list pods.v1"),
        (
            requests.list_page(
                Pod, ListOptions("ns", "app in (a,b)", "status.phase=Running"), resource_version="0", limit=5
            ),
            (
                "GET /api/v1/namespaces/ns/pods?labelSelector=app%20in%20%28a%2Cb%29"
                "&fieldSelector=status.phase%3DRunning&limit=5&resourceVersion=0"
            ),
            "list pods.v1 in ns",
        ),
        (
            requests.list_page(Pod, ListOptions(), resource_version="9", match="Exact"),
            "GET /api/v1/pods?resourceVersion=9&resourceVersionMatch=Exact",
            "list pods.v1",
        ),
        (
            requests.list_page(Pod, ListOptions(), resource_version="9", limit=5, continue_token="t=="),
            "GET /api/v1/pods?limit=5&continue=t%3D%3D",
            "list pods.v1",
        ),
        (
            requests.watch(Node, ListOptions(), resource_version="9", timeout_seconds=300),
            "GET /api/v1/nodes?watch=true&allowWatchBookmarks=true&resourceVersion=9&timeoutSeconds=300",
            "watch nodes.v1",
        ),
        (
            requests.watch(Pod, ListOptions("ns"), send_initial_events=True),
            (
                "GET /api/v1/namespaces/ns/pods?watch=true&allowWatchBookmarks=true"
                "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
            ),
            "watch pods.v1 in ns",
        ),
        (requests.create(Pod, b"{}", namespace="ns"), "POST /api/v1/namespaces/ns/pods", "create pods.v1 ns/(new)"),
        (
            requests.create(Pod, b"{}", namespace="ns", name="a", subresource="eviction"),
            "POST /api/v1/namespaces/ns/pods/a/eviction",
            "create pods.v1/eviction ns/a",
        ),
        (
            requests.replace(Pod, A, b"{}", subresource="status", options=WriteOptions("me", True, "Strict")),
            "PUT /api/v1/namespaces/ns/pods/a/status?fieldManager=me&dryRun=All&fieldValidation=Strict",
            "replace pods.v1/status ns/a",
        ),
        (
            requests.patch(Pod, A, b"{}", type=PatchType.APPLY, options=WriteOptions("me", force=True)),
            "PATCH /api/v1/namespaces/ns/pods/a?fieldManager=me&force=true",
            "apply pods.v1 ns/a",
        ),
        (requests.delete(Pod, A), "DELETE /api/v1/namespaces/ns/pods/a", "delete pods.v1 ns/a"),
        (
            requests.delete_collection(Pod, ListOptions("ns", "app=x")),
            "DELETE /api/v1/namespaces/ns/pods?labelSelector=app%3Dx",
            "deletecollection pods.v1 in ns",
        ),
        (requests.raw_get("/version"), "GET /version", "get /version"),
    ],
    ids=lambda value: value if isinstance(value, str) and " /" in value else "",
)
def test_what_goes_on_the_wire(request_, line, what):
    assert f"{request_.method} {request_.target}" == line
    assert request_.what == what
    assert request_.verb == what.split()[0]


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        (PatchType.JSON, "application/json-patch+json"),
        (PatchType.MERGE, "application/merge-patch+json"),
        (PatchType.STRATEGIC, "application/strategic-merge-patch+json"),
        (PatchType.APPLY, "application/apply-patch+yaml"),
    ],
)
def test_a_patch_says_what_it_is(kind, content_type):
    assert requests.patch(Pod, A, b"{}", type=kind, options=WriteOptions("me")).content_type == content_type


def test_an_apply_must_name_its_manager():
    """P-07."""
    with pytest.raises(ValueError, match="must name its field_manager"):
        requests.patch(Pod, A, b"{}", type=PatchType.APPLY)


def test_force_is_for_apply_alone():
    with pytest.raises(ValueError, match="force is for server-side apply alone, found MERGE"):
        requests.patch(Pod, A, b"{}", type=PatchType.MERGE, options=WriteOptions(force=True))


def test_a_delete_carries_its_conditions():
    """D-05, D-07."""
    request = requests.delete(Pod, A, propagation="Foreground", uid="u", resource_version="9", dry_run=True)

    assert json.loads(request.body) == {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "propagationPolicy": "Foreground",
        "preconditions": {"uid": "u", "resourceVersion": "9"},
        "dryRun": ["All"],
    }


def test_metadata_alone_is_a_matter_of_the_accept_header():
    """T-02."""
    only = ListOptions(metadata_only=True)

    assert requests.list_page(Pod, only).accept == "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    assert requests.watch(Pod, only).accept == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    assert requests.get(Pod, A, metadata_only=True).accept == requests.watch(Pod, only).accept


def test_only_reads_are_safe_to_repeat():
    assert requests.get(Pod, A).is_safe
    assert not requests.delete(Pod, A).is_safe


def test_a_body_is_not_shown_in_logs():
    assert "secret" not in repr(requests.create(Pod, b"secret"))


def test_a_dry_run_says_so_once_and_keeps_the_rest():
    request = requests.patch(Pod, A, b"{}", type=PatchType.MERGE, options=WriteOptions("me", dry_run=True))

    assert request.dry() == request
    assert requests.create(Pod, b"{}", namespace="ns").dry().query == (("dryRun", "All"),)
    assert requests.get(Pod, A).dry() == requests.get(Pod, A)


def test_a_dry_delete_says_so_in_its_body_too():
    """Of a DELETE with a body a real server ignores the query, and would delete."""
    request = requests.delete(Pod, A, uid="u").dry()

    assert (request.query, request.is_safe) == ((("dryRun", "All"),), False)
    assert json.loads(request.body) == {
        "kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "u"}, "dryRun": ["All"],
    }  # fmt: skip
