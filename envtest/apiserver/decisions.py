"""A decision that needs somebody's answer is taken again once the answer is there; nothing ever awaits inside one.

Webhooks stand in the middle of what the server decides in one step. `ask` gives the answers, or raises `Unanswered`
before anything is written; then `Enquiry.decided` makes the calls and has the decision taken anew, on the state of
then. So two requests still cannot interleave inside a decision, and a webhook that was asked about a state which has
changed meanwhile is asked again. What must be the same in every run (the time, chance) goes through `recall`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from typing import Any, TypeVar

import attrs

from windlass.envtest.apiserver.errors import ApiError, internal_error
from windlass.envtest.apiserver.identity import ADMINISTRATOR
from windlass.envtest.apiserver.values import Json

__all__ = ("REQUEST_SECONDS", "Call", "Endpoint", "Enquiry", "Reply", "ask", "asker", "recall")

T = TypeVar("T")
REQUEST_SECONDS = 60.0  # what one request may take with all of its webhooks


@attrs.frozen
class Endpoint:
    """Where a webhook is: a URL, or a service `(namespace, name, path, port)`; `authority` is its caBundle."""

    url: str = ""
    service: tuple[str, str, str, int] | None = None
    authority: str = ""


@attrs.frozen
class Call:
    """A question: the review without its uid, as JSON. `turn` tells apart what is asked twice on purpose."""

    endpoint: Endpoint
    review: bytes
    timeout: float
    turn: int = 0


@attrs.frozen
class Reply:
    """What came back: a document, or why none did; `uid` is that of the question."""

    uid: str
    document: Any = None
    failure: str = ""


class _Unanswered(BaseException):
    """Not an `Exception`, so that nobody who catches errors on the way takes it for one."""

    def __init__(self, calls: list[Call]) -> None:
        self.calls = calls
        super().__init__(f"{len(calls)} answers are missing")


@attrs.define
class _Run:
    """What is known while one decision is taken, once or several times."""

    enquiry: "Enquiry"
    replies: dict[Call, Reply] = attrs.field(factory=dict)
    memory: dict[str, Any] = attrs.field(factory=dict)


_current: ContextVar[_Run | None] = ContextVar("windlass_apiserver_decision", default=None)


class Enquiry:
    """Who asks, and who performs the calls; `warnings` collects what webhooks have to say to the client."""

    def __init__(self, perform: Callable[[Call], Awaitable[Reply]], user: Json | None = None) -> None:
        self.user = ADMINISTRATOR.info() if user is None else user
        self.warnings: dict[str, None] = {}
        self._perform = perform

    def __repr__(self) -> str:
        return f"<Enquiry of {self.user.get('username')}>"

    async def decided(self, decide: Callable[[], T]) -> T:
        """The outcome of a decision; raises what it raises, and 504 when it takes too long."""
        run = _Run(self)
        try:
            return _taken(run, decide)
        except _Unanswered as lack:
            calls = lack.calls
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                while True:
                    replies = await asyncio.gather(*(self._perform(call) for call in calls))
                    run.replies.update(zip(calls, replies, strict=True))
                    try:
                        return _taken(run, decide)
                    except _Unanswered as lack:
                        calls = lack.calls
        except TimeoutError:
            message = "Timeout: request did not complete within requested timeout - context deadline exceeded"
            raise ApiError(504, "Timeout", message) from None

    def tried(self, decide: Callable[[], object]) -> bool:
        """Take a decision now if it needs no answer; says whether it could be taken."""
        try:
            _taken(_Run(self), decide)
        except _Unanswered:
            return False
        return True


def _taken(run: _Run, decide: Callable[[], T]) -> T:
    token = _current.set(run)
    try:
        return decide()
    finally:
        _current.reset(token)


def ask(calls: Iterable[Call]) -> list[Reply]:
    """The replies to all of the calls, which are made at the same time; only inside a decision."""
    run, wanted = _current.get(), list(calls)
    if run is None:
        raise internal_error("a webhook cannot be asked at this moment")
    missing = [call for call in wanted if call not in run.replies]
    if missing:
        raise _Unanswered(list(dict.fromkeys(missing)))
    return [run.replies[call] for call in wanted]


def asker() -> Enquiry | None:
    """Whose decision is being taken; None if the server itself decides."""
    run = _current.get()
    return run.enquiry if run is not None else None


def recall(label: str, make: Callable[[], T]) -> T:
    """What `make` gave in the first run of this decision."""
    run = _current.get()
    if run is None:
        return make()
    if label not in run.memory:
        run.memory[label] = make()
    found: T = run.memory[label]
    return found
