"""Finalizers: four stages, and patches that overwrite nobody (scenario 48)."""

import attrs
import pytest

from windlass.controller.finalizers import Stage, adding, removing, stage
from windlass.controller.subject import Subject
from windlass.informers.keys import Key

MINE = "example.com/mine"
OBJECT = Subject("example.com/v1", "App", Key("ns", "a"), "u", "7", (), deleting=False)


def holding(*finalizers, deleting=False):
    return attrs.evolve(OBJECT, finalizers=finalizers, deleting=deleting)


def apply_json_patch(finalizers, patch, *, resource_version="7"):
    """What a server does with the patch; None when a test in it fails."""
    found = list(finalizers)
    for operation in patch:
        path = operation["path"]
        match operation["op"], path.rpartition("/")[2]:
            case "test", "resourceVersion":
                if operation["value"] != resource_version:
                    return None
            case "test", "finalizers":
                if found != operation["value"]:
                    return None
            case "test", index:
                if int(index) >= len(found) or found[int(index)] != operation["value"]:
                    return None
            case "add", "-":
                found.append(operation["value"])
            case "add", "finalizers":
                found = list(operation["value"])
            case "remove", index:
                del found[int(index)]
    return found


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (holding(), Stage.ADD),
        (holding("other"), Stage.ADD),
        (holding(MINE), Stage.RECONCILE),
        (holding("other", MINE, deleting=True), Stage.CLEAN_UP),
        (holding("other", deleting=True), Stage.LET_GO),
        (holding(deleting=True), Stage.LET_GO),
    ],
)
def test_an_object_is_in_one_of_four_stages(subject, expected):
    """F1, scenario 48."""
    assert stage(subject, MINE) is expected


@pytest.mark.parametrize("others", [(), ("a",), ("a", "b")])
def test_adding_appends_and_keeps_the_others(others):
    """F3."""
    patch = adding(holding(*others), MINE)
    assert apply_json_patch(others, patch) == [*others, MINE]


def test_adding_fails_when_the_list_has_changed_meanwhile():
    """F3: nothing of what another has added is lost."""
    assert apply_json_patch(["a", "b"], adding(holding("a"), MINE)) is None


def test_adding_the_first_finalizer_fails_when_the_object_has_changed_meanwhile():
    """F3: there is no list to test, so the version is tested."""
    assert apply_json_patch(["a"], adding(holding(), MINE), resource_version="8") is None


@pytest.mark.parametrize("subject", [holding(MINE), holding(MINE, deleting=True), holding(deleting=True)])
def test_nothing_is_added_twice_or_to_an_object_being_deleted(subject):
    """F5."""
    assert adding(subject, MINE) == []


@pytest.mark.parametrize(
    "finalizers", [(MINE,), ("a", MINE), (MINE, "a"), ("a", MINE, "b"), (MINE, "a", MINE), (MINE, MINE)]
)
def test_removing_takes_every_entry_of_the_name_and_no_other(finalizers):
    patch = removing(holding(*finalizers, deleting=True), MINE)
    assert apply_json_patch(finalizers, patch) == [name for name in finalizers if name != MINE]


def test_removing_fails_when_another_finalizer_has_moved_it():
    """F3."""
    assert apply_json_patch([MINE], removing(holding("a", MINE), MINE)) is None


def test_removing_what_is_not_there_is_no_patch():
    assert removing(holding("a"), MINE) == []
