"""What happens to one request in a batch never happens to another because of it, and nothing waits without a bound.

Decides for the requests of one loaded model which are accepted, which start together and when, and which are given
up. Pure: it knows no tensors, threads, futures or clocks. The rules of a turn, in order:

1. what is past its deadline is given up, waiting or running (DB11, DB17);
2. groups of compatible requests are looked at in the order of their first request, so that none starves (DB6);
3. of a group, requests are taken in order until the next would exceed the most rows (DB1), which follow the
   executions' times where the model has a latency goal;
4. they start when there can be no more, when the oldest has waited for the delay, or when it waited for a thread
   anyway (DB3, DB5); otherwise as many of them as make a preferred size (DB4); otherwise they wait.

A turn comes after the arrivals of the same moment, which is what lets requests meet at a delay of 0.
"""

import math
from bisect import insort
from collections.abc import Hashable, Mapping
from typing import Literal, TypeAlias

import attrs

from windlass.serving.batching.pace import Pace
from windlass.serving.policy import Policy

__all__ = (
    "Arrived", "AwaitThread", "Deliver", "Effect", "Event", "Expire", "Finished", "Refuse", "Running", "Start", "State",
    "Ticket", "Turned", "Wake", "Withdrawn", "step",
)  # fmt: skip

# How much the newest execution counts in the estimate of what a row costs.
_NEWEST = 0.2
# How much longer the quickest execution counts as having taken, for each one since.
_FORGETTING = 1.1
_RETRY_AFTER_SECONDS_MAX = 30


@attrs.frozen
class Ticket:
    """One request. `number` is unique; those of equal `group` may share an execution.

    `rank` orders those that wait: the time of arrival, less the head start of its priority.
    """

    number: int
    arrived: float
    rank: float
    deadline: float = math.inf
    rows: int = 1
    elements: int = 1
    size_bytes: int = 0
    group: Hashable = ()


@attrs.frozen
class Running:
    """An execution: the tickets still to be answered, and what it began with.

    `left_behind` when its group had more, which were too many rows.
    """

    tickets: tuple[Ticket, ...]
    started: float
    rows: int
    shared: bool
    inline: bool
    left_behind: bool = False


@attrs.frozen
class State:
    """What is known of one model's requests.

    `queue` is in order of rank. `expires` is not after the first deadline. `held` is when there was last no thread
    for what waited. An execution of up to `inline_elements` needs no thread. `pace` is None without a latency goal.
    `quickest` is the time that the quickest of the last executions took, in seconds.
    """

    policy: Policy = attrs.field(factory=Policy)
    inline_elements: int = -1
    queue: tuple[Ticket, ...] = ()
    queued_rows: int = 0
    queued_bytes: int = 0
    running: Mapping[int, Running] = attrs.field(factory=dict)
    expires: float = math.inf
    held: float = -math.inf
    executions: int = 0
    seconds_a_row: float = 0.0
    quickest: float = 0.0
    pace: Pace | None = attrs.field(
        default=attrs.Factory(lambda state: Pace.of(state.policy.batching), takes_self=True)
    )


@attrs.frozen
class Arrived:
    """A request asks to be computed."""

    ticket: Ticket


@attrs.frozen
class Withdrawn:
    """Nobody waits for the request any more."""

    number: int


@attrs.frozen
class Turned:
    """Time to see what can start. `threads` are free for it."""

    threads: int


@attrs.frozen
class Finished:
    """An execution ended; `failed` when it may be the fault of one of its requests."""

    execution: int
    failed: bool = False


@attrs.frozen
class Refuse:
    """Answer that the request is not accepted: what is full, and when to come back."""

    number: int
    why: Literal["requests", "rows", "bytes", "oversized"]
    retry_after_seconds: int = 1


@attrs.frozen
class Expire:
    """Answer that the deadline has passed."""

    number: int


@attrs.frozen
class Start:
    """Compute these together, on the loop if `inline`, else in a thread; report Finished."""

    execution: int
    tickets: tuple[Ticket, ...]
    inline: bool


@attrs.frozen
class Deliver:
    """Give what the execution came to, answer or error, to these."""

    execution: int
    numbers: tuple[int, ...]


@attrs.frozen
class Wake:
    """Turn at this time, or at once when it has passed."""

    at: float


@attrs.frozen
class AwaitThread:
    """Turn when a thread is free."""


Event: TypeAlias = Arrived | Withdrawn | Turned | Finished
Effect: TypeAlias = Refuse | Expire | Start | Deliver | Wake | AwaitThread
_Move: TypeAlias = tuple[State, tuple[Effect, ...]]


def step(state: State, event: Event, now: float) -> _Move:
    """The state after the event, and what to do. Raises KeyError for the end of an execution that does not run."""
    match event:
        case Arrived(ticket):
            return _arrived(state, ticket)
        case Withdrawn(number):
            return _without(state, frozenset((number,))), ()
        case Turned(threads):
            return _turned(state, threads, now)
        case Finished(execution, failed):
            return _finished(state, execution, failed=failed, now=now)


def _arrived(state: State, ticket: Ticket) -> _Move:
    why = _refused_because(state, ticket)
    if why is not None:
        return state, (Refuse(ticket.number, why, _retry_after_seconds(state)),)
    return _queued(state, (ticket,)), (Wake(ticket.arrived),)


def _refused_because(state: State, ticket: Ticket) -> Literal["requests", "rows", "bytes", "oversized"] | None:
    limits, batching = state.policy.limits, state.policy.batching
    if batching is not None and batching.oversized == "refuse" and ticket.rows > batching.rows_max:
        return "oversized"
    if not state.queue:
        return None
    if len(state.queue) >= limits.requests_max:
        return "requests"
    if state.queued_rows + ticket.rows > limits.rows_max:
        return "rows"
    return "bytes" if state.queued_bytes + ticket.size_bytes > limits.bytes_max else None


def _retry_after_seconds(state: State) -> int:
    """DB19: when what waits now will be done, going by what rows cost lately."""
    batching = state.policy.batching
    at_once = batching.executions_max if batching is not None else max(1, len(state.running))
    return min(max(1, math.ceil(state.queued_rows * state.seconds_a_row / at_once)), _RETRY_AFTER_SECONDS_MAX)


def _queued(state: State, tickets: tuple[Ticket, ...]) -> State:
    queue = list(state.queue)
    for ticket in tickets:
        insort(queue, ticket, key=lambda one: (one.rank, one.number))
    return attrs.evolve(
        state,
        queue=tuple(queue),
        queued_rows=state.queued_rows + sum(one.rows for one in tickets),
        queued_bytes=state.queued_bytes + sum(one.size_bytes for one in tickets),
        expires=min(state.expires, *(one.deadline for one in tickets)),
    )


def _without(state: State, numbers: frozenset[int]) -> State:
    """Forget these, wherever they are. An execution goes on without them."""
    running = {
        execution: attrs.evolve(one, tickets=tuple(ticket for ticket in one.tickets if ticket.number not in numbers))
        for execution, one in state.running.items()
    }
    return _unqueued(state, numbers, running=running, executions=state.executions)


def _unqueued(state: State, numbers: frozenset[int], *, running: Mapping[int, Running], executions: int) -> State:
    """The state without these in its queue: one copy for that and what runs, since each costs 3 µs."""
    gone = [ticket for ticket in state.queue if ticket.number in numbers]
    return attrs.evolve(
        state,
        queue=tuple(ticket for ticket in state.queue if ticket.number not in numbers),
        queued_rows=state.queued_rows - sum(one.rows for one in gone),
        queued_bytes=state.queued_bytes - sum(one.size_bytes for one in gone),
        running=running,
        executions=executions,
    )


def _turned(state: State, threads: int, now: float) -> _Move:
    state, effects = _expired(state, now)
    groups = _groups(state, now) if _may_start(state) else []
    while groups and _may_start(state):
        taken = next(filter(None, (_due(state, group, now) for group in groups)), ())
        if not taken:
            break
        inline = sum(ticket.elements for ticket in taken) <= state.inline_elements
        if not inline and threads == 0:
            state = attrs.evolve(state, held=now)
            effects.append(AwaitThread())
            break
        threads -= not inline
        state = _started(state, taken, now, inline=inline)
        effects.append(Start(state.executions, taken, inline))
        groups = _groups(state, now)
    if _is_busy(state):
        state = attrs.evolve(state, held=now)
    at = _next_turn(state)
    return state, (*effects, Wake(at)) if at < math.inf else tuple(effects)


def _expired(state: State, now: float) -> tuple[State, list[Effect]]:
    if now < state.expires:
        return state, []
    alive = [*state.queue, *(ticket for one in state.running.values() for ticket in one.tickets)]
    late = [ticket.number for ticket in alive if ticket.deadline <= now]
    expires = min((ticket.deadline for ticket in alive if ticket.deadline > now), default=math.inf)
    return attrs.evolve(_without(state, frozenset(late)), expires=expires), [Expire(number) for number in late]


def _may_start(state: State) -> bool:
    batching = state.policy.batching
    return batching is None or len(state.running) < batching.executions_max


def _is_busy(state: State) -> bool:
    """Whether requests wait for an execution to end; one on the loop ends before anything else can happen."""
    return not _may_start(state) and not all(one.inline for one in state.running.values())


def _groups(state: State, now: float) -> list[list[Ticket]]:
    """The requests that may share an execution, in the order of the first of each.

    A request that would be late even if it were executed as quickly as the last ones were is left where it is, as long
    as another one would not be (DB16). In the order of arrival alone, a queue that is longer than the time allowed has
    all of them started just before their deadlines, and answered after them.
    """
    # One that is executed in spite of it, because there is no other, keeps `quickest` true.
    soonest = now + state.quickest
    if state.policy.batching is None:
        first = next((ticket for ticket in state.queue if ticket.deadline > soonest), None)
        return [[first or state.queue[0]]] if state.queue else []
    groups: dict[Hashable, list[Ticket]] = {}
    for ticket in [ticket for ticket in state.queue if ticket.deadline > soonest] or state.queue:
        groups.setdefault(ticket.group, []).append(ticket)
    return list(groups.values())


def _due(state: State, group: list[Ticket], now: float) -> tuple[Ticket, ...]:
    """Those of the group that start now; none when all of them wait."""
    batching = state.policy.batching
    if batching is None:
        return tuple(group)
    taken = rows = preferred = 0
    rows_max = batching.rows_max if state.pace is None else state.pace.rows
    for ticket in group:
        if taken and rows + ticket.rows > rows_max:
            break
        taken += 1
        rows += ticket.rows
        if rows in batching.rows_preferred:
            preferred = taken
    whole = taken < len(group) or rows >= rows_max
    oldest = min(ticket.arrived for ticket in group[:taken])
    if whole or oldest + batching.delay_seconds <= now or oldest <= state.held or _is_alone(group[0]):
        return tuple(group[:taken])
    return tuple(group[:preferred])


def _started(state: State, taken: tuple[Ticket, ...], now: float, *, inline: bool) -> State:
    number = state.executions + 1
    rows = sum(ticket.rows for ticket in taken)
    left_behind = state.pace is not None and _leaves_behind(state, taken, rows, rows_max=state.pace.rows)
    execution = Running(taken, now, rows, shared=len(taken) > 1, inline=inline, left_behind=left_behind)
    return _unqueued(
        state,
        frozenset(ticket.number for ticket in taken),
        executions=number,
        running={**state.running, number: execution},
    )


def _leaves_behind(state: State, taken: tuple[Ticket, ...], rows: int, *, rows_max: int) -> bool:
    """Whether the next request of the group did not fit."""
    numbers = {ticket.number for ticket in taken}
    left = (ticket for ticket in state.queue if ticket.number not in numbers and ticket.group == taken[0].group)
    following = next(left, None)
    return following is not None and rows + following.rows > rows_max


def _next_turn(state: State) -> float:
    """When time alone can change something: a deadline, or the end of a delay while there is a thread to use."""
    batching = state.policy.batching
    if batching is None or not state.queue or not _may_start(state):
        return state.expires
    oldest = min(ticket.arrived for ticket in state.queue)
    return state.expires if oldest <= state.held else min(state.expires, oldest + batching.delay_seconds)


def _finished(state: State, execution: int, *, failed: bool, now: float) -> _Move:
    running = dict(state.running)
    ended = running.pop(execution)
    seconds = now - ended.started
    cost = seconds / ended.rows
    cost = cost if not state.seconds_a_row else (1 - _NEWEST) * state.seconds_a_row + _NEWEST * cost
    pace = state.pace
    quickest = state.quickest
    if not failed:  # how long a failure takes says nothing
        quickest = min(seconds, quickest * _FORGETTING) if quickest else seconds
        if pace is not None:
            pace = pace.after(ended.rows, seconds, left_behind=ended.left_behind)
    state = attrs.evolve(state, running=running, seconds_a_row=cost, quickest=quickest, pace=pace)
    batching = state.policy.batching
    if failed and ended.shared and ended.tickets and batching is not None and batching.retry_alone:
        # At their old rank, which is before all that arrived since.
        alone = tuple(attrs.evolve(ticket, group=_Alone(ticket.number)) for ticket in ended.tickets)
        return _queued(state, alone), (Wake(now),)
    delivered = Deliver(execution, tuple(ticket.number for ticket in ended.tickets))
    return state, (delivered, Wake(now)) if state.queue else (delivered,)


@attrs.frozen
class _Alone:
    """A group of one."""

    number: int


def _is_alone(ticket: Ticket) -> bool:
    return isinstance(ticket.group, _Alone)
