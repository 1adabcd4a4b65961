"""Deadlines by name: the earliest wins, they fire in order, and nothing stale is kept."""

from hypothesis import given
from hypothesis import strategies as st

from windlass.controller.timers import Timers


def test_the_earlier_of_two_deadlines_of_a_name_wins_whichever_is_asked_for_first():
    """Q8."""
    timers = Timers[str, str]()
    assert timers.set_earliest("a", 5.0, "first")
    assert not timers.set_earliest("a", 9.0, "later")
    assert timers.set_earliest("a", 2.0, "earlier")
    assert timers.deadline("a") == 2.0
    assert timers.pop_due(10.0) == [("a", "earlier")]


def test_deadlines_fire_in_time_order_whatever_the_order_of_asking():
    """Scenario 8."""
    timers = Timers[str, None]()
    for name, deadline in [("c", 3.0), ("a", 1.0), ("b", 2.0)]:
        timers.set_earliest(name, deadline, None)
    assert timers.next_deadline() == 1.0
    assert [name for name, _ in timers.pop_due(2.5)] == ["a", "b"]
    assert timers.next_deadline() == 3.0


def test_equal_deadlines_fire_in_the_order_asked_for():
    timers = Timers[str, None]()
    for name in "xyz":
        timers.set_earliest(name, 1.0, None)
    assert [name for name, _ in timers.pop_due(1.0)] == ["x", "y", "z"]


def test_a_cancelled_deadline_does_not_fire():
    timers = Timers[str, None]()
    timers.set_earliest("a", 1.0, None)
    assert timers.cancel("a")
    assert not timers.cancel("a")
    assert timers.next_deadline() is None
    assert timers.pop_due(5.0) == []


def test_nothing_of_a_cancelled_name_is_kept_for_long():
    """Q23."""
    timers = Timers[int, None]()
    for name in range(10_000):
        timers.set_earliest(name, 1000.0, None)
        timers.cancel(name)
    assert len(timers) == 0
    assert len(timers._heap) <= 65


def test_clear_forgets_everything():
    timers = Timers[str, None]()
    timers.set_earliest("a", 1.0, None)
    timers.clear()
    assert "a" not in timers
    assert timers.pop_due(5.0) == []


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.one_of(st.none(), st.integers(min_value=0, max_value=20))), max_size=60
    )
)
def test_timers_agree_with_a_dict_of_minima(steps):
    timers = Timers[str, int]()
    model: dict[str, int] = {}
    for name, deadline in steps:
        if deadline is None:
            assert timers.cancel(name) == (model.pop(name, None) is not None)
        else:
            timers.set_earliest(name, deadline, deadline)
            model[name] = min(model.get(name, deadline), deadline)
        assert len(timers) == len(model)
        assert timers.next_deadline() == min(model.values(), default=None)
    assert sorted(timers.pop_due(20.0)) == sorted(model.items())
