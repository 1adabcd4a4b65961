"""The work queue's decisions, statement by statement, with the time given."""

import gc
import weakref

import pytest

from windlass.controller.retries import TokenBucket
from windlass.controller.schedule import AGED_SECONDS, LOW, NORMAL, Schedule


def drain(schedule, now=0.0):
    """Take and give back whatever is ready; the keys in order."""
    keys = []
    while (item := schedule.take(now)) is not None:
        keys.append(item.key)
        schedule.done(item.key, now)
    return keys


def test_adds_during_a_run_yield_exactly_one_more_run_after_it():
    """Q1, scenarios 1 and 4."""
    schedule = Schedule[str]()
    schedule.add("k", 0.0)
    assert schedule.take(0.0).key == "k"
    for _ in range(100):
        schedule.add("k", 0.0)
    assert schedule.take(0.0) is None
    schedule.done("k", 0.0)
    assert drain(schedule) == ["k"]


def test_adds_before_anyone_takes_the_key_yield_one_run():
    """Q2, scenario 3."""
    schedule = Schedule[str]()
    for _ in range(100):
        schedule.add("k", 0.0)
    assert drain(schedule) == ["k"]


def test_a_key_is_never_handed_out_twice_at_once():
    """Q3, scenarios 2 and 12."""
    schedule = Schedule[str]()
    schedule.add("k", 0.0)
    schedule.take(0.0)
    schedule.add("k", 0.0)
    schedule.add_after("k", 1.0, 0.0)
    schedule.retry("k", 0.0)
    assert schedule.take(100.0) is None
    schedule.done("k", 100.0)
    assert schedule.take(100.0).key == "k"


def test_done_without_an_add_in_between_does_not_requeue():
    """Q4."""
    schedule = Schedule[str]()
    schedule.add("k", 0.0)
    assert drain(schedule) == ["k"]
    assert drain(schedule) == []


def test_done_for_a_key_that_nobody_holds_is_an_error():
    schedule = Schedule[str]()
    schedule.add("k", 0.0)
    with pytest.raises(ValueError, match="no worker holds this key"):
        schedule.done("k", 0.0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, -1e9])
def test_a_delay_of_nothing_or_less_is_an_immediate_add(seconds):
    """Q7."""
    schedule = Schedule[str]()
    schedule.add_after("k", seconds, 5.0)
    assert schedule.next_deadline() is None
    assert drain(schedule, 5.0) == ["k"]


@pytest.mark.parametrize("delays", [(1.0, 9.0), (9.0, 1.0)])
def test_of_two_timers_of_a_key_the_earlier_stays_and_fires_once(delays):
    """Q8, scenario 7."""
    schedule = Schedule[str]()
    for seconds in delays:
        schedule.add_after("k", seconds, 0.0)
    assert drain(schedule, 0.5) == []
    assert drain(schedule, 1.0) == ["k"]
    assert drain(schedule, 100.0) == []


def test_a_timer_stands_beside_an_immediate_add():
    """Q9: two runs, as client-go; controller-runtime and kube-rs would drop the timer."""
    schedule = Schedule[str]()
    schedule.add_after("k", 1.0, 0.0)
    schedule.add("k", 0.0)
    assert drain(schedule, 0.0) == ["k"]
    assert drain(schedule, 1.0) == ["k"]


def test_a_timer_asked_for_by_a_run_survives_an_event_that_came_during_it():
    """Q10."""
    schedule = Schedule[str]()
    schedule.add("k", 0.0)
    schedule.take(0.0)
    schedule.add("k", 0.0)
    schedule.add_after("k", 3600.0, 0.0)
    schedule.done("k", 0.0)
    assert drain(schedule, 1.0) == ["k"]
    assert drain(schedule, 3600.0) == ["k"]


def test_a_timer_that_fires_during_a_run_is_run_after_it():
    schedule = Schedule[str]()
    schedule.add_after("k", 1.0, 0.0)
    schedule.add("k", 0.0)
    schedule.take(0.0)
    schedule.advance(2.0)
    assert schedule.take(2.0) is None
    schedule.done("k", 3.0)
    assert drain(schedule, 3.0) == ["k"]


def test_higher_priorities_come_first_and_each_is_first_come_first_served():
    """Scenario 11."""
    schedule = Schedule[str]()
    for key, priority in [("a", LOW), ("b", NORMAL), ("c", LOW), ("d", 7), ("e", NORMAL)]:
        schedule.add(key, 0.0, priority=priority)
    assert drain(schedule) == ["d", "b", "e", "a", "c"]


def test_a_priority_never_falls():
    """Q11."""
    schedule = Schedule[str]()
    schedule.add("k", 0.0, priority=NORMAL)
    schedule.add("k", 0.0, priority=LOW)
    schedule.add("other", 0.0, priority=LOW)
    assert schedule.take(0.0).priority == NORMAL


def test_a_raised_key_goes_to_the_tail_of_its_new_class():
    """Q11."""
    schedule = Schedule[str]()
    schedule.add("late", 0.0, priority=LOW)
    schedule.add("first", 0.0)
    schedule.add("second", 0.0)
    schedule.add("late", 0.0)
    assert drain(schedule) == ["first", "second", "late"]


def test_the_highest_priority_of_adds_during_a_run_counts_after_it():
    schedule = Schedule[str]()
    schedule.add("k", 0.0, priority=LOW)
    schedule.take(0.0)
    schedule.add("k", 0.0, priority=LOW)
    schedule.add("k", 0.0, priority=NORMAL)
    schedule.add("k", 0.0, priority=LOW)
    schedule.done("k", 0.0)
    assert schedule.take(0.0).priority == NORMAL


def test_many_priorities_do_not_pile_up_empty_classes():
    schedule = Schedule[int]()
    for priority in range(1000):
        schedule.add(priority, 0.0, priority=priority)
        assert drain(schedule) == [priority]
    assert len(schedule.depths()) <= 17


def test_a_key_whose_delay_has_run_out_is_ordered_by_when_it_became_ready():
    """Q12."""
    schedule = Schedule[str]()
    schedule.add_after("delayed", 2.0, 0.0)
    schedule.add("before", 1.0)
    schedule.advance(2.0)
    schedule.add("after", 3.0)
    assert drain(schedule, 3.0) == ["before", "delayed", "after"]


def test_length_counts_ready_keys_only():
    """Q13."""
    schedule = Schedule[str]()
    schedule.add("ready", 0.0)
    schedule.add("running", 0.0, priority=1)
    schedule.take(0.0)
    schedule.add("running", 0.0)
    schedule.add_after("waiting", 5.0, 0.0)
    assert len(schedule) == 1
    assert schedule.waiting == 1
    assert schedule.held == 1
    assert schedule.running == {"running": 0.0}
    assert schedule.running_count == 1


def test_waiting_time_counts_from_the_first_add():
    """Q14."""
    schedule = Schedule[str]()
    schedule.add("k", 1.0)
    schedule.add("k", 8.0)
    assert schedule.oldest() == ("k", 1.0)
    assert schedule.take(9.0).queued_at == 1.0
    assert schedule.queue_seconds.total == pytest.approx(8.0)


def test_waiting_time_of_a_rerun_counts_from_the_first_add_during_the_run():
    """Q14."""
    schedule = Schedule[str]()
    schedule.add("k", 0.0)
    schedule.take(0.0)
    schedule.add("k", 2.0)
    schedule.add("k", 4.0)
    schedule.done("k", 5.0)
    assert schedule.take(6.0).queued_at == 2.0


def test_the_oldest_key_is_found_across_priorities():
    schedule = Schedule[str]()
    assert schedule.oldest() is None
    schedule.add("low", 1.0, priority=LOW)
    schedule.add("normal", 2.0)
    assert schedule.oldest() == ("low", 1.0)


def test_retries_of_a_key_wait_longer_each_time():
    """Q15, scenario 9."""
    schedule = Schedule[str]()
    now, waits = 0.0, []
    for _ in range(4):
        waits.append(schedule.retry("k", now))
        now += waits[-1]
        assert drain(schedule, now) == ["k"]
    assert waits == pytest.approx([0.005, 0.01, 0.02, 0.04])


def test_the_wait_before_a_retry_can_be_cut_off():
    schedule = Schedule[str]()
    for _ in range(20):
        schedule.retry("k", 0.0)
        drain(schedule, 5000.0)
    assert schedule.retry("k", 5000.0, seconds_max=30.0) == 30.0


def test_forget_resets_the_backoff_and_without_it_the_count_survives():
    """Q16."""
    schedule = Schedule[str]()
    schedule.retry("k", 0.0)
    drain(schedule, 1.0)
    assert schedule.failures("k") == 1
    schedule.retry("k", 1.0)
    drain(schedule, 2.0)
    assert schedule.failures("k") == 2
    schedule.forget("k")
    assert schedule.failures("k") == 0
    assert schedule.retry("k", 2.0) == pytest.approx(0.005)


def test_forget_drops_the_pending_retry_but_not_a_timer_that_was_asked_for():
    schedule = Schedule[str]()
    schedule.retry("k", 0.0)
    schedule.add_after("k", 60.0, 0.0)
    schedule.forget("k")
    assert drain(schedule, 59.0) == []
    assert drain(schedule, 60.0) == ["k"]


def test_with_a_bucket_the_slower_of_the_two_limits_holds():
    """Scenario 10, Q17."""
    schedule = Schedule[int](bucket=TokenBucket(rate=10, burst=1))
    assert schedule.retry(1, 0.0) == pytest.approx(0.005)
    assert schedule.retry(2, 0.0) == pytest.approx(0.1)
    assert schedule.retry(3, 0.0) == pytest.approx(0.2)


def test_a_failure_while_a_retry_is_pending_keeps_the_retry_and_counts_nothing():
    """Q18: the count is that of retries really scheduled, however many events came between."""
    schedule = Schedule[str]()
    assert schedule.retry("k", 0.0) == pytest.approx(0.005)
    schedule.add("k", 0.001)
    assert drain(schedule, 0.001) == ["k"]
    assert schedule.retry("k", 0.001) == pytest.approx(0.004)
    assert schedule.failures("k") == 1
    assert drain(schedule, 0.005) == ["k"]


def test_an_event_does_not_wait_for_a_retry_deadline_and_leaves_it_standing():
    """Q18, scenario 44."""
    schedule = Schedule[str]()
    for _ in range(12):
        schedule.retry("k", 0.0)
        drain(schedule, 2000.0)
    deadline = 2000.0 + schedule.retry("k", 2000.0)
    schedule.add("k", 2001.0)
    assert drain(schedule, 2001.0) == ["k"]
    assert schedule.next_deadline() == deadline


def test_a_retry_and_a_timer_of_one_key_are_two_deadlines():
    schedule = Schedule[str]()
    schedule.add_after("k", 10.0, 0.0)
    schedule.retry("k", 0.0)
    assert drain(schedule, 1.0) == ["k"]
    assert drain(schedule, 10.0) == ["k"]


def test_a_key_held_because_it_runs_does_not_block_the_next_key():
    """Q20, scenario 14."""
    schedule = Schedule[str]()
    schedule.add("running", 0.0)
    schedule.take(0.0)
    schedule.add("running", 0.0)
    schedule.add("next", 0.0)
    assert schedule.take(0.0).key == "next"


def test_adding_a_running_key_again_with_a_delay_neither_expedites_nor_postpones_its_rerun():
    """Q19: the rerun is due when the run ends; the timer stands beside it."""
    schedule = Schedule[str]()
    schedule.add("k", 0.0)
    schedule.take(0.0)
    schedule.add("k", 0.0)
    schedule.add_after("k", 50.0, 0.0)
    schedule.done("k", 1.0)
    assert schedule.take(1.0).key == "k"


def test_a_key_that_is_added_over_and_over_is_not_postponed_by_it():
    """Q22: there is no debouncing that a busy key could starve in."""
    schedule = Schedule[str]()
    schedule.add_after("k", 1.0, 0.0)
    for tenth in range(10):
        schedule.add_after("k", 1.0, tenth / 10)
    assert drain(schedule, 1.0) == ["k"]


def test_the_first_reason_is_kept():
    schedule = Schedule[str]()
    schedule.add("k", 0.0, reason="added")
    schedule.add("k", 0.0, reason="updated")
    assert schedule.take(0.0).reason == "added"


def test_the_attempt_is_the_number_of_retries_so_far():
    schedule = Schedule[str]()
    schedule.add("k", 0.0)
    assert schedule.take(0.0).attempt == 0
    schedule.retry("k", 0.0)
    schedule.done("k", 0.0)
    assert schedule.take(1.0).attempt == 1


def test_nothing_keeps_a_finished_key_alive():
    """Q23, scenario 6."""

    class Key:
        pass

    schedule = Schedule[Key]()
    key = Key()
    dead = weakref.ref(key)
    schedule.add(key, 0.0)
    schedule.add_after(key, 1.0, 0.0)
    schedule.retry(key, 0.0)
    drain(schedule, 10.0)
    schedule.forget(key)
    del key
    gc.collect()
    assert dead() is None


def test_clear_drops_all_that_nobody_has_taken_and_lets_running_keys_end():
    schedule = Schedule[str]()
    for key in ("a", "b"):
        schedule.add(key, 0.0)
    schedule.take(0.0)
    schedule.add("a", 0.0)
    schedule.add_after("c", 1.0, 0.0)
    schedule.clear()
    schedule.done("a", 1.0)
    assert drain(schedule, 100.0) == []
    assert schedule.running_count == 0


def test_counters_count_what_the_dashboards_expect():
    """Table 1.11: merged adds are not counted, every add with a delay is."""
    schedule = Schedule[str]()
    schedule.add("k", 0.0)
    schedule.add("k", 0.0)
    schedule.add_after("k", 1.0, 0.0)
    schedule.retry("k", 0.0)
    assert (schedule.adds, schedule.retries) == (1, 2)
    drain(schedule, 0.5)
    drain(schedule, 2.0)
    assert schedule.adds == 2
    assert schedule.work_seconds.count == 2


# Fairness between priorities.


def test_a_lower_priority_is_served_in_the_end_though_changes_never_stop():
    """An initial list must get through a storm: one of four, once it has waited."""
    schedule = Schedule()
    for number in range(3):
        schedule.add(f"low {number}", 0.0, priority=LOW)
    now, taken = 0.0, []
    for number in range(40):
        now += 1.0
        schedule.add(f"storm {number}", now)
        schedule.add(f"storm {number} too", now)
        taken.append((now, schedule.take(now).key))
    assert [(at, key) for at, key in taken if key.startswith("low")] == [
        (10.0, "low 0"),
        (14.0, "low 1"),
        (18.0, "low 2"),
    ]


def test_a_lower_priority_that_has_not_waited_long_has_no_turn():
    schedule = Schedule()
    schedule.add("low", 0.0, priority=LOW)
    for number in range(20):
        schedule.add(f"change {number}", 0.0)
    assert "low" not in [schedule.take(AGED_SECONDS - 0.1).key for _ in range(20)]


def test_among_the_lower_ones_the_longest_waiting_has_the_turn():
    schedule = Schedule()
    schedule.add("lowest", 0.0, priority=LOW - 1)
    schedule.add("low", 1.0, priority=LOW)
    for number in range(9):
        schedule.add(f"change {number}", 20.0)
    taken = [schedule.take(20.0).key for _ in range(8)]
    assert (taken.index("lowest"), taken.index("low")) == (3, 7)
