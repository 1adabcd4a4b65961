"""The batcher's real `step` for three requests in every order of arrivals, turns, ends, failures and deadlines.

What walks at random (test_batcher.py) may have missed, this has not, within its bounds: three requests, two seconds.
"""

import math

import attrs
import pytest

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
from windlass.statemachine.modelcheck import Invariant, Model, explore

SECONDS = 2.0
REQUESTS = (
    {"rows": 1, "deadline": math.inf, "head_start": 0.0},
    {"rows": 2, "deadline": 1.0, "head_start": 1.0},
    {"rows": 1, "deadline": 2.0, "head_start": 0.0},
)


class Frozen(dict):
    """A mapping that can be part of a state."""

    def __hash__(self):
        return hash(frozenset(self.items()))


@attrs.frozen(cache_hash=True)
class World:
    """`fates` say what has become of each request, `starts` how often it was begun; `fault` what went wrong."""

    state: State
    now: float = 0.0
    fates: tuple[str, ...] = ("new",) * len(REQUESTS)
    starts: tuple[int, ...] = (0,) * len(REQUESTS)
    fault: str | None = None

    def __str__(self):
        return f"t={self.now:g} {', '.join(self.fates)}; {len(self.state.running)} run"


def told(world, event, **changes):
    state, effects = step(world.state, event, world.now)
    # What a row costs is told to clients alone, and no decision here looks at it.
    state = attrs.evolve(state, running=Frozen(state.running), seconds_a_row=0.0)
    after = attrs.evolve(world, state=state, **changes)
    for effect in effects:
        match effect:
            case Refuse(number):
                after = answered(after, number, "refused")
            case Expire(number):
                after = answered(after, number, "expired")
            case Deliver(_, numbers):
                for number in numbers:
                    after = answered(after, number, "delivered")
            case Start(_, tickets):
                after = started(after, tickets)
    if isinstance(event, Turned) and state.queue and not state.running:
        later = any(isinstance(one, Wake) and one.at > world.now for one in effects)
        if not later and AwaitThread() not in effects:
            return broken(after, "something waits, and nothing will wake it")
    return after


def broken(world, what):
    return attrs.evolve(world, fault=world.fault or what)


def replaced(values, number, value):
    return (*values[:number], value, *values[number + 1 :])


def answered(world, number, how):
    if world.fates[number] != "waiting":
        return broken(world, f"request {number} is {how} after it was {world.fates[number]}")
    return attrs.evolve(world, fates=replaced(world.fates, number, how))


def started(world, tickets):
    batching = world.state.policy.batching
    for ticket in tickets:
        world = attrs.evolve(world, starts=replaced(world.starts, ticket.number, world.starts[ticket.number] + 1))
        again = world.starts[ticket.number] > 1
        if world.fates[ticket.number] != "waiting" or world.starts[ticket.number] > 2 or (again and len(tickets) > 1):
            return broken(world, f"request {ticket.number} is begun, {world.fates[ticket.number]}")
    if len(tickets) > 1:
        too_much = batching is None or sum(one.rows for one in tickets) > batching.rows_max
        if too_much or len({one.group for one in tickets}) > 1:
            return broken(world, "requests are put together that may not be")
    return world


def moves(world, groups, threads):
    if world.now < SECONDS:
        yield "a second passes", attrs.evolve(world, now=world.now + 1.0)
    number = world.fates.index("new") if "new" in world.fates else None
    if number is not None:
        asked = REQUESTS[number]
        ticket = Ticket(
            number, world.now, world.now - asked["head_start"], world.now + asked["deadline"], rows=asked["rows"],
            group=groups[number],
        )  # fmt: skip
        yield f"{number} arrives", told(world, Arrived(ticket), fates=replaced(world.fates, number, "waiting"))
    for number, fate in enumerate(world.fates):
        if fate == "waiting":
            yield f"{number} leaves", told(world, Withdrawn(number), fates=replaced(world.fates, number, "gone"))
    busy = sum(not one.inline for one in world.state.running.values())
    yield "a turn", told(world, Turned(threads - busy))
    for execution in world.state.running:
        for failed in (False, True):
            yield f"execution {execution} {'fails' if failed else 'ends'}", told(world, Finished(execution, failed))


def lost(before, after):
    """Whoever waits is in the queue or in one execution, and the queue knows its rows."""
    queued = [one.number for one in after.state.queue]
    running = [one.number for execution in after.state.running.values() for one in execution.tickets]
    waiting = [number for number, fate in enumerate(after.fates) if fate == "waiting"]
    if sorted(queued + running) != waiting:
        return f"{waiting} wait; {queued} are in the queue and {running} in executions"
    if after.state.queued_rows != sum(one.rows for one in after.state.queue):
        return "the rows in the queue are counted wrongly"
    return None


def life(batching, groups, threads):
    start = World(State(Policy(Limits(), batching), running=Frozen()))
    return Model(
        "batcher",
        (start,),
        lambda world: moves(world, groups, threads),
        invariants=(
            Invariant("answered once", lambda before, after: after.fault),
            Invariant("nobody lost", lost),
            Invariant("bounds", bounded),
        ),
        finished=lambda world: not {"new", "waiting"} & set(world.fates),
    )


def bounded(before, after):
    batching = after.state.policy.batching
    most = len(REQUESTS) if batching is None else batching.executions_max
    return "more executions than may be" if len(after.state.running) > most else None


@pytest.mark.parametrize(
    ("batching", "groups", "threads"),
    [
        pytest.param(None, "aaa", 1, id="no batching"),
        pytest.param(Batching(rows_max=3, delay_seconds=1.0), "aaa", 1, id="a delay"),
        pytest.param(Batching(rows_max=4, rows_preferred=(2,), delay_seconds=2.0), "aaa", 1, id="a preferred size"),
        pytest.param(Batching(rows_max=4, executions_max=2), "aba", 2, id="two groups"),
        pytest.param(Batching(rows_max=1, oversized="refuse"), "aaa", 1, id="too large"),
        pytest.param(Batching(rows_max=4, retry_alone=False), "aaa", 1, id="no second try"),
    ],
)
def test_every_request_is_answered_once_whatever_happens_to_it_and_to_others(batching, groups, threads):
    """DB1, DB6, DB8, DB11, DB12, DB17."""
    report = explore(life(batching, groups, threads)).require()

    fates = {fate for world in report.reached for fate in world.fates}
    refused = {"refused"} if batching is not None and batching.oversized == "refuse" else set()
    assert fates == {"new", "waiting", "gone", "expired", "delivered"} | refused


class Together:
    """A group of all that failed."""

    def __init__(self, number):
        pass

    def __eq__(self, other):
        return isinstance(other, Together)

    def __hash__(self):
        return 0


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        ("_without", lambda state, numbers: state, "nobody lost"),
        ("_Alone", Together, "answered once"),
        ("_may_start", lambda state: True, "bounds"),
        ("_next_turn", lambda state: math.inf, "answered once"),
    ],
    ids=[
        "what leaves stays",
        "those that failed together try again together",
        "no bound on executions",
        "nothing wakes",
    ],
)
def test_a_mistake_is_found(name, wrong, says, monkeypatch):
    monkeypatch.setattr(f"windlass.serving.batching.batcher.{name}", wrong)

    assert explore(life(Batching(rows_max=4, delay_seconds=1.0), "aaa", 2)).violation.invariant == says
