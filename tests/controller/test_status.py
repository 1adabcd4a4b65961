"""Status patches: minimal, conditional, and none when nothing differs."""

from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.controller.errors import ControllerError
from windlass.controller.status import difference, keep_transition_times, rebase, rfc3339, status_patch
from windlass.controller.subject import Subject
from windlass.informers.keys import Key

SUBJECT = Subject("example.com/v1", "App", Key("ns", "a"), "u", "7", (), deleting=False)
NOW = datetime(2026, 8, 1, 12, 0, 30, tzinfo=UTC)
EARLIER = "2026-07-01T00:00:00Z"


def condition(status="True", *, name="Ready", time=None, **fields):
    found = {"type": name, "status": status, "reason": "Fine", **fields}
    return {**found, "lastTransitionTime": time} if time else found


def merge(target, patch):
    """RFC 7386, as a server does it."""
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = merge(result[name] if isinstance(result.get(name), dict) else {}, value)
        else:
            result[name] = value
    return result


def test_a_patch_carries_what_differs_and_the_resource_version():
    """F6."""
    patch = status_patch(SUBJECT, {"phase": "A", "count": 1}, {"phase": "B", "count": 1}, now=NOW)
    assert patch == {"metadata": {"resourceVersion": "7"}, "status": {"phase": "B"}}


def test_an_equal_status_is_not_written():
    """F8, CA-4."""
    assert status_patch(SUBJECT, {"phase": "A", "extra": 1}, {"phase": "A"}, now=NOW) is None


def test_a_status_without_a_resource_version_is_refused():
    """F6: it would overwrite whatever came between."""
    with pytest.raises(ControllerError, match="the status of App ns/a cannot be written: the object has no resourceV"):
        status_patch(attrs.evolve(SUBJECT, resource_version=""), {}, {"phase": "A"}, now=NOW)


def test_none_removes_a_field_and_only_if_it_is_there():
    assert difference({"phase": "A"}, {"phase": None}) == {"phase": None}
    assert difference({}, {"phase": None}) == {}


def by(*conditions):
    return {"conditions": list(conditions)}


def test_a_rebase_keeps_what_another_writer_did_to_conditions_that_are_not_ours():
    """CA-3: touched by us alone, by them alone, by both; each type by itself."""
    a, b, c = (condition("False", name=name) for name in "ABC")
    base = by(a, b, c)
    desired = by(condition("True", name="A"), b, c, condition("True", name="Mine"))
    live = by(condition("Unknown", name="A"), condition("True", name="B"), condition("True", name="Theirs"))

    assert rebase(base, desired, live) == by(
        condition("True", name="A"),
        condition("True", name="B"),
        condition("True", name="Theirs"),
        condition("True", name="Mine"),
    )


def test_a_rebase_removes_what_was_removed_by_either():
    a, b, c = (condition(name=name) for name in "ABC")

    assert rebase(by(a, b, c), by(b, c), by(a, b)) == by(b)


def test_a_rebase_leaves_fields_that_are_no_conditions_as_they_are_wanted():
    assert rebase({"phase": "A"}, {"phase": "B", "rooms": ["x"]}, {"phase": "C", "rooms": ["y"]}) == {
        "phase": "B",
        "rooms": ["x"],
    }


def test_nested_fields_differ_on_their_own_and_lists_as_wholes():
    current = {"a": {"x": 1, "y": 2}, "l": [1, 2]}
    assert difference(current, {"a": {"y": 3}}) == {"a": {"y": 3}}
    assert difference(current, {"l": [1]}) == {"l": [1]}
    assert difference(current, {"a": {"x": 1}, "l": [1, 2]}) == {}


def test_true_and_one_are_different_values():
    assert difference({"a": 1, "b": [0]}, {"a": True, "b": [False]}) == {"a": True, "b": [False]}
    assert difference({"a": {"b": [1]}}, {"a": {"b": [1.0]}}) == {}


def test_a_value_that_was_of_another_type_is_replaced():
    assert difference({"a": 1}, {"a": {"x": 1}}) == {"a": {"x": 1}}
    assert difference({"a": None}, {"a": 1}) == {"a": 1}


def test_an_unchanged_condition_with_a_fresh_time_writes_nothing():
    """F8: the loop of statuses that always differ."""
    current = {"conditions": [condition(time=EARLIER)]}
    assert status_patch(SUBJECT, current, {"conditions": [condition(time=rfc3339(NOW))]}, now=NOW) is None
    assert status_patch(SUBJECT, current, {"conditions": [condition()]}, now=NOW) is None


def test_a_condition_keeps_its_time_when_only_reason_or_message_change():
    (kept,) = keep_transition_times([condition(time=EARLIER)], [condition(message="new", time=rfc3339(NOW))], now=NOW)
    assert kept["lastTransitionTime"] == EARLIER
    assert kept["message"] == "new"


def test_what_a_server_adds_to_a_condition_does_not_make_it_differ():
    """P13: pods' conditions come back with `lastProbeTime: null`."""
    current = {"conditions": [condition(time=EARLIER, lastProbeTime=None)]}
    assert status_patch(SUBJECT, current, {"conditions": [condition()]}, now=NOW) is None


def test_a_standard_field_that_is_no_longer_named_goes():
    current = {"conditions": [condition(time=EARLIER, observedGeneration=3, message="old")]}
    patch = status_patch(SUBJECT, current, {"conditions": [condition()]}, now=NOW)
    assert patch is not None
    assert patch["status"]["conditions"] == [condition(time=EARLIER)]


def test_a_condition_that_flips_gets_its_own_time_or_now():
    before = [condition("False", time=EARLIER)]
    assert keep_transition_times(before, [condition("True")], now=NOW)[0]["lastTransitionTime"] == rfc3339(NOW)
    own = "2026-08-01T11:00:00Z"
    assert keep_transition_times(before, [condition("True", time=own)], now=NOW)[0]["lastTransitionTime"] == own


def test_a_new_condition_gets_a_time():
    assert keep_transition_times(None, [condition()], now=NOW)[0]["lastTransitionTime"] == "2026-08-01T12:00:30Z"


def test_lists_that_are_no_conditions_are_left_alone():
    patch = status_patch(SUBJECT, {}, {"replicas": [{"type": "a"}], "names": []}, now=NOW)
    assert patch is not None
    assert patch["status"] == {"replicas": [{"type": "a"}], "names": []}


json_values = st.recursive(
    st.one_of(st.integers(0, 3), st.booleans(), st.sampled_from("ab"), st.lists(st.integers(0, 2), max_size=2)),
    lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=6,
)
statuses = st.dictionaries(st.sampled_from("pqr"), json_values, max_size=3)


def agrees(status, desired):
    return all(
        agrees(status[name], value)
        if isinstance(value, dict) and isinstance(status.get(name), dict)
        else repr(status.get(name)) == repr(value)
        for name, value in desired.items()
    )


@given(current=statuses, desired=statuses)
def test_after_the_patch_the_named_fields_are_as_desired_and_the_others_as_before(current, desired):
    after = merge(current, difference(current, desired))
    assert agrees(after, desired)
    assert difference(after, desired) == {}
    assert {name: value for name, value in after.items() if name not in desired} == {
        name: value for name, value in current.items() if name not in desired
    }
