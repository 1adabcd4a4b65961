"""A crash sweep kills an operator at each of its calls in turn, and each time it must come to the same end.

The life of the operator ends at its n-th call, for n = 1, 2, 3 …, until a run has no such call any more: before the
request is sent, and for writes also after the server has performed it and before the answer arrives. (A read changes
nothing on the server: with its answer unread, the operator ends as it does before the next call.) Then it is started
anew, undisturbed.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

import attrs

from windlass.envtest.calls import Call
from windlass.envtest.endstate import EndState
from windlass.envtest.errors import CrashPointFailed, NeverAtRest, TrialError
from windlass.envtest.lives import Life, mortality
from windlass.envtest.trial import Operator, Stage, Trial, open_stage
from windlass.informers.client import Stream
from windlass.informers.errors import ApiError
from windlass.informers.requests import Request
from windlass.informers.wire import Onward

__all__ = ("CrashPoint", "SweepReport", "for_every_crash_point")

Moment = Literal["before", "after"]
_POINT = re.compile(r"(before|after):([1-9]\d*)")
_CALLS_MAX = 2_000


@attrs.frozen
class CrashPoint:
    """One moment of an operator's life: `before` or `after` its n-th call. Written `after:7`."""

    moment: Moment
    number: int

    @classmethod
    def parse(cls, text: str) -> "CrashPoint":
        """The inverse of `str`. Raises TrialError."""
        found = _POINT.fullmatch(text)
        if found is None:
            raise TrialError(f"only: expected before:N or after:N with N >= 1, found {text!r}")
        return cls("before" if found[1] == "before" else "after", int(found[2]))

    def __str__(self) -> str:
        return f"{self.moment}:{self.number}"


@attrs.frozen
class SweepReport:
    """What a sweep has tried: the points at which the operator was killed, each with its call, and the end of all."""

    points: tuple[tuple[CrashPoint, Call], ...]
    end: EndState


async def for_every_crash_point(trial: Trial, *, only: str | None = None) -> SweepReport:
    """Kill the operator at each of its calls, start it anew, and compare its end with that of an undisturbed run.

    `only` tries one point, as the message of a failure names it. Which call is the n-th may differ between two runs
    when the operator does several things at once; the message therefore says what the call was.

    Raises CrashPointFailed at the first point that leads elsewhere, NeverAtRest if not even the undisturbed run ends,
    TrialError for a trial that cannot begin.
    """
    __tracebackhide__ = True  # of pytest: the message says more
    with mortality():
        expected = (await _run(trial, None, None)).end
        if only is not None:
            point = CrashPoint.parse(only)
            run = await _run(trial, point, expected)
            if run.call is None:
                raise TrialError(f"only: the operator has made no call {point.number}, or nothing can happen {point}")
            return SweepReport(((point, run.call),), expected)
        points: list[tuple[CrashPoint, Call]] = []
        for number in range(1, _CALLS_MAX + 1):
            run = await _run(trial, CrashPoint("before", number), expected)
            if run.call is None:
                return SweepReport(tuple(points), expected)
            points.append((CrashPoint("before", number), run.call))
            if run.call.writes:
                run = await _run(trial, CrashPoint("after", number), expected)
                if run.call is not None:
                    points.append((CrashPoint("after", number), run.call))
        raise NeverAtRest(f"the operator made more than {_CALLS_MAX} calls before it came to rest")


@attrs.frozen
class _Run:
    end: EndState
    call: Call | None  # at which the operator was killed


class _Witness:
    """Numbers the calls of a life, and ends it at the point."""

    def __init__(self, stage: Stage, point: CrashPoint | None) -> None:
        self.life = Life()
        self.calls: list[Call] = []
        self.point = point
        self._stage = stage

    @property
    def fatal(self) -> Call | None:
        """The call at which the life has ended."""
        return self.calls[self.point.number - 1] if self.life.over and self.point is not None else None

    @asynccontextmanager
    async def carry(self, request: Request, onward: Onward) -> AsyncIterator[Stream]:
        call = Call.of(request)
        self.calls.append(call)
        number = len(self.calls)
        if call.writes and call.namespace == self._stage.namespace:
            self._stage.addresses.add((call.group, call.version, call.plural))
        await self._perhaps_end("before", number)
        async with AsyncExitStack() as stack:
            try:
                stream = await stack.enter_async_context(onward())
            except ApiError:
                if call.writes:
                    await self._perhaps_end("after", number)
                raise
            if call.writes:
                await self._perhaps_end("after", number)
            yield stream

    async def _perhaps_end(self, moment: Moment, number: int) -> None:
        if self.point == CrashPoint(moment, number):
            self.life.end()
        if self.life.over:
            await self.life.limbo()


async def _run(trial: Trial, point: CrashPoint | None, expected: EndState | None) -> _Run:
    __tracebackhide__ = True
    async with open_stage(trial) as stage:
        witness = _Witness(stage, point)
        try:
            end = await _end(stage, stage.start(witness.life, witness), expected)
        except TrialError:
            raise
        except Exception as error:
            if witness.fatal is None:
                raise
            raise CrashPointFailed(_message(stage, witness, f"then: {type(error).__name__}: {error}")) from error
        finally:
            if not witness.life.over:
                witness.point = None  # what is called at the orderly end does not count
        difference = "" if expected is None else expected.difference(end)
        if not difference:
            return _Run(end, witness.fatal)
        if witness.fatal is None:
            raise CrashPointFailed(f"two undisturbed runs of the operator ended differently\n{difference}")
        raise CrashPointFailed(_message(stage, witness, difference))


async def _end(stage: Stage, operator: Operator, expected: EndState | None) -> EndState:
    """Come to the end, starting anew after a crash."""
    trial = stage.trial
    operator = await _until_the_end(stage, operator)
    if trial.then is not None:
        await trial.then(stage.api, stage.namespace)
        operator = await _until_the_end(stage, operator)
    end = await stage.end_state()
    deadline = asyncio.get_running_loop().time() + trial.settle_seconds
    while expected is not None and expected != end and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.1)
        operator = await _until_the_end(stage, operator)
        end = await stage.end_state()
    return end


async def _until_the_end(stage: Stage, operator: Operator) -> Operator:
    while not await stage.end_reached(operator):
        await stage.bury(operator)
        successor = _Witness(stage, None)
        operator = stage.start(successor.life, successor)
    return operator


def _message(stage: Stage, witness: _Witness, consequence: str) -> str:
    point, fatal = witness.point, witness.fatal
    assert point is not None  # who calls has asked
    assert fatal is not None
    when = "before the request was sent" if point.moment == "before" else "after it was performed, before the answer"
    calls = "\n".join(f"  {number}. {call}" for number, call in enumerate(witness.calls[: point.number], 1))
    text = (
        f"killed at its call {point.number}, {fatal}, {when}, and started anew, "
        "the operator did not end as an undisturbed one\n"
        f"{consequence}\n"
        f"its calls until then:\n{calls}\n"
        f'this point alone: for_every_crash_point(trial, only="{point}")'
    )
    return text.replace(stage.namespace, "<namespace>")
