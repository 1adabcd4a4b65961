"""Every request in a lane is answered exactly once, however it ends, and a lane that is idle holds nothing.

A lane performs what `batcher.py` decides for the requests of one loaded model: it keeps their futures, arms one timer,
and hands executions to threads. A reload makes a new lane, so weights never mix (DB7); the old one lives on in what it
still computes.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import TypeAlias

import attrs

from windlass.serving.batching.ask import Ask
from windlass.serving.batching.batcher import (
    Arrived,
    AwaitThread,
    Deliver,
    Effect,
    Event,
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
from windlass.serving.batching.batches import group, join, rows, size_bytes, split
from windlass.serving.batching.threads import Threads
from windlass.serving.errors import BadRequest, DeadlineExceeded, ModelFailed, NotReady, Overloaded, ServingError
from windlass.serving.metrics import Metrics
from windlass.serving.model import LoadedModel, checked, size
from windlass.serving.telemetry.call import CURRENT, Call
from windlass.serving.tensors import Array

__all__ = ("Lane", "Outputs", "compute")

_log = logging.getLogger(__name__)

Outputs: TypeAlias = Mapping[str, Array]


@attrs.define(eq=False)
class _Member:
    ticket: Ticket
    model: LoadedModel
    inputs: Mapping[str, Array]
    answer: asyncio.Future[Outputs]
    call: Call | None = None


@attrs.frozen
class _Outcome:
    """What an execution came to: a part for each of its tickets, or one error for all of them."""

    parts: Mapping[int, Outputs] = attrs.field(factory=dict)
    error: Exception | None = None
    retriable: bool = False


class Lane:
    """The requests of one loaded model that wait or are computed."""

    def __init__(self, model: LoadedModel, threads: Threads, *, metrics: Metrics) -> None:
        self.state = State(model.policy, inline_elements=model.inline_elements)
        self.name = model.name
        self._version = model.version
        self._threads = threads
        self._metrics = metrics
        # Belongs to the loop; what a thread gets is fixed when it starts. The model is referred to by members only:
        # a lane must not keep one alive that was unloaded.
        self._members: dict[int, _Member] = {}
        self._arrivals = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._turn_is_due = False
        self._hung = 0
        self._first: float | None = None

    def __repr__(self) -> str:
        return f"<Lane {self.name} waiting={len(self.state.queue)} running={len(self.state.running)}>"

    async def run(self, model: LoadedModel, inputs: Mapping[str, Array], ask: Ask) -> Outputs:
        """The request's own outputs.

        Raises Overloaded, DeadlineExceeded, ModelFailed, and BadRequest for more rows than the model allows at once.
        Cancelled, the request is withdrawn; what has begun ends, and its result is dropped (DB10, DB21).
        """
        self._refuse_while_slow()
        ticket = self._ticket(model, inputs, ask)
        answer: asyncio.Future[Outputs] = asyncio.get_running_loop().create_future()
        member = self._members[ticket.number] = _Member(ticket, model, inputs, answer, CURRENT.get())
        try:
            self._step(Arrived(ticket), ticket.arrived)
            # A model that computes each request by itself gains nothing from waiting for others to arrive.
            if model.policy.batching is None:
                self.turn()
            return await answer
        except asyncio.CancelledError:
            self._metrics.shed(self.name, "cancelled")
            raise
        finally:
            if self._members.pop(ticket.number, None) is not None:
                self._step(Withdrawn(ticket.number), ticket.arrived)
            # An error refers to the frames that it went through, and they would refer to it by this future: the model
            # would live until the collector finds the circle.
            del member.answer, answer

    def refuse_if_full(self) -> None:
        """Raise Overloaded when no request at all would be accepted, so that its body need not be read (DB15)."""
        if len(self.state.queue) >= self.state.policy.limits.requests_max:
            self._step(Arrived(Ticket(0, 0.0, 0.0)), 0.0)

    @property
    def hanging(self) -> str:
        """Why nothing is computed any more; empty while nothing hangs."""
        return f"{self._hung} of its executions hang, for over {self.patience_seconds:g} s" if self._hung else ""

    @property
    def patience_seconds(self) -> float:
        """An execution that takes longer than any request may answers nobody."""
        return self.state.policy.limits.timeout_seconds

    def hangs(self) -> None:
        """An execution does not end: nobody waits behind it, and nothing is started until it does."""
        self._hung += 1
        error = NotReady(f"model {self.name!r}: {self.hanging}")
        _log.error("model %s: %s; it answers 503 until they end", self.name, self.hanging)
        for ticket in self.state.queue:
            self._metrics.shed(self.name, "hanging")
            self._fail(ticket.number, error)
            self._step(Withdrawn(ticket.number), ticket.arrived)

    def recovered(self) -> None:
        """An execution that hung has ended."""
        self._hung -= 1
        _log.warning("model %s: an execution that hung has ended", self.name)

    def _refuse_while_slow(self) -> None:
        limits = self.state.policy.limits
        if not limits.slow_start_seconds:
            return
        now = asyncio.get_running_loop().time()
        self._first = now if self._first is None else self._first
        allowed = limits.requests_at(now - self._first)
        if allowed < limits.requests_max and len(self._members) >= allowed:
            self._metrics.shed(self.name, "rejected")
            raise Overloaded(f"model {self.name!r}: it has begun to serve, and takes {allowed} requests at once so far")

    def close(self) -> None:
        """Cancel whoever waits, and forget the timer."""
        if self._alarm is not None:
            self._alarm.cancel()
        for member in self._members.values():
            member.answer.cancel()

    def turn(self) -> None:
        """Start what can start now."""
        self._turn_is_due = False
        self._turn_at(asyncio.get_running_loop().time())

    def _ticket(self, model: LoadedModel, inputs: Mapping[str, Array], ask: Ask) -> Ticket:
        self._arrivals += 1
        now = asyncio.get_running_loop().time()
        return Ticket(
            self._arrivals,
            arrived=now,
            rank=now - ask.priority * model.policy.limits.head_start_seconds,
            deadline=ask.deadline,
            rows=rows(model, inputs),
            elements=size(inputs),
            size_bytes=size_bytes(inputs),
            group=group(model, inputs) if model.policy.batching is not None else (),
        )

    def _turn_at(self, now: float) -> None:
        self._step(Turned(0 if self.hanging else self._threads.free), now)

    def _step(self, event: Event, now: float) -> None:
        self.state, effects = step(self.state, event, now)
        for effect in effects:
            self._perform(effect, now)

    def _perform(self, effect: Effect, now: float) -> None:
        match effect:
            case Wake(at):
                self._arm(at, now)
            case Start():
                self._start(effect, now)
            case AwaitThread():
                self._threads.hungry(self)
            case Expire(number):
                self._metrics.shed(self.name, "expired")
                self._fail(number, DeadlineExceeded(f"model {self.name!r}: no answer within the time given"))
            case Refuse(number, why, retry_after_seconds):
                self._metrics.shed(self.name, "rejected")
                error = self._refusal(why, retry_after_seconds)
                if number not in self._members:
                    raise error
                self._fail(number, error)
            case Deliver():
                raise AssertionError("delivered by whoever reported the end")

    def _refusal(self, why: str, retry_after_seconds: int) -> ServingError:
        batching = self.state.policy.batching
        if why == "oversized" and batching is not None:
            return BadRequest(f"model {self.name!r} computes at most {batching.rows_max} rows a request")
        return Overloaded(f"model {self.name!r}: as many {why} wait as may", retry_after_seconds=retry_after_seconds)

    def _fail(self, number: int, error: Exception) -> None:
        member = self._members.pop(number, None)
        if member is not None and not member.answer.done():
            member.answer.set_exception(error)

    def _arm(self, at: float, now: float) -> None:
        loop = asyncio.get_running_loop()
        if at <= now:
            if not self._turn_is_due:
                self._turn_is_due = True
                loop.call_soon(self.turn)
            return
        if self._alarm is not None:
            if self._alarm.when() <= at:
                return
            self._alarm.cancel()
        self._alarm = loop.call_at(at, self._alarmed, at)

    def _alarmed(self, at: float) -> None:
        self._alarm = None
        # A loop may call a little early; the decision must not find that nothing is due yet and ask again.
        self._turn_at(max(at, asyncio.get_running_loop().time()))

    def _start(self, start: Start, now: float) -> None:
        members = [self._members[ticket.number] for ticket in start.tickets]
        rows_together = sum(ticket.rows for ticket in start.tickets)
        self._metrics.executed(
            self.name,
            rows=rows_together,
            waited=[now - ticket.arrived for ticket in start.tickets],
            version=self._version,
        )
        for member in members:
            if member.call is not None:
                member.call.execute(now, rows=rows_together)

        def finish(outcome: _Outcome) -> None:
            ended = asyncio.get_running_loop().time()
            self._metrics.computed(self.name, self._version, seconds=ended - now)
            for member in members:
                if member.call is not None:
                    member.call.end(ended)
            self._finish(start.execution, outcome)

        if start.inline:
            finish(_compute(members))
        else:
            self._threads.submit(lambda: _compute_in_thread(members), finish, customer=self)

    def _finish(self, execution: int, outcome: _Outcome) -> None:
        now = asyncio.get_running_loop().time()
        self.state, effects = step(self.state, Finished(execution, failed=outcome.retriable), now)
        for effect in effects:
            if isinstance(effect, Deliver):
                self._deliver(effect.numbers, outcome)
            else:
                self._perform(effect, now)

    def _deliver(self, numbers: tuple[int, ...], outcome: _Outcome) -> None:
        for number in numbers:
            if outcome.error is not None:
                self._fail(number, outcome.error)
                continue
            member = self._members.pop(number, None)
            if member is not None and not member.answer.done():
                member.answer.set_result(outcome.parts[number])


def _compute(members: list[_Member]) -> _Outcome:
    model = members[0].model
    try:
        outputs = compute(model, join(model, [member.inputs for member in members]))
    except Exception as error:
        return _Outcome(error=error, retriable=True)
    if model.policy.batching is None:
        return _Outcome({members[0].ticket.number: outputs})
    try:
        parts = split(model, outputs, [member.ticket.rows for member in members])
    except ModelFailed as error:
        return _Outcome(error=error)
    return _Outcome({member.ticket.number: part for member, part in zip(members, parts, strict=True)})


def _compute_in_thread(members: list[_Member]) -> _Outcome:
    try:
        return _compute(members)
    except BaseException as error:
        # SystemExit and its like: above us in this thread there is nobody who could answer.
        return _Outcome(error=ModelFailed(f"model {members[0].model.name!r} failed: {error!r}"), retriable=True)


def compute(model: LoadedModel, inputs: Mapping[str, Array]) -> Outputs:
    """The model's outputs, checked against its description. Raises ModelFailed, or what the model says of itself."""
    try:
        return checked(model, model.model.predict(inputs))
    except ServingError:
        raise
    except Exception as error:
        raise ModelFailed(
            f"model {model.name!r} version {model.version} failed: {type(error).__name__}: {error}"
        ) from error
