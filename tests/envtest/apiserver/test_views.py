import datetime as dt
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.http.protobuf import decode_protobuf
from windlass.envtest.apiserver.http.routing import find_target
from windlass.envtest.apiserver.kinds import BUILT_IN, Registry, version_order
from windlass.envtest.apiserver.objects import generated_name, metadata_faults
from windlass.envtest.apiserver.store.storage import Key, versioned
from windlass.envtest.apiserver.values import same
from windlass.envtest.apiserver.verbs.listing import decode_token, encode_token
from windlass.envtest.apiserver.views.rendering import accepted
from windlass.envtest.apiserver.views.tables import age, json_path, row

NOW = dt.datetime(2024, 1, 10, tzinfo=dt.UTC)
NAMES = st.text("abcxyz-.09", min_size=1, max_size=20)


@given(st.integers(0, 2**62), NAMES | st.just(""), NAMES)
def test_a_continue_token_survives_its_written_form(revision, namespace, name):
    place = f"{namespace.lstrip('.')}/{name.lstrip('.')}"
    assert decode_token(encode_token(revision, place)) == (revision, place)


@given(st.text(max_size=40))
def test_any_other_token_is_a_bad_request(text):
    with pytest.raises(ApiError, match="continue key is not valid"):
        decode_token(text)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".a.b", [1]),
        ("{.a.b}", [1]),
        (".list[0].v", ["x"]),
        (".list[-1].v", ["y"]),
        (".list[9].v", []),
        (".list[*].v", ["x", "y"]),
        ('.list[?(@.type=="Ready")].v', ["y"]),
        (".list[?(@.type!='Ready')].v", ["x"]),
        (".labels['ex.dev/x']", ["z"]),
        (r".labels.ex\.dev/x", ["z"]),
        (".none.deep", []),
        (".a[?(", []),
    ],
)
def test_json_paths_of_printer_columns(path, expected):
    value = {"a": {"b": 1}, "list": [{"v": "x"}, {"type": "Ready", "v": "y"}], "labels": {"ex.dev/x": "z"}}
    assert json_path(path)(value) == expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (601, "10m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (9 * 3600, "9h"),
        (49 * 3600, "2d1h"),
        (10 * 86400, "10d"),
        (800 * 86400, "2y70d"),
        (-10, "<invalid>"),
    ],
)
def test_ages_read_as_in_kubectl(seconds, text):
    assert age((NOW - dt.timedelta(seconds=seconds)).isoformat(), NOW) == text


def test_rows_of_built_in_kinds_are_computed():
    kinds = {resource.kind: resource for resource in BUILT_IN if resource.stored_as is None}
    metadata = {"name": "a", "creationTimestamp": "2024-01-09T23:59:00Z"}

    def cells(kind, **body):
        obj = {"apiVersion": "v1", "kind": kind, "metadata": metadata} | body
        return row(versioned(Key("x", "", "a"), obj, 1), kinds[kind], NOW, "None")["cells"]

    statuses = [{"ready": True, "restartCount": 2}, {"ready": False}]
    pod = cells("Pod", spec={"containers": [1, 2]}, status={"phase": "Running", "containerStatuses": statuses})
    assert pod[:5] == ["a", "1/2", "Running", "2", "60s"]
    conditions = [{"type": "Ready", "status": "True"}]
    assert (
        cells("Node", status={"conditions": conditions}, spec={"unschedulable": True})[1] == "Ready,SchedulingDisabled"
    )
    assert cells("ConfigMap", data={"a": "1"}) == ["a", 1, "60s"]
    assert cells("Job", spec={"completions": 2}, status={"succeeded": 1})[1:3] == ["Running", "1/2"]
    event = cells("Event", type="Normal", reason="R", message="m", involvedObject={"kind": "Pod", "name": "p"})
    assert event == ["60s", "Normal", "R", "pod/p", "m"]


def test_versions_are_ordered_by_stability_and_number():
    names = ["v1beta1", "v2alpha1", "foo", "v1", "v10", "v2", "v1beta2", "bar"]
    expected = ["v10", "v2", "v1", "v1beta2", "v1beta1", "v2alpha1", "bar", "foo"]
    assert sorted(names, key=version_order) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/namespaces", ("namespaces", "", "", "")),
        ("/api/v1/namespaces/x", ("namespaces", "", "x", "")),
        ("/api/v1/namespaces/x/status", ("namespaces", "", "x", "status")),
        ("/api/v1/namespaces/x/pods", ("pods", "x", "", "")),
        ("/api/v1/namespaces/x/pods/y/status", ("pods", "x", "y", "status")),
        ("/api/v1/pods", ("pods", "", "", "")),
        ("/apis/apps/v1/namespaces/x/deployments/y/scale", ("deployments.apps", "x", "y", "scale")),
    ],
)
def test_paths_name_their_targets(path, expected):
    target = find_target(path, Registry())
    assert (target.resource.qualified, target.namespace, target.name, target.subresource) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/v1",
        "/api/v2/pods",
        "/api/v1/pods/x",
        "/api/v1/namespaces/x/nodes/y",
        "/api/v1/things",
        "/api/v1/namespaces/x/pods/y/scale",
        "/api/v1/namespaces/x/pods/y/status/z",
        "/api/v1/namespaces//pods",
        "/x/y/z/a",
    ],
)
def test_other_paths_do_not_exist(path):
    with pytest.raises(ApiError, match="404 page not found"):
        find_target(path, Registry())


def test_the_accept_header_chooses_the_representation():
    kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1,application/json"
    assert accepted(kubectl).form == "Table"
    assert accepted("application/vnd.kubernetes.protobuf, */*").form == ""
    assert accepted("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1").form == "PartialObjectMetadata"
    assert accepted("").form == ""
    with pytest.raises(ApiError, match="only the following media types are accepted"):
        accepted("application/vnd.kubernetes.protobuf")


def test_generated_names_have_five_characters_behind_a_base_of_at_most_58():
    name = generated_name("x" * 70, random.Random(1))
    assert len(name) == 63
    assert set(name[58:]) <= set("bcdfghjklmnpqrstvwxz2456789")


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({}, "metadata.name"),
        ({"name": "Upper"}, "metadata.name"),
        ({"name": "a", "labels": {"-x": "y"}}, "metadata.labels"),
        ({"name": "a", "labels": {"x": "-"}}, "metadata.labels"),
        ({"name": "a", "annotations": {"k": "x" * 262_145}}, "metadata.annotations"),
        ({"name": "a", "finalizers": ["a.dev/not qualified!"]}, "metadata.finalizers"),
        (
            {"name": "a", "ownerReferences": [{"kind": "K", "name": "n", "apiVersion": "v1"}]},
            "metadata.ownerReferences[0].uid",
        ),
        (
            {
                "name": "a",
                "ownerReferences": [{"kind": "K", "name": "n", "apiVersion": "v1", "uid": "u", "controller": True}] * 2,
            },
            "metadata.ownerReferences",
        ),
    ],
)
def test_metadata_rules_name_their_field(metadata, field):
    assert [fault.field for fault in metadata_faults(metadata, BUILT_IN[1])] == [field]


def message(number, body):
    return bytes([number << 3 | 2, len(body)]) + body


def test_a_config_map_is_read_from_protobuf_and_garbage_is_refused():
    identity = message(1, message(1, b"v1") + message(2, b"ConfigMap"))
    metadata = message(1, message(1, b"name") + message(11, message(1, b"k") + message(2, b"v")) + message(8, b""))
    body = message(2, metadata + message(2, message(1, b"a") + message(2, b"b")) + bytes([4 << 3, 1]))
    assert decode_protobuf(b"k8s\0" + identity + body) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "name", "labels": {"k": "v"}},
        "data": {"a": "b"},
        "immutable": True,
    }
    with pytest.raises(ApiError, match="send application/json"):
        decode_protobuf(b"k8s\0" + message(1, message(1, b"v1") + message(2, b"Pod")))


@given(st.binary(max_size=60))
def test_any_bytes_behind_the_magic_are_refused_and_never_fail(raw):
    with pytest.raises(ApiError):
        decode_protobuf(b"k8s\0" + raw)


def test_values_that_python_takes_for_equal_are_told_apart():
    assert not same(1, True)
    assert not same(1, 1.0)
    assert same({"a": 1, "b": 2}, {"b": 2, "a": 1})
