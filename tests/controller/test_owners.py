"""Owner references that Kubernetes honours, and errors for those it would not (scenario 47)."""

import attrs
import pytest

from windlass.controller.errors import OwnerError
from windlass.controller.owners import controller_of, owner_reference, remove_owner, set_controller, set_owner
from windlass.controller.subject import Subject
from windlass.informers.keys import Key

OWNER = Subject(
    api_version="example.com/v1",
    kind="App",
    key=Key("ns", "app"),
    uid="app-uid",
    resource_version="7",
    finalizers=(),
    deleting=False,
)
REFERENCE = {
    "apiVersion": "example.com/v1",
    "kind": "App",
    "name": "app",
    "uid": "app-uid",
    "controller": True,
    "blockOwnerDeletion": True,
}
CHILD = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "child"}}


def references(body):
    return body["metadata"]["ownerReferences"]


def test_a_controller_reference_names_group_version_kind_name_and_uid():
    assert owner_reference(OWNER) == REFERENCE


def test_the_child_gets_the_reference_and_its_owners_namespace():
    body = set_controller(CHILD, OWNER)
    assert references(body) == [REFERENCE]
    assert body["metadata"]["namespace"] == "ns"


def test_the_body_that_was_given_is_not_changed():
    set_controller(CHILD, OWNER)
    assert CHILD == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "child"}}


def test_another_controller_is_not_pushed_aside():
    """P10, scenario 47."""
    body = set_controller(CHILD, OWNER)
    other = attrs.evolve(OWNER, key=Key("ns", "other"), uid="other-uid")
    with pytest.raises(OwnerError, match="ConfigMap child cannot be controlled by App ns/other: App app controls it"):
        set_controller(body, other)


def test_an_owner_in_another_namespace_is_refused():
    """P10."""
    body = {**CHILD, "metadata": {"name": "child", "namespace": "elsewhere"}}
    with pytest.raises(OwnerError, match="is in the namespace elsewhere and cannot be owned by App ns/app"):
        set_controller(body, OWNER)


def test_a_namespaced_owner_of_a_cluster_scoped_child_is_refused():
    """P10."""
    with pytest.raises(OwnerError, match="ConfigMap child is cluster-scoped and cannot be owned by App ns/app"):
        set_controller(CHILD, OWNER, namespaced=False)


@pytest.mark.parametrize("namespaced", [True, False])
def test_a_cluster_scoped_owner_may_own_anything(namespaced):
    """P10."""
    owner = attrs.evolve(OWNER, key=Key("", "app"))
    body = set_controller({**CHILD, "metadata": {"name": "c", "namespace": "x"}}, owner, namespaced=namespaced)
    assert body["metadata"]["namespace"] == "x"
    assert "namespace" not in set_controller(CHILD, owner, namespaced=namespaced)["metadata"]


def test_the_same_owner_again_replaces_its_entry_whatever_version_and_uid():
    """P11."""
    once = set_controller(CHILD, attrs.evolve(OWNER, api_version="example.com/v1beta1", uid="old"))
    again = set_controller(once, OWNER)
    assert references(again) == [REFERENCE]
    assert set_controller(again, OWNER) == again


def test_an_owner_of_another_group_with_the_same_name_is_another_owner():
    """P11."""
    once = set_owner(CHILD, attrs.evolve(OWNER, api_version="other.com/v1"))
    assert len(references(set_controller(once, OWNER))) == 2


@pytest.mark.parametrize("owner", [attrs.evolve(OWNER, uid=""), attrs.evolve(OWNER, key=Key("ns", ""))])
def test_an_owner_that_has_not_been_created_is_refused(owner):
    """P12."""
    with pytest.raises(OwnerError, match="has not been created yet"):
        set_controller(CHILD, owner)


def test_plain_owners_stand_beside_the_controller():
    body = set_owner(set_controller(CHILD, OWNER), attrs.evolve(OWNER, key=Key("ns", "b"), uid="b"))
    assert [reference["name"] for reference in references(body)] == ["app", "b"]
    assert references(body)[1]["controller"] is False
    assert controller_of(body) == REFERENCE


def test_removing_an_owner_leaves_the_others():
    both = set_owner(set_controller(CHILD, OWNER), attrs.evolve(OWNER, key=Key("ns", "b"), uid="b"))
    left = remove_owner(both, OWNER)
    assert [reference["name"] for reference in references(left)] == ["b"]
    assert controller_of(left) is None
    assert "ownerReferences" not in remove_owner(set_controller(CHILD, OWNER), OWNER)["metadata"]
