"""Which version serves, decided from what serves and what is found."""

from hypothesis import given
from hypothesis import strategies as st

from windlass.serving.repository.plan import Failure, Found, Load, Slot, Unload, plan

V1, V2, V3 = Found(1), Found(2), Found(3)


def slot(serving=None, *failed, passing=False):
    return Slot(serving, {one.version: Failure(one, "broken", passing=passing) for one in failed})


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
    current = {"m": Slot(V2, {2: Failure(rewritten, "broken")})}
    assert plan(current, {"m": frozenset({V1, rewritten})}) == []


def test_taking_the_served_version_away_rolls_back_to_the_one_below():
    assert [Load("m", V1)] == plan({"m": slot(V2)}, {"m": frozenset({V1})})


def test_what_serves_serves_on_when_only_broken_versions_remain():
    assert plan({"m": slot(V1, V2)}, {"m": frozenset({V2})}) == []


def test_a_model_that_is_gone_is_unloaded_first():
    assert [Unload("old"), Load("new", V1)] == plan({"old": slot(V1)}, {"new": frozenset({V1})})


versions = st.frozensets(st.integers(1, 5).map(Found), max_size=5)


@given(versions, st.none() | st.integers(1, 5).map(Found), st.frozensets(st.integers(1, 5).map(Found)))
def test_planning_ends_and_serves_the_highest_that_loads(found, serving, broken):
    """Performed until nothing is left, it ends, and no sound version above the one that serves was passed over."""
    current = {"m": slot(serving)}
    for _ in range(7):
        actions = plan(current, {"m": found})
        if not actions:
            break
        match actions:
            case [Unload("m")]:
                current = {}
                break
            case [Load("m", chosen)] if chosen in broken:
                old = current["m"]
                current = {"m": Slot(old.serving, {**old.failures, chosen.version: Failure(chosen, "broken")})}
            case [Load("m", chosen)]:
                current = {"m": Slot(chosen, current["m"].failures)}
    else:
        raise AssertionError("the plan does not end")
    sound = [one.version for one in found if one not in broken or one == serving]
    if found and sound:
        assert max(sound) == current["m"].serving.version
    assert bool(found) == ("m" in current)
