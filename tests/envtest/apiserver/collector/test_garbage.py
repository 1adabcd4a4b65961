from windlass.envtest.apiserver.collector.garbage import Delete, DropFinalizer, DropOwners, OwnerState, decide
from windlass.envtest.apiserver.store.storage import Key, versioned


def stored(name, *owners, deleting=False, finalizers=(), blocking=()):
    references = [
        {"apiVersion": "v1", "kind": "K", "name": uid, "uid": uid, "blockOwnerDeletion": uid in blocking}
        for uid in owners
    ]
    metadata = {"name": name, "uid": name, "ownerReferences": references, "finalizers": list(finalizers)}
    if deleting:
        metadata["deletionTimestamp"] = "2024-01-01T00:00:00Z"
    return versioned(Key("ks", "ns", name), {"apiVersion": "v1", "kind": "K", "metadata": metadata}, 1)


def owners(**states):
    known = {
        "alive": OwnerState(True),
        "gone": OwnerState(False),
        "waiting": OwnerState(True, True),
        "dark": OwnerState(None),
    }
    return lambda _, reference: known[states[reference["uid"]]]


def test_an_object_whose_owners_are_all_gone_is_deleted():
    child = stored("c", "p", "q")
    assert decide(child, [], owners(p="gone", q="gone")) == [Delete(child.key, "Background")]


def test_dangling_references_are_dropped_while_another_owner_lives():
    child = stored("c", "p", "q")
    assert decide(child, [], owners(p="gone", q="alive")) == [DropOwners(child.key, frozenset({"p"}))]
    assert decide(child, [], owners(p="alive", q="alive")) == []


def test_nothing_is_decided_about_owners_of_unknown_kinds():
    assert decide(stored("c", "p", "q"), [], owners(p="gone", q="dark")) == []
    assert decide(stored("c"), [], owners()) == []


def test_an_owner_in_foreground_deletion_waits_for_blocking_dependents_only():
    owner = stored("p", deleting=True, finalizers=["foregroundDeletion"])
    blocker, other = stored("c", "p", blocking=["p"]), stored("d", "p")
    assert decide(owner, [blocker, other], owners()) == []
    assert decide(owner, [other], owners()) == [DropFinalizer(owner.key, "foregroundDeletion")]


def test_a_dependent_of_a_waiting_owner_is_deleted_in_the_foreground_if_it_has_dependents():
    child, grandchild = stored("c", "p"), stored("g", "c")
    assert decide(child, [grandchild], owners(p="waiting")) == [Delete(child.key, "Foreground")]
    assert decide(child, [], owners(p="waiting")) == [Delete(child.key, "Background")]


def test_a_cycle_of_owners_is_broken():
    child, parent = stored("c", "p"), stored("p", "c", deleting=True, finalizers=["foregroundDeletion"])
    assert decide(child, [parent], owners(p="waiting")) == [Delete(child.key, "Background")]


def test_an_orphaning_owner_frees_its_dependents_before_it_goes():
    owner, child = stored("p", deleting=True, finalizers=["orphan"]), stored("c", "p")
    expected = [DropOwners(child.key, frozenset({"p"})), DropFinalizer(owner.key, "orphan")]
    assert decide(owner, [child], owners()) == expected


def test_an_object_that_is_being_deleted_is_left_to_its_finalizers():
    assert decide(stored("c", "p", deleting=True, finalizers=["x/y"]), [], owners(p="gone")) == []
