"""Programs at work on one object: right ones hold through every interleaving, and three planted defects are found."""

import re

import pytest
from orders import NO_LOST_CONDITION, NO_SKIP, TERMINAL, Order, blind, careful, hasty, life, marking, parcel_found

from windlass.statemachine.modelcheck import explore
from windlass.statemachine.world import Act, Bounds, Merge, Program, Put, Setting


def story(violation):
    return [label for label, _ in violation.trace[1:]]


@pytest.mark.parametrize(
    "programs",
    [
        pytest.param([Program("a", careful)], id="one"),
        pytest.param([Program("a", careful), Program("b", careful)], id="two replicas"),
        pytest.param([Program("a", careful), marking("Paid", conditional=True)], id="another writer"),
    ],
)
def test_a_careful_controller_holds_through_crashes_stale_reads_and_rivals(programs):
    report = explore(life(*programs)).require()

    assert {world.record.state for world in report.reached} == {"New", "Reserved", "Shipped", "Closed"}
    assert any(world.crashes == 2 for world in report.reached)
    assert any(world.stale == 2 for world in report.reached)


def test_a_lost_condition_update_under_two_writers_is_found():
    """Planted: both write the whole list that they have read, without its version."""
    two = (marking("Paid", conditional=False), marking("Checked", conditional=False))
    found = explore(life(*two, held=(NO_LOST_CONDITION,), stale=0)).violation

    assert found.message == "the condition 'Paid' was set and is gone"
    assert story(found) == ["Paid sees v0", "Checked sees v0", "Paid writes", "Checked writes"]


def test_the_same_two_writers_lose_nothing_when_their_writes_carry_the_version():
    report = explore(life(marking("Paid", conditional=True), marking("Checked", conditional=True), held=(
        NO_LOST_CONDITION,)))  # fmt: skip

    assert report.violation.invariant == "can finish"  # of course: nobody moves the order
    assert max(len(world.record.conditions) for world in report.reached) == 2


def test_a_skipped_intermediate_state_is_found():
    """Planted: the state is written from what is seen outside, past the table."""
    found = explore(life(Program("a", hasty), environment=parcel_found)).violation

    assert (found.invariant, found.message) == ("no skipped state", "'New' became 'Shipped' without 'Reserved'")
    assert story(found) == ["a parcel is found", "a sees v0", "a writes"]


def test_re_entry_after_terminal_is_found():
    """Planted: a write without a version, made on a stale read or by a rival that was asleep."""
    found = explore(life(Program("a", blind), held=(TERMINAL,))).violation

    assert found.message == "'Closed' is final, and became 'Reserved'"
    assert story(found)[-2:] == ["a sees v0, stale", "a writes"]
    assert explore(life(Program("a", blind), Program("b", blind), held=(NO_SKIP,))).violation is not None


def test_a_trace_shows_each_version_of_the_record():
    found = explore(life(Program("a", hasty), environment=parcel_found)).violation

    assert re.sub(r" +", " ", str(found)).splitlines()[-1] == " 3 a writes v1 Shipped {} outside: frozenset({'parcel'})"


def test_a_crash_between_two_effects_leaves_the_first_done_and_the_second_not():
    report = explore(life(Program("a", careful)))

    assert any(
        world.crashes and world.record.state == "Reserved" and "parcel" in world.outside and not world.running[0].plan
        for world in report.reached
    )


def test_a_merge_changes_the_record_as_it_is_and_an_equal_record_is_no_new_version():
    def adding(name):
        change = Merge(f"adds {name}", lambda record: record | {name})
        return Program(name, lambda record, outside: (change, Act("rests", lambda outside: outside)))

    setting = Setting(programs=(adding("a"), adding("b")), record=frozenset(), bounds=Bounds(crashes=0, stale=0))
    report = explore(setting.model("merge", finished=lambda world: len(world.record) == 2)).require()

    assert {world.record for world in report.reached} >= {frozenset("ab"), frozenset("a"), frozenset("b")}
    assert max(len(world.history) for world in report.reached) == 3


def test_a_conditional_write_on_an_old_version_is_refused_and_the_rest_of_the_plan_with_it():
    def decide(record, outside):
        return (Put(Order("Reserved")), Act("goes on", lambda outside: outside | {"went on"}))

    setting = Setting(
        programs=(Program("a", decide), marking("Paid", conditional=True)),
        record=Order(),
        outside=frozenset(),
        bounds=Bounds(crashes=0, stale=0, versions=2),
    )
    model = setting.model("refused")
    refused = [label for world in explore(model).reached for label, _ in model.moves(world) if "conflict" in label]
    assert set(refused) == {"a is refused: conflict", "Paid is refused: conflict"}
