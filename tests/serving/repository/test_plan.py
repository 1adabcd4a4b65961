"""Which version serves, decided from what serves and what is found."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.serving.repository.plan import Failure, Found, Load, Retire, Slot, Unload, plan
from windlass.serving.repository.settings import Latest

V1, V2, V3 = Found(1), Found(2), Found(3)


def of(*serving):
    return {one.version: one for one in serving if one is not None}


def slot(serving=None, *failed, passing=False):
    return Slot(of(serving), {one.version: Failure(one, "broken", passing=passing) for one in failed})


def test_the_highest_version_is_loaded():
    assert [Load("m", V3)] == plan({}, {"m": frozenset({V1, V3, V2})})


def test_nothing_is_done_when_the_highest_serves():
    assert plan({"m": slot(V2)}, {"m": frozenset({V1, V2})}) == []


def test_a_new_version_replaces_the_one_that_serves():
    assert [Load("m", V2)] == plan({"m": slot(V1)}, {"m": frozenset({V1, V2})})


def test_a_version_that_failed_is_not_tried_again_while_it_is_the_same():
    assert plan({"m": slot(V1, V2)}, {"m": frozenset({V1, V2})}) == []


def test_a_version_that_failed_is_tried_again_when_its_folder_changed():
    rewritten = Found(2, (7,))
    assert [Load("m", rewritten)] == plan({"m": slot(V1, V2)}, {"m": frozenset({V1, rewritten})})


def test_a_passing_failure_is_tried_again_once_a_scan():
    current = {"m": slot(V1, V2, passing=True)}
    found = {"m": frozenset({V1, V2})}
    assert [Load("m", V2)] == plan(current, found, retry=True)
    assert plan(current, found) == []


def test_the_next_lower_version_is_loaded_when_the_highest_fails_and_nothing_serves():
    assert [Load("m", V1)] == plan({"m": slot(None, V2)}, {"m": frozenset({V1, V2})})


def test_a_rewritten_version_that_fails_does_not_bring_back_an_older_one():
    """The instance that serves is newer than version 1 even though its folder can no longer be loaded."""
    rewritten = Found(2, (7,))
    current = {"m": Slot(of(V2), {2: Failure(rewritten, "broken")})}
    assert plan(current, {"m": frozenset({V1, rewritten})}) == []


def test_taking_the_served_version_away_rolls_back_to_the_one_below():
    assert [Load("m", V1)] == plan({"m": slot(V2)}, {"m": frozenset({V1})})


def test_what_serves_serves_on_when_only_broken_versions_remain():
    assert plan({"m": slot(V1, V2)}, {"m": frozenset({V2})}) == []


def test_a_model_that_is_gone_is_unloaded_first():
    assert [Unload("old"), Load("new", V1)] == plan({"old": slot(V1)}, {"new": frozenset({V1})})


def test_the_old_one_is_retired_once_the_new_one_serves():
    """W8."""
    assert [Retire("m", 1)] == plan({"m": Slot(of(V1, V2))}, {"m": frozenset({V1, V2})})


@pytest.mark.parametrize(
    ("versions", "loaded"),
    [(Latest(2), [3, 2]), ("all", [3, 2, 1]), ((1, 3), [3, 1]), ((2, 9), [2]), ((9,), [])],
    ids=["latest", "all", "named", "one of them missing", "all of them missing"],
)
def test_the_settings_choose_the_versions_that_serve_side_by_side(versions, loaded):
    actions = plan({"m": Slot(versions=versions)}, {"m": frozenset({V1, V2, V3})})
    assert actions == [Load("m", Found(number)) for number in loaded]


def test_a_version_that_fails_makes_room_for_the_next_lower_one():
    current = {"m": Slot(of(V2), {3: Failure(V3, "broken")}, Latest(2))}
    assert [Load("m", V1)] == plan(current, {"m": frozenset({V1, V2, V3})})


def test_what_serves_serves_on_when_the_settings_name_nothing_that_is_there():
    assert plan({"m": Slot(of(V2), versions=(7,))}, {"m": frozenset({V1, V2})}) == []


numbers = st.integers(1, 5)
versions = st.frozensets(numbers.map(Found), max_size=5)
rules = st.integers(1, 3).map(Latest) | st.just("all") | st.sets(numbers, min_size=1, max_size=3).map(tuple)


def perform(slot, action, broken):
    """The slot after the action; None when nothing is left of it."""
    match action:
        case Unload():
            return None
        case Retire(_, version):
            return attrs.evolve(slot, serving={k: v for k, v in slot.serving.items() if k != version})
        case Load(_, found) if found in broken:
            return attrs.evolve(slot, failures={**slot.failures, found.version: Failure(found, "broken")})
        case Load(_, found):
            return attrs.evolve(slot, serving={**slot.serving, found.version: found})


@given(versions, versions, st.frozensets(numbers.map(Found)), rules)
def test_planning_ends_and_serves_the_chosen_ones_that_load(found, serving, broken, rule):
    """Performed until nothing is left, it ends; what could serve never became less than one version on the way."""
    current = {"m": Slot(of(*serving), versions=rule)}
    for _ in range(12):
        actions = plan(current, {"m": found})
        if not actions:
            break
        for action in actions:
            after = perform(current["m"], action, broken)
            if after is None:
                assert not found
                return
            assert after.serving or not current["m"].serving, "a moment without any version"
            current = {"m": after}
    else:
        raise AssertionError("the plan does not end")
    sound = sorted((one.version for one in found if one not in broken or one in serving), reverse=True)
    match rule:
        case Latest(latest):
            chosen = sound[:latest]
        case "all":
            chosen = sound
        case _:
            chosen = [one for one in sound if one in rule]
    assert set(current["m"].serving) == (set(chosen) or {one.version for one in serving})
