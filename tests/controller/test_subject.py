"""One view of both shapes of an object."""

import attrs
import msgspec
import pytest

from windlass.controller.subject import subject_of
from windlass.informers.errors import UnregisteredKind
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.typed import CustomResource
from windlass.manifests.kinds import kind


@attrs.frozen
class BoatSpec:
    length: int = 0


@kind("example.com/v1")
@attrs.frozen
class Boat(CustomResource):
    spec: BoatSpec = BoatSpec()


def make(**metadata):
    body = {"name": "a", "namespace": "ns", "uid": "u", "resourceVersion": "7", **metadata}
    return Object.parse(msgspec.json.encode({"apiVersion": "example.com/v1", "kind": "Boat", "metadata": body}))


@pytest.mark.parametrize(
    "obj",
    [
        make(),
        make(finalizers=["x", "y"], deletionTimestamp="2026-08-01T00:00:00Z"),
        make(namespace="", uid="", resourceVersion=""),
    ],
)
def test_an_object_and_its_instance_are_one_subject(obj):
    assert subject_of(obj) == subject_of(obj.as_(Boat))


def test_a_subject_names_kind_and_key():
    subject = subject_of(make(finalizers=["x"], deletionTimestamp="2026-08-01T00:00:00Z"))
    assert str(subject) == "Boat ns/a"
    assert (subject.key, subject.uid, subject.resource_version) == (Key("ns", "a"), "u", "7")
    assert (subject.finalizers, subject.deleting) == (("x",), True)
    assert not subject_of(make()).deleting


def test_an_instance_of_a_class_that_is_no_kind_has_no_subject():
    with pytest.raises(UnregisteredKind):
        subject_of(CustomResource())
