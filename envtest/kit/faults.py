"""Faults are planted at chosen calls of a manager, strike in a fixed order, and everything that passed is on record.

They stand between a client and its server, so they are the same on every server; the server does not know of them. A
fault is planted for certain calls (`Calls`), lets the first of them pass if told so, strikes a number of times, and is
spent. Of several faults for one call the one that was planted first strikes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import msgspec

from windlass.envtest.kit.calls import Call, Calls
from windlass.envtest.kit.wires import wired
from windlass.informers.client import Stream
from windlass.informers.cluster import Cluster
from windlass.informers.errors import ApiError, ConnectionFailed
from windlass.informers.requests import Request
from windlass.informers.wire import Onward, Source

__all__ = ("Fault", "Faults", "Passed")

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
_ANY = Calls()


@attrs.frozen
class _Refuse:
    """The server is not reached."""


@attrs.frozen
class _Fail:
    """The server is not asked; the answer is an error."""

    status: int


@attrs.frozen
class _Cut:
    """The server is asked, and the connection breaks: before the answer, or after some events of a watch."""

    after_events: int


@attrs.frozen
class _Delay:
    """The request is held back."""

    seconds: float


@attrs.define(eq=False)
class Fault:
    """A planted fault. `struck` counts; at `times` it is spent."""

    calls: Calls
    times: int
    pass_first: int
    act: _Refuse | _Fail | _Cut | _Delay
    struck: int = 0

    @property
    def spent(self) -> bool:
        """Whether it will not strike any more."""
        return self.struck >= self.times


@attrs.frozen
class Passed:
    """A call that was made, and the fault that struck it."""

    call: Call
    fault: Fault | None


class Faults:
    """Plants faults before the clients of `on(cluster)`; `passed` has every call of theirs, in order."""

    def __init__(self) -> None:
        self.passed: list[Passed] = []
        self._planted: list[Fault] = []

    def on(self, cluster: Cluster) -> Cluster:
        """The same cluster, with these faults before it."""
        return wired(cluster, self)

    def fail(self, calls: Calls = _ANY, *, status: int = 500, times: int = 1) -> Fault:
        """Answer with an error of this HTTP status, 400 to 599; the server hears nothing of the request.

        The client waits out and repeats a 429, and reads answered with 502 to 504, as it does with real ones.
        """
        return self.fail_nth(1, calls, status=status, times=times)

    def fail_nth(self, n: int, calls: Calls = _ANY, *, status: int = 500, times: int = 1) -> Fault:
        """The same from the n-th of the calls on, counted from now."""
        if n < 1:
            raise ValueError(f"fail_nth: expected n >= 1, found {n}")
        if not 400 <= status <= 599:
            raise ValueError(f"fail: expected a status from 400 to 599, found {status}")
        return self._plant(_Fail(status), calls, times, pass_first=n - 1)

    def conflict(self, calls: Calls = _ANY, *, times: int = 1) -> Fault:
        """Answer 409 Conflict, as if somebody else had written in between."""
        return self._plant(_Fail(409), calls, times)

    def refuse(self, calls: Calls = _ANY, *, times: int = 1) -> Fault:
        """Let there be no connection: the server hears nothing of the request."""
        return self._plant(_Refuse(), calls, times)

    def cut(self, calls: Calls = _ANY, *, times: int = 1, after_events: int = 0) -> Fault:
        """Let the server perform the request and break the connection before its answer.

        A watch breaks after that many events.
        """
        return self._plant(_Cut(after_events), calls, times)

    def delay(self, seconds: float, calls: Calls = _ANY, *, times: int = 1) -> Fault:
        """Hold the request back for so long, by the loop's clock, and then send it."""
        return self._plant(_Delay(seconds), calls, times)

    def heal(self) -> None:
        """Take away every fault that is not spent."""
        self._planted.clear()

    @property
    def pending(self) -> tuple[Fault, ...]:
        """Faults that are not spent."""
        return tuple(fault for fault in self._planted if not fault.spent)

    @asynccontextmanager
    async def carry(self, request: Request, onward: Onward) -> AsyncIterator[Stream]:
        """The answer to a request, or what the fault makes of it."""
        call = Call.of(request)
        fault = self._strike(call)
        self.passed.append(Passed(call, fault))
        act = None if fault is None else fault.act
        match act:
            case _Refuse():
                raise ConnectionFailed(f"{request.what}: refused by a planted fault", request=request, sent=False)
            case _Fail(status):
                raise _error(status, request)
            case _Delay(seconds):
                await asyncio.sleep(seconds)
            case _:
                pass
        async with AsyncExitStack() as stack:
            try:
                stream = await stack.enter_async_context(onward())
            except ApiError as error:
                if not isinstance(act, _Cut):
                    raise
                raise ConnectionFailed(f"{request.what}: cut by a planted fault", request=request) from error
            yield attrs.evolve(stream, content=_Broken(stream.content, act)) if isinstance(act, _Cut) else stream

    def _plant(self, act: _Refuse | _Fail | _Cut | _Delay, calls: Calls, times: int, *, pass_first: int = 0) -> Fault:
        if times < 1:
            raise ValueError(f"a fault strikes at least once: expected times >= 1, found {times}")
        fault = Fault(calls, times, pass_first, act)
        self._planted.append(fault)
        return fault

    def _strike(self, call: Call) -> Fault | None:
        """The fault that strikes the call. Each fault that might have counts it."""
        striking = None
        for fault in self._planted:
            if fault.spent or not fault.calls.match(call):
                continue
            if fault.pass_first > 0:
                fault.pass_first -= 1
            elif striking is None:
                striking = fault
        if striking is not None:
            striking.struck += 1
        return striking

    def __repr__(self) -> str:
        return f"<Faults pending={len(self.pending)} passed={len(self.passed)}>"


class _Broken:
    """Gives some whole lines, one for each event, and then breaks."""

    def __init__(self, content: Source, cut: _Cut) -> None:
        self._content = content
        self._left = cut.after_events

    async def read(self, silence_seconds: float) -> bytes:
        given = b""
        while self._left and not given:
            chunk = await self._content.read(silence_seconds)
            if not chunk:
                return b""
            lines = chunk.splitlines(keepends=True)
            whole = sum(line.endswith(b"\n") for line in lines)
            given = b"".join(lines[: self._left] if whole >= self._left else lines)
            self._left = max(0, self._left - whole)
        if given:
            return given
        raise ConnectionResetError("cut by a planted fault")


def _error(status: int, request: Request) -> ApiError:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "a planted fault",
        "reason": _REASONS.get(status, ""),
        "code": status,
    }
    return ApiError.of(status, msgspec.json.encode(body), request=request, retry_after_seconds=_retry_after(status))


def _retry_after(status: int) -> float | None:
    return 0.1 if status in (429, 503) else None
