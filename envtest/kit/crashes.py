"""A crash sweep kills an operator at each of its calls in turn, and each time it must come to the same end.

The life of the operator ends at its n-th write, for n = 1, 2, 3 … until a run has no such write any more, before the
request is sent, and after the server has performed it but before the answer arrives; and in the same way before its
n-th read. (A read changes nothing on the server: with its answer unread, the operator ends as it does before the next
call.) Then it is started anew, undisturbed. Reads and writes are counted apart because a cache's reads fall between a
worker's writes as they happen to: counted together, the n-th call of one run is not that of the next. Effects that
are done within `Effects.doing` are moments, too, before and after the n-th of them.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

import attrs

from windlass.envtest.errors import CrashPointFailed, NeverAtRest, TrialError
from windlass.envtest.kit.calls import Call
from windlass.envtest.kit.endstate import EndState
from windlass.envtest.kit.lives import Life, mortality
from windlass.envtest.kit.trial import Operator, Stage, Trial, open_stage
from windlass.informers.client import Stream
from windlass.informers.errors import ApiError
from windlass.informers.requests import Request
from windlass.informers.wire import Onward

__all__ = ("CrashPoint", "SweepReport", "for_every_crash_point")

Moment = Literal["before", "after"]
Sort = Literal["read", "write", "effect"]

_POINT = re.compile(r"(before|after) (read|write|effect) ([1-9]\d*)")
_BOTH: tuple[Moment, ...] = ("before", "after")
_SWEEP: tuple[tuple[Sort, tuple[Moment, ...]], ...] = (("write", _BOTH), ("read", ("before",)), ("effect", _BOTH))
_CALLS_MAX = 2_000


@attrs.frozen
class CrashPoint:
    """One moment of an operator's life: before its n-th read, before or after its n-th write or effect.

    As a text `after write 7`.
    """

    moment: Moment
    sort: Sort
    number: int

    @classmethod
    def parse(cls, text: str) -> "CrashPoint":
        """The inverse of `str`. Raises TrialError."""
        found = _POINT.fullmatch(text)
        if found is None or text.startswith("after read"):
            expected = "'before read N', 'before write N', 'after write N', 'before effect N' or 'after effect N'"
            raise TrialError(f"only: expected {expected}, found {text!r}")
        sort: Sort = "effect" if found[2] == "effect" else "read" if found[2] == "read" else "write"
        return cls("before" if found[1] == "before" else "after", sort, int(found[3]))

    def __str__(self) -> str:
        return f"{self.moment} {self.sort} {self.number}"


@attrs.frozen
class SweepReport:
    """What a sweep has tried: the points at which the operator was killed, each with its call, and the end of all.

    The call of an effect has the verb `effect`, and the effect's words for `what`.
    """

    points: tuple[tuple[CrashPoint, Call], ...]
    end: EndState


async def for_every_crash_point(trial: Trial, *, only: str | None = None, every: int = 1) -> SweepReport:
    """Kill the operator at each of its calls, start it anew, and compare its end with that of an undisturbed run.

    With `every`, one number of so many is tried, the first among them: for a test that has to be short, beside one that
    is not. `only` tries one point, as the message of a failure names it. Which write is the n-th may differ between two
    runs when several workers write at once; the message therefore says what it was.

    Raises CrashPointFailed at the first point that leads elsewhere, NeverAtRest if not even the undisturbed run ends,
    TrialError for a trial that cannot begin.
    """
    __tracebackhide__ = True  # of pytest: the message says more
    with mortality():
        expected = (await _run(trial, None, None)).end
        if only is not None:
            run = await _run(trial, CrashPoint.parse(only), expected)
            if run.hit is None:
                raise TrialError(f"only: the operator comes to its end without a moment {only!r}")
            return SweepReport((run.hit,), expected)
        points: list[tuple[CrashPoint, Call]] = []
        for sort, moments in _SWEEP:
            points += await _sweep(trial, (sort, every), moments, expected)
        return SweepReport(tuple(points), expected)


async def _sweep(
    trial: Trial, sorts: tuple[Sort, int], moments: Sequence[Moment], expected: EndState
) -> list[tuple[CrashPoint, Call]]:
    __tracebackhide__ = True
    sort, every = sorts
    points = []
    for number in range(1, _CALLS_MAX + 1, every):
        for moment in moments:
            run = await _run(trial, CrashPoint(moment, sort, number), expected)
            if run.hit is not None:
                points.append(run.hit)
            elif moment == "before":
                return points
    raise NeverAtRest(f"the operator made more than {_CALLS_MAX} {sort}s before it came to rest")


@attrs.frozen
class _Run:
    end: EndState
    hit: tuple[CrashPoint, Call] | None  # where the operator was killed; None when it never came there


class _Witness:
    """Numbers the calls of a life, and ends it at the point."""

    def __init__(self, stage: Stage, point: CrashPoint | None) -> None:
        self.life = Life()
        self.life.doomed = self._dooms
        self.calls: list[Call] = []
        self.hit: tuple[CrashPoint, Call] | None = None
        self._point = point
        self._stage = stage
        self._effects = 0

    def disarm(self) -> None:
        """What is called at the orderly end does not count any more."""
        self._point = None

    @asynccontextmanager
    async def carry(self, request: Request, onward: Onward) -> AsyncIterator[Stream]:
        call = Call.of(request)
        self.calls.append(call)
        sort: Sort = "write" if call.writes else "read"
        number = sum(one.writes == call.writes for one in self.calls)
        if call.writes and call.namespace == self._stage.namespace:
            self._stage.addresses.add((call.group, call.version, call.plural))
        await self._perhaps_end(CrashPoint("before", sort, number), call)
        async with AsyncExitStack() as stack:
            try:
                stream = await stack.enter_async_context(onward())
            except ApiError:
                await self._perhaps_end(CrashPoint("after", sort, number), call)
                raise
            await self._perhaps_end(CrashPoint("after", sort, number), call)
            yield stream

    def _dooms(self, moment: str, effect: str) -> bool:
        """Whether the life ends here. Effects are counted as they begin; called by one thread at a time."""
        self._effects += moment == "before"
        here = CrashPoint("before" if moment == "before" else "after", "effect", self._effects)
        if self._point != here:
            return False
        call = Call("effect", "", "", "", self._stage.namespace, "", "", f"the effect {effect}")
        self.hit = (here, call)
        return True

    async def _perhaps_end(self, here: CrashPoint, call: Call) -> None:
        if self._point == here and not self.life.over:
            self.hit = (here, call)
            self.life.end()
        if self.life.over:
            await self.life.limbo()


async def _run(trial: Trial, point: CrashPoint | None, expected: EndState | None) -> _Run:
    __tracebackhide__ = True
    async with open_stage(trial) as stage:
        witness = _Witness(stage, point)
        try:
            end = await _end(stage, witness, expected)
        except TrialError:
            raise
        except Exception as error:
            if witness.hit is None:
                raise
            raise CrashPointFailed(_message(stage, witness, f"then: {type(error).__name__}: {error}")) from error
        finally:
            witness.disarm()
        difference = "" if expected is None else expected.difference(end)
        if not difference:
            return _Run(end, witness.hit)
        if witness.hit is None:
            raise CrashPointFailed(f"two undisturbed runs of the operator ended differently\n{difference}")
        raise CrashPointFailed(_message(stage, witness, difference))


async def _end(stage: Stage, witness: _Witness, expected: EndState | None) -> EndState:
    """Come to the end, starting anew after a crash, and stop in order there."""
    trial = stage.trial
    operator = await _until_the_end(stage, stage.start(witness.life, witness))
    if trial.then is not None:
        await trial.then(stage.api, stage.namespace)
        operator = await _until_the_end(stage, operator)
    end = await stage.end_state()
    deadline = asyncio.get_running_loop().time() + trial.settle_seconds
    while expected is not None and expected != end and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.1)
        operator = await _until_the_end(stage, operator)
        end = await stage.end_state()
    witness.disarm()
    await operator.stop()
    return end


async def _until_the_end(stage: Stage, operator: Operator) -> Operator:
    while not await stage.end_reached(operator):
        await stage.bury(operator)
        successor = _Witness(stage, None)
        operator = stage.start(successor.life, successor)
    return operator


def _message(stage: Stage, witness: _Witness, consequence: str) -> str:
    assert witness.hit is not None  # whoever calls has asked
    point, fatal = witness.hit
    calls = "\n".join(f"  {number}. {call}" for number, call in enumerate(witness.calls, 1))
    text = (
        f"killed {point}, {fatal}, and started anew, the operator did not end as an undisturbed one\n"
        f"{consequence}\n"
        f"its calls until then:\n{calls}\n"
        f'this point alone: for_every_crash_point(trial, only="{point}")'
    )
    return text.replace(stage.namespace, "<namespace>")
