"""Whose reconcile a change calls for."""

import msgspec
import pytest

from windlass.controller.handlers import Watch, map_objects, map_owner, map_self
from windlass.controller.predicates import DEFAULT, generation_changed
from windlass.informers.builtins import ConfigMap, Node, Pod
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.resources import Resource
from windlass.informers.store import Added, Deleted, Updated

APP = Resource("example.com", "v1", "App", "apps")
ZONE = Resource("example.com", "v1", "Zone", "zones", namespaced=False)


def ref(name, *, kind="App", api_version="example.com/v1", uid=None, controller=True):
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": name,
        "uid": uid or f"{name}-uid",
        **({"controller": controller} if controller is not None else {}),
    }


def child(*references, name="child", namespace="ns", rv="1"):
    metadata = {"name": name, "namespace": namespace, "uid": "c", "resourceVersion": rv}
    if references:
        metadata["ownerReferences"] = list(references)
    return Object.parse(msgspec.json.encode({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}))


@pytest.mark.parametrize("change", [Added(child()), Deleted(child()), Updated(child(), child(rv="2"))])
def test_an_object_wakes_its_own_key(change):
    assert list(map_self(change)) == [Key("ns", "child")]


def test_an_owned_object_wakes_its_controller():
    assert map_owner(APP)(Added(child(ref("a")))) == [Key("ns", "a")]
    assert map_owner(APP)(Deleted(child(ref("a")))) == [Key("ns", "a")]


def test_an_object_without_owners_wakes_nobody():
    assert map_owner(APP)(Added(child())) == []


def test_an_update_wakes_the_old_and_the_new_owner_once_each():
    """P6, scenario 46."""
    handler = map_owner(APP)
    assert handler(Updated(child(ref("old")), child(ref("new"), rv="2"))) == [Key("ns", "old"), Key("ns", "new")]
    assert handler(Updated(child(ref("same")), child(ref("same"), rv="2"))) == [Key("ns", "same")]
    assert handler(Updated(child(ref("left")), child(rv="2"))) == [Key("ns", "left")]


def test_the_version_of_the_owner_reference_does_not_matter():
    """P7."""
    assert map_owner(APP)(Added(child(ref("a", api_version="example.com/v1beta1")))) == [Key("ns", "a")]


@pytest.mark.parametrize("api_version", ["other.com/v1", "v1", "example.com.evil/v1"])
def test_the_group_of_the_owner_reference_matters(api_version):
    assert map_owner(APP)(Added(child(ref("a", api_version=api_version)))) == []


def test_the_kind_of_the_owner_reference_matters():
    assert map_owner(APP)(Added(child(ref("a", kind="Apple")))) == []


def test_core_group_owners_are_found():
    assert map_owner(Pod)(Added(child(ref("p", kind="Pod", api_version="v1")))) == [Key("ns", "p")]


def test_a_child_of_an_earlier_owner_of_the_same_name_does_not_wake_the_present_one():
    """P8."""
    known = {Key("ns", "a"): "new-uid"}
    handler = map_owner(APP, uid_of=known.get)
    assert handler(Added(child(ref("a", uid="old-uid")))) == []
    assert handler(Added(child(ref("a", uid="new-uid")))) == [Key("ns", "a")]


def test_an_owner_that_the_cache_does_not_know_is_woken():
    """P8: it may be about to appear, or be gone and in need of a last run."""
    assert map_owner(APP, uid_of={}.get)(Added(child(ref("a")))) == [Key("ns", "a")]


def test_a_cluster_scoped_owner_has_no_namespace():
    """P9."""
    assert map_owner(ZONE)(Added(child(ref("z", kind="Zone")))) == [Key("", "z")]


@pytest.mark.parametrize("controller", [False, None])
def test_an_owner_that_does_not_control_is_woken_only_on_request(controller):
    change = Added(child(ref("a", controller=controller)))
    assert map_owner(APP)(change) == []
    assert map_owner(APP, controller_only=False)(change) == [Key("ns", "a")]


def test_all_owners_of_the_kind_are_woken_on_request():
    """Scenario 46."""
    change = Added(child(ref("a"), ref("b", controller=None), ref("c", kind="Other")))
    assert map_owner(APP, controller_only=False)(change) == [Key("ns", "a"), Key("ns", "b")]


def test_a_mapping_function_sees_old_and_new_and_keys_come_once():
    seen = []

    def everyone(obj):
        seen.append(obj.resource_version)
        return [Key("ns", "x"), Key("ns", "y"), Key("ns", "x")]

    assert map_objects(everyone)(Updated(child(), child(rv="2"))) == [Key("ns", "x"), Key("ns", "y")]
    assert seen == ["1", "2"]


def test_a_watch_passes_what_the_default_predicate_passes_unless_told_otherwise():
    assert Watch(ConfigMap, map_self).predicates == (DEFAULT,)
    assert Watch(Node, map_self, [generation_changed]).predicates == (generation_changed,)
