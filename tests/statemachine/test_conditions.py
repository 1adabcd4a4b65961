"""The statements of the API conventions about conditions, one by one; ids as in the reference."""

from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.statemachine import Condition, Conditions, InvalidCondition, MachineError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
READY = Condition("Ready", "False", "Starting", "two of three", observed_generation=1)


def snapshot(*conditions):
    result = Conditions()
    for condition in conditions:
        result = result.set(condition, now=NOON)
    return result


# --- one condition ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Ready", "a", "example.com/Ready", "a-b.c1/X_y.z-9", "x" * 316])
def test_c01_a_legal_type_is_taken(name):
    assert Condition(name, "True", "R").type == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "Ready\n", "/Ready", "UP/Ready", "a/b/c", "x" * 317, "é", 5, None])
def test_c01_an_illegal_type_is_refused(name):
    with pytest.raises(InvalidCondition, match=r"^type: .*\(C-01\)"):
        Condition(name, "True", "R")


@pytest.mark.parametrize("status", [True, False, "true", "", None])
def test_c02_the_status_is_one_of_three_strings(status):
    with pytest.raises(InvalidCondition, match=r"^status: expected one of .*\(C-02\)"):
        Condition("Ready", status, "R")


@pytest.mark.parametrize("generation", [-1, True, "1", 1.0])
def test_c03_the_observed_generation_is_an_integer_from_zero_up(generation):
    with pytest.raises(InvalidCondition, match=r"^observed_generation: .*\(C-03\)"):
        Condition("Ready", "True", "R", observed_generation=generation)


def test_c03_generation_zero_is_legal():
    assert Condition("Ready", "True", "R", observed_generation=0).observed_generation == 0


def test_c04_the_time_is_kept_in_utc_and_whole_seconds():
    paris = datetime(2026, 1, 1, 13, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))

    kept = Condition("Ready", "True", "R", last_transition_time=paris).last_transition_time

    assert kept == NOON
    assert kept.tzinfo is UTC


@pytest.mark.parametrize("moment", [datetime(2026, 1, 1), "2026-01-01T12:00:00Z", 0])  # noqa: DTZ001 - naive on purpose
def test_c04_a_time_without_a_zone_is_refused(moment):
    with pytest.raises(InvalidCondition, match=r"^last_transition_time: .*\(C-04\)"):
        Condition("Ready", "True", "R", last_transition_time=moment)


@pytest.mark.parametrize("reason", ["A", "a_b", "A,b:c_", "R" * 1024])
def test_c05_a_legal_reason_is_taken(reason):
    assert Condition("Ready", "True", reason).reason == reason


@pytest.mark.parametrize("reason", ["", "1st", "two words", "A:", "A\n", "R" * 1025, None])
def test_c05_an_illegal_reason_is_refused(reason):
    with pytest.raises(InvalidCondition, match=r"^reason: .*\(C-05\)"):
        Condition("Ready", "True", reason)


def test_c06_the_message_may_be_empty_or_long_but_not_longer():
    assert Condition("Ready", "True", "R").message == ""
    assert len(Condition("Ready", "True", "R", "m" * 32_768).message) == 32_768
    with pytest.raises(InvalidCondition, match=r"^message: expected at most 32768 characters, found 32769 \(C-06\)"):
        Condition("Ready", "True", "R", "m" * 32_769)


def test_an_invalid_condition_is_a_value_error_and_one_of_ours():
    with pytest.raises(InvalidCondition) as caught:
        Condition("", "True", "R")

    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, MachineError)


# --- a snapshot -------------------------------------------------------------------------------------------------------


def test_c07_a_type_that_occurs_twice_is_refused():
    with pytest.raises(InvalidCondition, match=r"^type: .*'Ready' occurs twice.*\(C-07\)"):
        Conditions.of([READY, READY])


def test_c10_an_absent_condition_is_appended_with_now_or_its_own_time():
    dated = Condition("Late", "True", "R", last_transition_time=LATER)

    after = Conditions().set(READY, now=NOON).set(dated, now=NOON)

    assert [condition.type for condition in after] == ["Ready", "Late"]
    assert after.get("Ready").last_transition_time == NOON
    assert after.get("Late").last_transition_time == LATER


@pytest.mark.parametrize("own", [None, NOON + timedelta(hours=9)], ids=["now", "its own"])
def test_c11_a_new_status_moves_the_time(own):
    changed = attrs.evolve(READY, status="True", last_transition_time=own)

    after = snapshot(READY).set(changed, now=LATER)

    assert after.get("Ready").status == "True"
    assert after.get("Ready").last_transition_time == (own or LATER)


def test_c12_an_equal_status_never_moves_the_time_even_when_one_is_supplied():
    before = snapshot(READY)

    assert before.set(attrs.evolve(READY, last_transition_time=LATER), now=LATER) is before


@pytest.mark.parametrize("change", [{"reason": "Waiting"}, {"message": "three of three"}, {"observed_generation": 2}])
def test_c13_any_other_difference_is_taken_but_keeps_the_time(change):
    before = snapshot(READY)

    after = before.set(attrs.evolve(READY, **change), now=LATER)

    assert after is not before
    assert after.get("Ready") == attrs.evolve(READY, last_transition_time=NOON, **change)


def test_c14_setting_the_same_again_returns_the_very_same_snapshot():
    before = snapshot(READY)

    assert before.set(READY, now=LATER) is before


def test_c15_removing_keeps_the_order_of_the_others():
    before = snapshot(*(Condition(name, "True", "R") for name in "ABC"))

    assert [condition.type for condition in before.remove("B")] == ["A", "C"]
    assert before.remove("Z") is before


def test_c16_an_absent_condition_is_neither_true_nor_false():
    assert not Conditions().is_true("Ready")
    assert not Conditions().is_false("Ready")


def test_c20_an_absent_condition_is_unknown():
    assert Conditions().status("Ready") == "Unknown"
    assert Conditions().get("Ready") is None


def test_c25_a_condition_of_an_older_generation_is_not_known_yet():
    conditions = snapshot(attrs.evolve(READY, status="True", observed_generation=3))

    assert conditions.is_true("Ready", generation=3)
    assert not conditions.is_true("Ready", generation=4)
    assert conditions.status("Ready", generation=4) == "Unknown"
    assert conditions.is_true("Ready")


def test_c25_a_condition_that_names_no_generation_is_never_stale():
    assert snapshot(Condition("Ready", "False", "R")).is_false("Ready", generation=9)


def test_a_recorded_condition_without_a_time_gets_one_when_it_is_set_again():
    before = Conditions.of([READY])

    assert before.set(READY, now=NOON).get("Ready").last_transition_time == NOON


def test_a_snapshot_shows_types_and_statuses():
    assert repr(snapshot(READY, Condition("Synced", "True", "R"))) == "<Conditions Ready=False Synced=True>"
    assert repr(Conditions()) == "<Conditions none>"


# --- laws -------------------------------------------------------------------------------------------------------------

times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
conditions = st.builds(
    Condition,
    type=st.sampled_from(["Ready", "Synced", "Stalled"]),
    status=st.sampled_from(["True", "False", "Unknown"]),
    reason=st.sampled_from(["A", "B"]),
    message=st.sampled_from(["", "m"]),
    observed_generation=st.none() | st.integers(0, 3),
    last_transition_time=st.none() | times,
)
histories = st.lists(st.tuples(conditions, times), max_size=12)


def replay(history):
    result = Conditions()
    for condition, now in history:
        result = result.set(condition, now=now)
    return result


@given(histories, conditions, times, times)
def test_setting_is_idempotent_whenever_it_is_repeated(history, condition, now, again):
    once = replay(history).set(condition, now=now)

    assert once.set(condition, now=again) is once


@given(histories, conditions, times)
def test_a_set_changes_what_it_names_and_nothing_else(history, condition, now):
    before = replay(history)
    after = before.set(condition, now=now)

    assert after.get(condition.type).status == condition.status
    assert [each for each in after if each.type != condition.type] == [
        each for each in before if each.type != condition.type
    ]
    kept = [each.type for each in before]
    assert [each.type for each in after][: len(kept)] == kept


@given(histories, conditions, times)
def test_the_time_moves_exactly_when_the_status_does(history, condition, now):
    before = replay(history)
    old, new = before.get(condition.type), before.set(condition, now=now).get(condition.type)

    if old is not None and old.status == condition.status:
        assert new.last_transition_time == old.last_transition_time
    else:
        assert new.last_transition_time == (condition.last_transition_time or now.replace(microsecond=0))


@given(histories, st.sampled_from(["Ready", "Absent"]))
def test_removing_is_idempotent_and_keeps_the_rest(history, name):
    before = replay(history)
    after = before.remove(name)

    assert after.get(name) is None
    assert after.remove(name) is after
    assert list(after) == [each for each in before if each.type != name]


@given(histories)
def test_a_snapshot_survives_being_taken_apart(history):
    assert Conditions.of(replay(history)) == replay(history)


def test_ca2_conditions_say_the_same_whenever_it_began():
    early, late = (attrs.evolve(READY, last_transition_time=time) for time in (NOON, LATER))

    assert early.same_state(late)
    for changes in ({"status": "True"}, {"reason": "Other"}, {"message": ""}, {"observed_generation": 2}):
        assert not early.same_state(attrs.evolve(late, **changes))


def test_ca1_conditions_are_put_in_order_and_an_ordered_snapshot_stays_itself():
    names = ("Deleting", "B", "Ready", "A", "Paused")
    mixed = snapshot(*(Condition(name, "True", "R") for name in names))
    ordered = mixed.ordered(first=("Ready",), last=("Paused", "Deleting"))

    assert [one.type for one in ordered] == ["Ready", "A", "B", "Paused", "Deleting"]
    assert ordered.ordered(first=("Ready",), last=("Paused", "Deleting")) is ordered
    assert {one.type: one for one in ordered} == {one.type: one for one in mixed}
