"""How many rows a latency goal has room for: step by step, under any observations, and with a model in virtual time."""

import math
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from seeds import announced_seed

from windlass.serving.batching.batcher import Arrived, Deliver, Finished, Start, State, Ticket, Turned, step
from windlass.serving.batching.pace import Pace
from windlass.serving.policy import Batching, Limits, Policy

GOAL = 0.1


def pace(rows_max=64, **changes):
    return Pace(GOAL / 2, rows_max, **changes)


def test_without_a_goal_there_is_no_pace():
    assert Pace.of(None) is None
    assert Pace.of(Batching()) is None
    assert Pace.of(Batching(latency_goal_seconds=GOAL, rows_max=7)) == Pace(GOAL / 2, 7)


def test_rows_double_while_executions_leave_requests_behind_and_are_fast():
    now = pace()
    for expected in (2, 4, 8, 16, 32, 64, 64):
        now = now.after(now.rows, 0.001, left_behind=True)
        assert now.rows == expected


def test_rows_stay_where_nobody_was_left_behind():
    assert pace(limit=8).after(8, 0.001, left_behind=False) == pace(limit=8)


def test_two_in_a_row_that_are_too_slow_take_a_tenth_and_end_the_doubling():
    once = pace(limit=20.0).after(20, 0.051, left_behind=True)
    assert (once.rows, once.probing) == (20, True)
    twice = once.after(20, 0.051, left_behind=True)
    assert (twice.rows, twice.probing) == (18, False)
    assert twice.after(18, 0.01, left_behind=True) == pace(limit=19.0, probing=False)


def test_half_of_the_goal_is_not_too_slow():
    assert pace(limit=20.0, probing=False).after(20, GOAL / 2, left_behind=True).rows == 21


def test_a_request_that_is_larger_than_the_limit_and_slow_says_nothing_about_it():
    assert pace(limit=4).after(40, 1.0, left_behind=True) == pace(limit=4)


def test_requests_that_never_fit_the_limit_raise_it_to_their_size():
    """Else requests of three rows would be computed one by one for ever under a limit of one."""
    assert pace().after(3, 0.001, left_behind=True).rows == 6


@pytest.mark.parametrize("left_behind", [True, False])
def test_a_hiccup_costs_nothing(left_behind):
    now = pace(limit=60.0, probing=False)
    for _ in range(5):
        now = now.after(60, 5.0, left_behind=True).after(60, 0.001, left_behind=left_behind)
    assert now.rows == (64 if left_behind else 60)


def test_a_machine_that_stops_one_execution_in_twenty_does_not_keep_the_rows_low(rng):
    simulation = Simulation(fixed=0.001, each=0.0001, rng=rng, stops=0.05)
    simulation.run(rate=12_000, seconds=5)
    assert quantile([rows for rows, _ in simulation.executions[-100:]], 0.5) >= 200


@given(
    st.integers(1, 100),
    st.lists(
        st.tuples(st.integers(1, 200), st.floats(0, 1e9, allow_nan=False) | st.just(math.inf), st.booleans()),
        max_size=60,
    ),
)
@example(1, [(1, 1.0, True)] * 40)
def test_the_limit_stays_between_one_and_the_most_rows(rows_max, observations):
    now = pace(rows_max)
    for rows, seconds, left_behind in observations:
        before, now = now, now.after(rows, seconds, left_behind=left_behind)
        assert 1 <= now.rows <= rows_max
        if seconds > GOAL / 2:
            assert now.limit <= before.limit


class Simulation:
    """The batcher over one thread and a model of `fixed + each * rows` seconds, with time as a number."""

    def __init__(self, *, fixed, each, rng, rows_max=256, requests_max=300, stops=0.0):
        batching = Batching(rows_max=rows_max, latency_goal_seconds=GOAL)
        self.state = State(Policy(Limits(requests_max=requests_max), batching))
        self.fixed, self.each, self.rng, self.stops = fixed, each, rng, stops
        self.latencies, self.executions, self.arrived = [], [], {}
        self._busy_until, self._running = math.inf, None

    def run(self, *, rate, seconds, start=0.0, rows=1):
        """Arrivals by a Poisson process, each of `rows`."""
        now, arrival, number = start, start, max(self.arrived, default=0)
        while now < start + seconds:
            if arrival <= self._busy_until:
                now = arrival
                number += 1
                self.arrived[number] = now
                self.state, _ = step(self.state, Arrived(Ticket(number, now, now, rows=rows)), now)
                arrival += self.rng.expovariate(rate)
            else:
                now = self._busy_until
                self._finish(now)
            self._turn(now)

    def drain(self):
        """Let everything that waits be computed."""
        while self._running is not None:
            now = self._busy_until
            self._finish(now)
            self._turn(now)

    def _turn(self, now):
        if self._running is not None:
            return
        self.state, effects = step(self.state, Turned(1), now)
        for effect in effects:
            if isinstance(effect, Start):
                rows = sum(ticket.rows for ticket in effect.tickets)
                seconds = (self.fixed + self.each * rows) * self.rng.uniform(0.95, 1.05)
                seconds += GOAL if self.rng.random() < self.stops else 0.0
                self._running, self._busy_until = effect.execution, now + seconds
                self.executions.append((rows, seconds))

    def _finish(self, now):
        self.state, effects = step(self.state, Finished(self._running), now)
        self._running, self._busy_until = None, math.inf
        for effect in effects:
            if isinstance(effect, Deliver):
                self.latencies += [now - self.arrived[one] for one in effect.numbers]


@pytest.fixture
def rng():
    return random.Random(announced_seed())


def quantile(values, q):
    return sorted(values)[math.ceil(q * len(values)) - 1]


@pytest.mark.parametrize(
    ("fixed", "each"), [(0.005, 0.0005), (0.0, 0.002), (0.02, 0.0002)], ids=["mixed", "linear", "fixed"]
)
@pytest.mark.parametrize("load", [0.1, 0.5, 0.8], ids=["idle", "half", "busy"])
def test_the_goal_is_met_below_the_capacity_that_it_leaves(rng, fixed, each, load):
    """The capacity is that of the rows whose execution takes half of the goal."""
    fitting = (GOAL / 2 - fixed) / each
    simulation = Simulation(fixed=fixed, each=each, rng=rng)
    simulation.run(rate=load * fitting / (GOAL / 2), seconds=8)
    settled = simulation.latencies[len(simulation.latencies) // 4 :]
    assert len(settled) > 100
    assert quantile(settled, 0.99) <= GOAL * 1.05  # an execution may take a twentieth longer than what was learned


def test_rows_settle_near_what_fits_when_there_is_more_work_than_can_be_done(rng):
    fixed, each = 0.005, 0.0005
    fitting = (GOAL / 2 - fixed) / each  # 90
    simulation = Simulation(fixed=fixed, each=each, rng=rng)
    simulation.run(rate=2 * fitting / (GOAL / 2), seconds=5)
    settled = simulation.executions[len(simulation.executions) // 2 :]
    assert quantile([rows for rows, _ in settled], 0.5) >= 0.8 * fitting
    assert max(seconds for _, seconds in settled) <= GOAL / 2 * 1.15


def test_without_a_goal_the_same_load_goes_beyond_it(rng):
    """The test above can fail: this is the plain batcher under the same load."""
    simulation = Simulation(fixed=0.005, each=0.0005, rng=rng)
    simulation.state = State(Policy(Limits(requests_max=300), Batching(rows_max=256)))
    simulation.run(rate=3600, seconds=2)
    assert max(seconds for _, seconds in simulation.executions) > GOAL / 2 * 2


def test_a_model_that_becomes_slower_is_met_and_one_that_becomes_faster_is_used(rng):
    simulation = Simulation(fixed=0.0, each=0.0005, rng=rng)
    simulation.run(rate=3000, seconds=3)
    simulation.each = 0.002
    simulation.run(rate=3000, seconds=5, start=3)
    slow = simulation.executions[-20:]
    assert max(seconds for _, seconds in slow) <= GOAL / 2 * 1.15
    simulation.each = 0.0005
    simulation.run(rate=3000, seconds=6, start=8)
    assert quantile([rows for rows, _ in simulation.executions[-20:]], 0.5) >= 75


def test_requests_of_several_rows_grow_into_batches(rng):
    simulation = Simulation(fixed=0.01, each=0.0005, rng=rng)
    simulation.run(rate=600, seconds=5, rows=3)
    assert max(rows for rows, _ in simulation.executions) >= 30


@pytest.mark.parametrize("each", [0.08, 5.0], ids=["most of the goal", "beyond it"])
def test_a_model_that_cannot_meet_the_goal_still_answers_everybody(rng, each):
    simulation = Simulation(fixed=0.0, each=each, rng=rng, requests_max=20)
    simulation.run(rate=2 / each, seconds=200 * each)
    accepted = len(simulation.state.queue) + len(simulation.latencies) + len(simulation.state.running)
    simulation.drain()
    assert len(simulation.latencies) >= accepted - 1
    assert simulation.state.queue == ()
    assert simulation.state.pace.rows == 1
