"""Kinds are known before anything runs, or it is said which is not."""

import attrs
import pytest

from windlass.controller.errors import KindNotRegistered, ManagerError
from windlass.controller.scheme import Scheme
from windlass.informers.builtins import ConfigMap, Pod
from windlass.informers.errors import UnregisteredKind
from windlass.informers.resources import Resource
from windlass.informers.typed import CustomResource
from windlass.manifests.kinds import kind

ROCKET = Resource("example.com", "v1", "Rocket", "rockets")


@attrs.frozen
class PadSpec:
    length: int


@kind("example.com/v1")
@attrs.frozen
class Pad(CustomResource):
    spec: PadSpec


def test_built_in_kinds_are_always_known():
    scheme = Scheme()
    assert scheme.require(Pod, used_by="x") is Pod
    assert scheme.named("v1", "ConfigMap") is ConfigMap
    assert ConfigMap in scheme


def test_registered_classes_and_resources_are_known():
    scheme = Scheme([Pad, ROCKET])
    assert scheme.require(Pad, used_by="x").plural == "pads"
    assert scheme.named("example.com/v1", "Rocket") is ROCKET


def test_a_kind_that_was_not_registered_is_named_with_who_uses_it_and_the_remedy():
    """M10 of the brief: never inside a reconcile."""
    with pytest.raises(KindNotRegistered) as caught:
        Scheme().require(Pad, used_by="the controller launch (owns)")
    assert str(caught.value) == (
        "the controller launch (owns) uses the kind Pad (pads.v1.example.com), which is not registered: "
        "add it to Manager(kinds=[…])"
    )
    with pytest.raises(KindNotRegistered, match=r"Rocket \(rockets\.v1\.example\.com\)"):
        Scheme([Pad]).require(ROCKET, used_by="x")


def test_an_object_of_an_unknown_kind_is_refused():
    with pytest.raises(KindNotRegistered, match="Rocket"):
        Scheme().named("example.com/v1", "Rocket")
    with pytest.raises(KindNotRegistered, match="no apiVersion"):
        Scheme().named("", "Rocket")


def test_a_class_that_is_no_kind_is_refused():
    class Plain(CustomResource):
        pass

    with pytest.raises(UnregisteredKind, match="Plain"):
        Scheme([Plain])


def test_kinds_may_be_added_and_adding_one_again_changes_nothing():
    scheme = Scheme()
    scheme.add(Pad)
    scheme.add(Pad)
    assert scheme.named("example.com/v1", "Pad").plural == "pads"


def test_one_kind_described_in_two_ways_is_refused():
    with pytest.raises(ManagerError, match="registered twice, differently"):
        Scheme([ROCKET, attrs.evolve(ROCKET, plural="rocketz")])


def test_a_resource_that_describes_a_registered_kind_otherwise_is_not_that_kind():
    with pytest.raises(KindNotRegistered):
        Scheme([ROCKET]).require(attrs.evolve(ROCKET, namespaced=False), used_by="x")
