"""The whole truth table: predicate x event x combinator, kinds without generation, recreated objects (scenario 45)."""

import itertools

import attrs
import msgspec
import pytest

from windlass.controller import predicates
from windlass.controller.predicates import (
    DEFAULT,
    Predicate,
    annotations_changed,
    deletion_changed,
    finalizers_changed,
    function,
    generation_changed,
    labels_changed,
    on,
    owners_changed,
    resource_version_changed,
    resynced,
    selector,
    status_changed,
)
from windlass.informers.objects import Object
from windlass.informers.store import Added, Deleted, Updated

OWNER = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "n-1"}


def make(*, rv="1", uid="u", generation=1, spec=None, status=None, data=None, **metadata):
    body = {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {
            "name": "a",
            "namespace": "ns",
            "uid": uid,
            "resourceVersion": rv,
            **({"generation": generation} if generation else {}),
            **metadata,
        },
        **({"spec": spec} if spec is not None else {}),
        **({"status": status} if status is not None else {}),
        **({"data": data} if data is not None else {}),
    }
    return Object.parse(msgspec.json.encode(body))


BASE = {"spec": {"x": 1}, "status": {"phase": "Old"}}

# Each update changes one thing, as a server would write it.
UPDATES = {
    "spec": Updated(make(**BASE), make(rv="2", generation=2, spec={"x": 2}, status={"phase": "Old"})),
    "status": Updated(make(**BASE), make(rv="2", spec={"x": 1}, status={"phase": "New"})),
    "labels": Updated(make(**BASE), make(rv="2", labels={"a": "b"}, **BASE)),
    "annotations": Updated(make(**BASE), make(rv="2", annotations={"a": "b"}, **BASE)),
    "finalizers": Updated(make(**BASE), make(rv="2", finalizers=["x/y"], **BASE)),
    "owners": Updated(make(**BASE), make(rv="2", ownerReferences=[OWNER], **BASE)),
    "deletion": Updated(
        make(finalizers=["x/y"], **BASE),
        make(rv="2", generation=2, finalizers=["x/y"], deletionTimestamp="2026-08-01T00:00:00Z", **BASE),
    ),
    "bookkeeping": Updated(make(**BASE), make(rv="2", **BASE)),
    "resync": Updated(make(**BASE), make(**BASE)),
    "recreated": Updated(make(**BASE), make(rv="9", uid="u2", **BASE)),
}


def without_generation(change):
    """The same update of a kind that has none: a ConfigMap, a Secret."""

    def strip(obj):
        body = obj.to_dict()
        body["metadata"].pop("generation")
        return Object.parse(msgspec.json.encode(body))

    return Updated(strip(change.old), strip(change.new))


PLAIN_UPDATES = {name: without_generation(change) for name, change in UPDATES.items()}
OTHERS = {
    "added": Added(make(**BASE)),
    "initial": Added(make(**BASE), initial=True),
    "deleted": Deleted(make(**BASE)),
    "deleted unseen": Deleted(make(**BASE), final_state_known=False),
}
ABOUT_UPDATES = {
    generation_changed: {"spec", "deletion"},
    status_changed: {"status"},
    labels_changed: {"labels"},
    annotations_changed: {"annotations"},
    finalizers_changed: {"finalizers"},
    owners_changed: {"owners"},
    deletion_changed: {"deletion"},
    resource_version_changed: set(UPDATES) - {"resync"},
    resynced: {"resync"},
}
CASES = [(one, name) for one in ABOUT_UPDATES for name in UPDATES]


@pytest.mark.parametrize(("predicate", "update"), CASES, ids=lambda one: getattr(one, "name", one))
def test_each_predicate_passes_the_updates_it_is_about_and_recreated_objects(predicate, update):
    """P2, P5, R8."""
    expected = update in ABOUT_UPDATES[predicate] or update == "recreated"
    assert predicate(UPDATES[update]) is expected
    assert (~predicate)(UPDATES[update]) is not expected


@pytest.mark.parametrize(("predicate", "update"), CASES, ids=lambda one: getattr(one, "name", one))
def test_the_table_is_the_same_for_a_kind_without_generation(predicate, update):
    """P3, P5, scenario 45."""
    expected = update in ABOUT_UPDATES[predicate] or update == "recreated"
    assert predicate(PLAIN_UPDATES[update]) is expected
    assert (~predicate)(PLAIN_UPDATES[update]) is not expected


@pytest.mark.parametrize("event", UPDATES)
def test_a_combination_passes_what_the_table_says_of_its_parts(event):
    """Scenario 45: by the table, not by the parts' own answers, for every two of the predicates."""
    for left, right in itertools.permutations(ABOUT_UPDATES, 2):
        mine, theirs = (event in ABOUT_UPDATES[one] or event == "recreated" for one in (left, right))
        for change in (UPDATES[event], PLAIN_UPDATES[event]):
            assert (left & right)(change) is (mine and theirs)
            assert (left | right)(change) is (mine or theirs)
            assert (left & ~right)(change) is (mine and not theirs)
            assert (left | ~right)(change) is (mine or not theirs)


@pytest.mark.parametrize("event", OTHERS)
def test_creates_and_deletes_pass_whatever_predicates_about_updates_are_combined(event):
    """P1, P4, scenario 45."""
    for left, right in itertools.permutations(ABOUT_UPDATES, 2):
        for combined in (left & right, left | right, left & ~right, left | ~right, ~(left & right), ~(left | right)):
            assert combined(OTHERS[event]), combined


@pytest.mark.parametrize("event", OTHERS)
@pytest.mark.parametrize("predicate", ABOUT_UPDATES, ids=lambda one: one.name)
def test_a_predicate_about_updates_has_no_opinion_of_creates_and_deletes_negated_or_not(predicate, event):
    """P1; and unlike P4's `not`, negation blocks no create."""
    assert predicate.opinion(OTHERS[event]) is None
    assert predicate(OTHERS[event])
    assert (~predicate)(OTHERS[event])


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize(("left", "right"), list(itertools.combinations(ABOUT_UPDATES, 2)), ids=lambda one: one.name)
def test_and_or_follow_logic_on_updates(left, right, update):
    change = UPDATES[update]
    assert (left | right)(change) is (left(change) or right(change))
    assert (left & right)(change) is (left(change) and right(change))
    assert (~(left | right))(change) is ((~left) & (~right))(change)


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (True, True, True, True),
        (True, False, False, True),
        (True, None, True, True),
        (False, False, False, False),
        (False, None, False, False),
        (None, None, None, None),
    ],
)
def test_the_combinators_ignore_whoever_has_no_opinion(left, right, both, either):
    change = OTHERS["added"]
    for one, other in [(left, right), (right, left)]:
        first, second = (Predicate("first", lambda _, o=one: o), Predicate("second", lambda _, o=other: o))
        assert (first & second).opinion(change) is both
        assert (first | second).opinion(change) is either


def test_negation_turns_opinions_and_leaves_none():
    change = OTHERS["added"]
    for opinion, negated in [(True, False), (False, True), (None, None)]:
        assert (~Predicate("p", lambda _, o=opinion: o)).opinion(change) is negated


def test_a_selector_or_ed_with_a_predicate_about_updates_still_selects_creates():
    """P4: in controller-runtime every create would pass."""
    mine = selector({"team": "a"}) | labels_changed
    assert mine(Added(make(labels={"team": "a"})))
    assert not mine(Added(make(labels={"team": "b"})))
    assert not mine(Deleted(make(labels={"team": "b"})))


@pytest.mark.parametrize("event", OTHERS)
def test_negated_generation_blocks_no_create_and_no_delete(event):
    """P4."""
    assert (~generation_changed)(OTHERS[event])


def test_a_kind_without_generation_counts_as_edited_when_its_content_differs():
    """P3: neither are all its updates lost, as in controller-runtime, nor do all pass."""
    old = make(generation=0, data={"k": "v"})
    assert generation_changed(Updated(old, make(generation=0, rv="2", data={"k": "w"})))
    assert not generation_changed(Updated(old, make(generation=0, rv="2", data={"k": "v"}, labels={"a": "b"})))
    assert not generation_changed(Updated(old, make(generation=0, rv="2", data={"k": "v"}, status={"a": 1})))
    assert generation_changed(
        Updated(old, make(generation=0, rv="2", data={"k": "v"}, deletionTimestamp="2026-08-01T00:00:00Z"))
    )


def test_a_generation_that_appears_counts_as_a_change():
    assert generation_changed(Updated(make(generation=0), make(rv="2", generation=1)))


@pytest.mark.parametrize("update", [name for name in UPDATES if name != "bookkeeping"])
def test_by_default_every_change_that_a_reconciler_could_see_wakes_it(update):
    assert DEFAULT(UPDATES[update])


def test_by_default_pure_bookkeeping_does_not_wake():
    assert not DEFAULT(UPDATES["bookkeeping"])


@pytest.mark.parametrize("event", OTHERS)
def test_by_default_creates_and_deletes_wake(event):
    assert DEFAULT(OTHERS[event])


@pytest.mark.parametrize("generation", [0, 1], ids=["kind without generation", "kind with generation"])
@pytest.mark.parametrize(
    "predicate",
    [
        DEFAULT,
        status_changed,
        generation_changed | status_changed,
        DEFAULT & selector({"team": "a"}),
        (generation_changed | labels_changed | status_changed) & ~resynced,
        resource_version_changed,
        ~resynced,
    ],
    ids=lambda one: one.name,
)
def test_a_status_only_change_is_never_lost_by_whoever_asks_for_status(predicate, generation):
    old = make(generation=generation, labels={"team": "a"}, status={"phase": "Old"})
    new = make(rv="2", generation=generation, labels={"team": "a"}, status={"phase": "New"})
    assert predicate(Updated(old, new))


def test_a_status_that_appears_or_goes_is_a_change():
    assert status_changed(Updated(make(), make(rv="2", status={"phase": "New"})))
    assert status_changed(Updated(make(status={"phase": "Old"}), make(rv="2")))


def test_no_labels_and_empty_labels_are_equal():
    assert not labels_changed(Updated(make(), make(rv="2", labels={})))
    assert not annotations_changed(Updated(make(), make(rv="2", annotations={})))


@pytest.mark.parametrize(
    ("old", "new", "passes"),
    [("a", "a", True), ("a", "b", True), ("b", "a", True), ("b", "b", False)],
    ids=["stays", "leaves", "enters", "outside"],
)
def test_a_selector_passes_objects_that_enter_stay_and_leave(old, new, passes):
    """I15: controller-runtime's label predicate would drop the one that leaves."""
    change = Updated(make(labels={"team": old}), make(rv="2", labels={"team": new}))
    assert selector({"team": "a"})(change) is passes


def test_a_selector_without_a_value_asks_for_the_label_alone():
    assert selector({"team": None})(Added(make(labels={"team": "x"})))
    assert not selector({"team": None})(Added(make()))
    assert repr(selector({"team": None, "tier": "web"})) == "<Predicate selector(team,tier=web)>"


def test_a_function_judges_creates_deletes_and_both_sides_of_an_update():
    wanted = function(lambda obj: obj.uid == "wanted", name="wanted")
    yes, no = make(uid="wanted"), make(uid="other")
    assert wanted(Added(yes))
    assert not wanted(Added(no))
    assert wanted(Deleted(yes))
    assert wanted(Updated(yes, no))
    assert wanted(Updated(no, yes))
    assert not wanted(Updated(no, no))


def test_on_takes_one_function_for_each_kind_of_change_and_the_rest_passes():
    only_known_deletes = on(deleted=lambda change: change.final_state_known)
    assert only_known_deletes(OTHERS["deleted"])
    assert not only_known_deletes(OTHERS["deleted unseen"])
    assert only_known_deletes.opinion(OTHERS["added"]) is None
    assert only_known_deletes.opinion(UPDATES["spec"]) is None
    assert not on(added=lambda change: not change.initial)(OTHERS["initial"])
    assert not on(updated=lambda _: False)(UPDATES["spec"])


def test_a_predicate_is_named_after_what_it_is_made_of():
    assert repr(generation_changed | ~labels_changed) == "<Predicate (generation_changed | ~labels_changed)>"
    assert repr(DEFAULT) == "<Predicate default>"
    assert (generation_changed & status_changed).name == "(generation_changed & status_changed)"


def test_predicates_are_values():
    assert attrs.evolve(generation_changed, name="other") != generation_changed
    assert len({generation_changed, predicates.generation_changed}) == 1
