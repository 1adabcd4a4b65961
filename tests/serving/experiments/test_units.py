"""A unit counts once."""

from windlass.serving.experiments.units import Units


def test_the_first_time_counts_for_each_of_assignment_answer_and_reward():
    """T6."""
    units = Units()
    assert [units.assigned("u", treatment=True) for _ in range(2)] == [True, False]
    assert [units.answered("u", treatment=True) for _ in range(2)] == [True, False]
    assert [units.rewarded("u") for _ in range(2)] == [True, None]
    assert units.assigned("v", treatment=False)
    assert (units.rewarded("v"), len(units)) == (False, 2)


def test_a_unit_keeps_the_arm_it_was_assigned_first():
    """A change of weights moves some units on; their later answers say nothing of the first arm."""
    units = Units()
    units.assigned("u", treatment=False)
    assert not units.assigned("u", treatment=True)
    assert not units.answered("u", treatment=True)
    assert units.answered("u", treatment=False)


def test_nothing_counts_for_a_unit_that_was_never_assigned():
    units = Units()
    assert (units.answered("u", treatment=True), units.rewarded("u")) == (False, None)
    units.assigned("u", treatment=True)
    units.clear()
    assert units.rewarded("u") is None
