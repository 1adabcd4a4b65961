"""An object is its bytes: what is cut out, what is put back, what is read from them, and when."""

import gc
import json
from datetime import UTC, datetime

import attrs
import pytest

from windlass.informers.builtins import Pod
from windlass.informers.errors import ProtocolError, StructureError
from windlass.informers.keys import Key
from windlass.informers.objects import Object, WrongKind
from windlass.informers.resources import Resource
from windlass.informers.typed import CustomResource, ObjectMeta, OwnerReference

WIDGET = Resource("ex.dev", "v1", "Widget", "widgets")
OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u1", "controller": True, "blockOwnerDeletion": True}
FULL = {
    "apiVersion": "ex.dev/v1",
    "kind": "Widget",
    "metadata": {
        "name": "a",
        "namespace": "ns",
        "uid": "u",
        "resourceVersion": "42",
        "generation": 3,
        "labels": {"app": "x"},
        "annotations": {"note": "y"},
        "finalizers": ["ex.dev/f"],
        "ownerReferences": [OWNER],
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "deletionTimestamp": "2026-02-03T04:05:06Z",
    },
    "spec": {"size": 1},
    "status": {"phase": "Ready"},
}
MANAGED = '[{"manager":"kubectl","fieldsV1":{"f:spec":{"f:size":{}}}}]'


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def with_managed(position):
    """An object's text with managedFields first, in the middle, last or alone in its metadata."""
    metadata = {
        "first": '{"managedFields":%s,"name":"a","uid":"u"}',
        "middle": '{"name":"a","managedFields":%s,"uid":"u"}',
        "last": '{"name":"a","uid":"u","managedFields":%s}',
        "alone": '{"managedFields":%s}',
    }[position]
    return ('{"apiVersion":"v1","kind":"Pod","metadata":' + metadata % MANAGED + ',"spec":{"a":[1,2]}}').encode()


def test_the_header_is_there_at_once():
    one = Object.parse(compact(FULL))

    assert (one.key, one.name, one.namespace) == (Key("ns", "a"), "a", "ns")
    assert (one.uid, one.resource_version, one.generation) == ("u", "42", 3)
    assert one.deletion_timestamp == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_the_rest_is_read_from_the_bytes_when_asked_for():
    one = Object.parse(compact(FULL))

    assert (one.kind, one.api_version) == ("Widget", "ex.dev/v1")
    assert (one.labels, one.annotations, one.finalizers) == ({"app": "x"}, {"note": "y"}, ("ex.dev/f",))
    assert one.owner_references == (OwnerReference("v1", "Pod", "p", "u1", True, True),)
    assert one.metadata == ObjectMeta(
        name="a",
        namespace="ns",
        uid="u",
        resource_version="42",
        generation=3,
        labels={"app": "x"},
        annotations={"note": "y"},
        finalizers=("ex.dev/f",),
        owner_references=one.owner_references,
        creation_timestamp=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        deletion_timestamp=one.deletion_timestamp,
    )


def test_spec_and_status_are_slices_of_the_bytes():
    one = Object.parse(compact(FULL))

    assert one.spec == b'{"size":1}'
    assert one.status == b'{"phase":"Ready"}'
    assert one.spec in one.raw


def test_what_is_absent_is_empty():
    one = Object.parse(b'{"metadata":{"name":"a"}}')

    assert (one.spec, one.status) == (b"", b"")
    assert (one.labels, one.annotations, one.finalizers, one.owner_references) == ({}, {}, (), ())
    assert (one.uid, one.resource_version, one.generation, one.deletion_timestamp) == ("", "", 0, None)
    assert one.key == Key("", "a")


@pytest.mark.parametrize("position", ["first", "middle", "last", "alone"])
def test_managed_fields_are_cut_out_and_nothing_else_changes(position):
    text = with_managed(position)
    expected = json.loads(text)
    del expected["metadata"]["managedFields"]

    one = Object.parse(text)

    assert one.raw == compact(expected)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"annotations": {"managedFields": "x"}}, id="an annotation of that name"),
        pytest.param({"annotations": {"note": '"managedFields":' + MANAGED}}, id="quoted in an annotation"),
    ],
)
def test_only_the_managed_fields_of_the_metadata_are_cut_out(other):
    value = {
        "kind": "Pod",
        "metadata": {"name": "a", **other, "managedFields": json.loads(MANAGED)},
        "spec": {"template": {"metadata": {"managedFields": json.loads(MANAGED)}}},
    }
    expected = json.loads(json.dumps(value))
    del expected["metadata"]["managedFields"]

    assert Object.parse(compact(value)).to_dict() == expected


def test_managed_fields_among_white_space_are_cut_out_too():
    value = {**FULL, "metadata": {**FULL["metadata"], "managedFields": json.loads(MANAGED)}}

    assert Object.parse(json.dumps(value, indent=2).encode()).to_dict() == FULL


def test_managed_fields_can_be_kept():
    text = with_managed("middle")

    assert Object.parse(text, keep_managed_fields=True).raw == text


def test_the_kind_that_lists_of_built_ins_leave_out_is_put_back_as_the_watch_writes_it():
    listed = Object.parse(b'{"metadata":{"name":"p"},"spec":{}}', Pod)
    watched = Object.parse(b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"},"spec":{}}', Pod)

    assert listed == watched
    assert listed.raw == watched.raw


def test_another_kind_is_refused_with_its_version():
    with pytest.raises(WrongKind, match="expected an object of kind Widget, found Pod") as caught:
        Object.parse(b'{"kind":"Pod","metadata":{"name":"p","resourceVersion":"9"}}', WIDGET)
    assert caught.value.resource_version == "9"


def test_metadata_alone_is_of_every_kind():
    one = Object.parse(
        b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"p"}}', WIDGET
    )

    assert one.name == "p"


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"null", b"{}", b'{"metadata":[]}', b"<html>", b'{"metadata":{"name":1}}', b"\xff"]
)
def test_what_is_no_object_is_refused_and_quoted(raw):
    with pytest.raises(ProtocolError, match="not an API object"):
        Object.parse(raw)


def test_a_dict_of_it_is_the_callers_own():
    one = Object.parse(compact(FULL))
    first = one.to_dict()
    first["metadata"]["labels"]["app"] = "changed"

    assert one.to_dict() == FULL, "I13: no reader can harm another's view"


def test_it_cannot_be_changed():
    one = Object.parse(compact(FULL))

    with pytest.raises(AttributeError):
        one.raw = b""


def test_it_becomes_a_typed_value_on_demand():
    @attrs.frozen
    class Spec:
        size: int

    @attrs.frozen
    class Widget(CustomResource):
        spec: Spec

    one = Object.parse(compact(FULL))

    assert one.as_(Widget).spec == Spec(1)
    assert one.as_(Widget).key == Key("ns", "a")
    with pytest.raises(StructureError, match=r"Widget ns/a: \$\.spec\.size: expected an integer, found \"big\""):
        Object.parse(compact({**FULL, "spec": {"size": "big"}})).as_(Widget)


def test_equal_bytes_are_equal_objects():
    assert Object.parse(compact(FULL)) == Object.parse(compact(FULL))
    assert Object.parse(compact(FULL)) != Object.parse(compact({**FULL, "spec": {}}))


def test_its_repr_is_short():
    assert repr(Object.parse(compact(FULL))) == "<Object Widget ns/a rv=42>"


def test_an_object_of_64_mib_is_held_as_well():
    raw = compact({**FULL, "spec": {"blob": "x" * (64 * 2**20 - 1000)}})

    one = Object.parse(raw)

    assert one.raw == raw
    assert len(one.spec) > 63 * 2**20


def test_the_garbage_collector_does_not_see_it():
    assert not gc.is_tracked(Object.parse(compact(FULL)))
