"""Decisions of the batcher, rule by rule, and then in any order against a plain model of what must hold."""

import math

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from windlass.serving.batching.batcher import (
    Arrived,
    AwaitThread,
    Deliver,
    Expire,
    Finished,
    Refuse,
    Start,
    State,
    Ticket,
    Turned,
    Wake,
    Withdrawn,
    step,
)
from windlass.serving.policy import Batching, Limits, Policy


def ticket(number, at=0.0, **fields):
    return Ticket(number, arrived=at, **{"rank": at, **fields})


def state(*, limits=None, inline_elements=-1, **batching):
    return State(Policy(limits or Limits(), Batching(**batching)), inline_elements=inline_elements)


def arrive(current, *tickets):
    for one in tickets:
        current, effects = step(current, Arrived(one), one.arrived)
        assert (Wake(one.arrived),) == effects
    return current


def turn(current, now=0.0, *, threads=4):
    """The state after a turn, the numbers of each execution that starts, and the other effects."""
    current, effects = step(current, Turned(threads), now)
    started = [tuple(one.number for one in effect.tickets) for effect in effects if isinstance(effect, Start)]
    return current, started, [effect for effect in effects if not isinstance(effect, Start)]


def test_a_lone_request_starts_at_once_without_a_delay():
    """DB2."""
    _, started, others = turn(arrive(state(), ticket(1)))
    assert (started, others) == ([(1,)], [])


def test_arrivals_of_one_moment_share_an_execution():
    _, started, _ = turn(arrive(state(), ticket(1), ticket(2), ticket(3)))
    assert started == [(1, 2, 3)]


def test_without_batching_each_request_is_an_execution_and_threads_are_the_only_bound():
    current = arrive(State(), ticket(1), ticket(2), ticket(3))
    current, started, others = turn(current, threads=2)
    assert ([(1,), (2,)], [AwaitThread()]) == (started, others)


def test_an_execution_never_has_more_than_the_most_rows():
    """DB1."""
    current = arrive(state(rows_max=4, executions_max=9), *(ticket(number, rows=3) for number in (1, 2)), ticket(3))
    _, started, _ = turn(current)
    assert started == [(1,), (2, 3)]


def test_order_is_kept_even_if_a_later_request_would_fit():
    """DB6."""
    current = arrive(state(rows_max=4), ticket(1, rows=3), ticket(2, rows=2), ticket(3))
    _, started, _ = turn(current)
    assert started == [(1,)]


def test_a_request_larger_than_the_most_rows_runs_alone_or_is_refused():
    """DB1: it is never split."""
    current = arrive(state(rows_max=4), ticket(1, rows=9), ticket(2))
    assert turn(current)[1] == [(1,)]
    strict = state(rows_max=4, oversized="refuse")
    assert step(strict, Arrived(ticket(1, rows=5)), 0.0) == (strict, (Refuse(1, "oversized"),))


def test_the_delay_counts_from_the_oldest():
    """DB3."""
    current, started, others = turn(arrive(state(delay_seconds=2.0), ticket(1, at=1.0)), 1.0)
    assert ([], [Wake(3.0)]) == (started, others)
    current, started, others = turn(arrive(current, ticket(2, at=2.5)), 2.5)
    assert ([], [Wake(3.0)]) == (started, others)
    _, started, _ = turn(current, 3.0)
    assert started == [(1, 2)]


@pytest.mark.parametrize(("rows", "expected"), [(4, [(1, 2, 3, 4)]), (3, []), (2, [(1, 2)]), (5, [(1, 2, 3, 4)])])
def test_a_full_or_preferred_size_does_not_wait(rows, expected):
    """DB4."""
    current = state(rows_max=4, rows_preferred=(2,), delay_seconds=9.0)
    if rows == 3:
        current = state(rows_max=4, delay_seconds=9.0)
    _, started, _ = turn(arrive(current, *(ticket(number) for number in range(1, rows + 1))))
    assert started == expected


def test_what_arrives_during_an_execution_goes_out_after_it_whatever_the_delay():
    """DB5."""
    current = arrive(state(rows_max=8, delay_seconds=9.0), *(ticket(number, rows=4) for number in (1, 2)))
    current, started, _ = turn(current)
    assert started == [(1, 2)]
    current, started, _ = turn(arrive(current, ticket(3, at=1.0), ticket(4, at=1.0)), 1.0)
    assert started == []
    current, effects = step(current, Finished(1), 1.5)
    assert effects == (Deliver(1, (1, 2)), Wake(1.5))
    _, started, _ = turn(current, 1.5)
    assert started == [(3, 4)]


def test_an_execution_on_the_loop_releases_nobody_from_the_delay():
    current = state(rows_preferred=(2,), delay_seconds=9.0, inline_elements=100)
    current, started, _ = turn(arrive(current, ticket(1), ticket(2), ticket(3)))
    assert started == [(1, 2)]
    current, _ = step(current, Finished(1), 0.0)
    current, started, others = turn(current)
    assert ([], [Wake(9.0)]) == (started, others)


def test_those_who_waited_for_a_thread_start_without_the_delay_when_there_is_one():
    current = arrive(state(rows_max=2, delay_seconds=9.0), ticket(1), ticket(2))
    current, started, others = turn(current, threads=0)
    assert ([], [AwaitThread()]) == (started, others)
    assert turn(current, 1.0)[1] == [(1, 2)]


def test_incompatible_requests_never_share_and_the_oldest_goes_first():
    """DB6."""
    current = arrive(state(), ticket(1, group="a"), ticket(2, group="b"), ticket(3, group="a"))
    current, started, _ = turn(current)
    assert started == [(1, 3)]
    current, _ = step(current, Finished(1), 1.0)
    assert turn(current, 1.0)[1] == [(2,)]


def test_a_group_that_waits_for_more_does_not_hold_up_one_that_is_full():
    current = arrive(
        state(rows_max=2, delay_seconds=9.0), ticket(1, group="a"), *(ticket(n, group="b") for n in (2, 3))
    )
    assert turn(current)[1] == [(2, 3)]


def test_executions_at_once_are_bounded():
    """DB8."""
    current = arrive(state(rows_max=1, executions_max=2), *(ticket(number) for number in (1, 2, 3)))
    current, started, _ = turn(current)
    assert started == [(1,), (2,)]
    current, _ = step(current, Finished(2), 1.0)
    assert turn(current, 1.0)[1] == [(3,)]


def test_a_priority_is_a_head_start_and_no_more():
    early, urgent, later = ticket(1, at=0.0), ticket(2, at=5.0, rank=-1.0), ticket(3, at=9.0, rank=3.0)
    current = arrive(state(rows_max=1), early, urgent, later)
    order = []
    for _ in range(3):
        current, started, _ = turn(current, 9.0)
        order += started
        current, _ = step(current, Finished(current.executions), 9.0)
    assert order == [(2,), (1,), (3,)]


def test_a_small_execution_needs_no_thread():
    current = arrive(state(inline_elements=4), ticket(1, elements=2), ticket(2, elements=2))
    _, effects = step(current, Turned(0), 0.0)
    assert [effect.inline for effect in effects] == [True]
    current = arrive(current, ticket(3))
    assert turn(current, threads=0)[2] == [AwaitThread()]


def test_a_deadline_is_kept_to_the_moment_waiting_or_running():
    """DB11, DB17."""
    current = arrive(state(rows_max=1), ticket(1, deadline=2.0), ticket(2, deadline=1.0))
    current, started, others = turn(current)
    assert ([(1,)], [Wake(1.0)]) == (started, others)
    current, started, others = turn(current, 1.0)
    assert ([], [Expire(2), Wake(2.0)]) == (started, others)
    current, _, others = turn(current, 2.0)
    assert others == [Expire(1)]
    current, effects = step(current, Finished(1), 3.0)
    assert effects == (Deliver(1, ()),)


def test_what_is_withdrawn_leaves_its_mates_alone():
    """DB10."""
    current = arrive(state(rows_max=2), *(ticket(number) for number in (1, 2, 3, 4)))
    current, _, _ = turn(current)
    for number in (1, 3):
        current, effects = step(current, Withdrawn(number), 0.0)
        assert effects == ()
    current, effects = step(current, Finished(1), 0.0)
    assert effects[0] == Deliver(1, (2,))
    assert turn(current)[1] == [(4,)]


def test_a_failed_execution_is_tried_again_one_by_one_and_before_what_came_later():
    """DB12."""
    current, _, _ = turn(arrive(state(), ticket(1), ticket(2)))
    current = arrive(current, ticket(3, at=0.5))
    current, effects = step(current, Finished(1, failed=True), 1.0)
    assert effects == (Wake(1.0),)
    order = []
    for failed in (True, False, False):
        current, started, _ = turn(current, 1.0)
        order += started
        current, effects = step(current, Finished(current.executions, failed=failed), 1.0)
        assert effects[0] == Deliver(current.executions, started[0])
    assert order == [(1,), (2,), (3,)]


def test_what_is_tried_again_does_not_wait_for_the_delay():
    current = state(rows_preferred=(2,), delay_seconds=9.0, inline_elements=100)
    current, started, _ = turn(arrive(current, ticket(1), ticket(2)))
    assert started == [(1, 2)]
    current, _ = step(current, Finished(1, failed=True), 0.0)
    assert turn(current)[1] == [(1,)]


def test_a_failure_is_everybodys_where_the_model_says_so():
    """DB12."""
    current, _, _ = turn(arrive(state(retry_alone=False), ticket(1), ticket(2)))
    assert step(current, Finished(1, failed=True), 1.0)[1] == (Deliver(1, (1, 2)),)


@pytest.mark.parametrize(
    ("limits", "fields", "why"),
    [
        (Limits(requests_max=2), {}, "requests"),
        (Limits(rows_max=5), {"rows": 2}, "rows"),
        (Limits(bytes_max=50), {"size_bytes": 20}, "bytes"),
    ],
)
def test_what_would_exceed_a_bound_is_refused(limits, fields, why):
    """DB15."""
    current = arrive(state(limits=limits), *(ticket(number, **fields) for number in (1, 2)))
    assert step(current, Arrived(ticket(3, **fields)), 0.0) == (current, (Refuse(3, why),))


def test_an_empty_queue_takes_any_request():
    current = state(limits=Limits(rows_max=5, bytes_max=50))
    assert turn(arrive(current, ticket(1, rows=6, size_bytes=60)))[1] == [(1,)]


@pytest.mark.parametrize(("seconds", "expected"), [(0.01, 1), (2.0, 4), (100.0, 30)])
def test_retry_after_is_how_long_what_waits_will_take(seconds, expected):
    """DB19."""
    current = state(limits=Limits(requests_max=2), rows_max=1)
    current, _, _ = turn(arrive(current, ticket(1)))
    current, _ = step(current, Finished(1), seconds)
    current = arrive(current, *(ticket(number, at=seconds) for number in (2, 3)))
    assert step(current, Arrived(ticket(4, at=seconds)), seconds)[1] == (Refuse(4, "requests", expected),)


def test_an_execution_that_does_not_run_cannot_end():
    with pytest.raises(KeyError):
        step(state(), Finished(1), 0.0)


def with_goal(**batching):
    """A state that is allowed four rows at once by its latency goal of two seconds."""
    current = state(rows_max=8, latency_goal_seconds=2.0, **batching)
    return attrs.evolve(current, pace=attrs.evolve(current.pace, limit=4.0))


def test_a_latency_goal_bounds_the_rows_of_an_execution():
    _, started, _ = turn(arrive(with_goal(), *(ticket(number) for number in range(1, 7))))
    assert started == [(1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("seconds", "failed", "limit"), [(0.5, False, 8.0), (1.5, False, 3.6), (0.5, True, 4.0), (1.5, True, 4.0)]
)
def test_an_execution_teaches_the_pace_unless_it_failed(seconds, failed, limit):
    current = with_goal(retry_alone=False)
    current = attrs.evolve(current, pace=attrs.evolve(current.pace, late=True))
    current, _, _ = turn(arrive(current, *(ticket(number) for number in range(1, 7))))
    current, _ = step(current, Finished(1, failed=failed), seconds)
    assert current.pace.limit == pytest.approx(limit)


@pytest.mark.parametrize(
    ("groups", "batching"),
    [
        pytest.param("aaa", {"rows_preferred": (2,), "delay_seconds": 1.0}, id="a preferred size"),
        pytest.param("aaaabb", {}, id="another group"),
    ],
)
def test_whoever_waits_for_another_reason_than_rows_is_not_left_behind(groups, batching):
    arrivals = [ticket(number, group=group) for number, group in enumerate(groups)]
    current, started, _ = turn(arrive(with_goal(**batching), *arrivals))
    assert len(started[0]) < len(groups)
    current, _ = step(current, Finished(1), 0.1)
    assert current.pace.limit == 4.0


LIMITS = Limits(requests_max=6, rows_max=20, bytes_max=30)


class AnyOrder(RuleBasedStateMachine):
    """Requests come, leave, expire, run and fail in any order; a plain dictionary says what each has come to."""

    @initialize(
        rows_max=st.integers(1, 6),
        preferred=st.sets(st.integers(1, 6)),
        delay=st.sampled_from([0.0, 1.0, 5.0]),
        executions=st.integers(1, 3),
        retry=st.booleans(),
        inline=st.sampled_from([-1, 3]),
        batched=st.booleans(),
        goal=st.sampled_from([None, 0.5, 20.0]),
    )
    def begin(self, rows_max, preferred, delay, executions, retry, inline, batched, goal):
        batching = Batching(
            rows_max=rows_max,
            rows_preferred=tuple(rows for rows in preferred if rows <= rows_max),
            delay_seconds=delay if goal is None else min(delay, goal / 2),
            executions_max=executions,
            retry_alone=retry,
            latency_goal_seconds=goal,
        )
        self.batching = batching if batched else None
        self.state = State(Policy(LIMITS, self.batching), inline_elements=inline)
        self.now = 0.0
        self.tickets = {}  # those that are not answered yet
        self.answered = {}
        self.starts = {}  # how often each was started
        self.running = {}
        self.busy = 0  # threads

    def end(self, number, how):
        assert number not in self.answered, f"{number}: {self.answered[number]}, then {how}"
        self.answered[number] = how
        del self.tickets[number]

    def perform(self, effects):
        for effect in effects:
            match effect:
                case Refuse(number):
                    self.end(number, "refused")
                case Expire(number):
                    assert self.tickets[number].deadline <= self.now
                    self.end(number, "expired")
                case Deliver(execution, numbers):
                    assert set(numbers) == {one.number for one in self.running[execution]} & set(self.tickets)
                    for number in numbers:
                        self.end(number, "delivered")
                case Start(execution, tickets, inline):
                    self.check_start(execution, tickets, inline=inline)

    def check_start(self, execution, tickets, *, inline):
        rows = sum(one.rows for one in tickets)
        numbers = [one.number for one in tickets]
        assert set(numbers) <= set(self.tickets)
        assert len(tickets) == 1 or (self.batching is not None and rows <= self.batching.rows_max)
        assert len({self.tickets[number].group for number in numbers}) == 1
        for one in tickets:
            self.starts[one.number] = self.starts.get(one.number, 0) + 1
            assert self.starts[one.number] == 1 or (self.starts[one.number] == 2 and len(tickets) == 1)
            assert one.deadline > self.now
        before = [
            other
            for other in self.tickets.values()
            if other.group == tickets[-1].group and other.number not in self.starts
        ]
        assert all((other.rank, other.number) > (tickets[-1].rank, tickets[-1].number) for other in before)
        assert inline == (sum(one.elements for one in tickets) <= self.state.inline_elements)
        self.running[execution] = tickets
        self.busy += not inline

    @rule(
        rows=st.integers(1, 8),
        size=st.integers(1, 10),
        group=st.sampled_from("ab"),
        priority=st.sampled_from([0, 0, 3]),
        timeout=st.sampled_from([math.inf, 0.5, 4.0]),
    )
    def arrive(self, rows, size, group, priority, timeout):
        number = len(self.tickets) + len(self.answered) + 1
        one = Ticket(number, self.now, self.now - priority, self.now + timeout, rows, rows, size, group)
        self.tickets[number] = one
        self.state, effects = step(self.state, Arrived(one), self.now)
        self.perform(effects)
        assert effects in ((Wake(self.now),), effects[:1])
        if number in self.answered:
            queue = self.state.queue
            assert queue
            assert (
                len(queue) == LIMITS.requests_max
                or sum(other.rows for other in queue) + rows > LIMITS.rows_max
                or sum(other.size_bytes for other in queue) + size > LIMITS.bytes_max
            )

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def withdraw(self, data):
        number = data.draw(st.sampled_from(sorted(self.tickets)))
        self.state, effects = step(self.state, Withdrawn(number), self.now)
        assert effects == ()
        self.end(number, "withdrawn")

    @rule(seconds=st.sampled_from([0.0, 0.0, 0.5, 1.0, 4.0]), threads=st.integers(0, 3))
    def turn(self, seconds, threads):
        self.now += seconds
        busy, waiting = self.busy, threads
        self.state, effects = step(self.state, Turned(threads), self.now)
        self.perform(effects)
        waiting -= self.busy - busy
        assert waiting >= 0
        deadlines = [one.deadline for one in self.tickets.values()]
        assert all(deadline > self.now for deadline in deadlines)
        wakes = [effect.at for effect in effects if isinstance(effect, Wake)]
        assert all(at > self.now for at in wakes)
        assert min(wakes, default=math.inf) <= min(deadlines, default=math.inf)
        room = self.batching is None or len(self.state.running) < self.batching.executions_max
        if self.state.queue and room and AwaitThread() not in effects:
            due = min(one.arrived for one in self.state.queue) + self.batching.delay_seconds
            assert due > self.now
            assert min(wakes) <= due
        assert AwaitThread() not in effects or waiting == 0

    @precondition(lambda self: self.running)
    @rule(data=st.data(), failed=st.booleans())
    def finish(self, data, failed):
        execution = data.draw(st.sampled_from(sorted(self.running)))
        self.state, effects = step(self.state, Finished(execution, failed=failed), self.now)
        self.perform(effects)
        tickets = self.running.pop(execution)
        if not (failed and len(tickets) > 1 and self.batching.retry_alone):
            assert not {one.number for one in tickets} & set(self.tickets)
        assert not self.state.queue or Wake(self.now) in effects

    @invariant()
    def counts_agree(self):
        queue = self.state.queue
        assert self.state.queued_rows == sum(one.rows for one in queue)
        assert self.state.queued_bytes == sum(one.size_bytes for one in queue)
        assert list(queue) == sorted(queue, key=lambda one: (one.rank, one.number))
        assert set(self.running) == set(self.state.running)
        known = [*queue, *(one for run in self.state.running.values() for one in run.tickets)]
        assert sorted(one.number for one in known) == sorted(self.tickets)

    def teardown(self):
        """Left to itself it comes to rest, and everybody has had an answer."""
        if not hasattr(self, "state"):
            return
        for _ in range(200):
            for execution in sorted(self.running):
                self.state, effects = step(self.state, Finished(execution), self.now)
                self.perform(effects)
                del self.running[execution]
            self.now += 1.0
            self.state, effects = step(self.state, Turned(3), self.now)
            self.perform(effects)
        assert not self.tickets
        assert (self.state.queue, dict(self.state.running)) == ((), {})


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnyOrder = AnyOrder.TestCase
