"""The phases of a reflector: a table of the ways between them, and for each one frozen class that holds its data."""

from enum import Enum
from typing import Literal

import attrs
import msgspec

from windlass.statemachine.machine import Machine

__all__ = (
    "PHASES",
    "REFLECTOR",
    "Cause",
    "Failure",
    "Idle",
    "Listing",
    "Memory",
    "Opening",
    "Policy",
    "State",
    "Stopped",
    "Streaming",
    "Waiting",
    "Watching",
    "initial_state",
    "phase",
    "wake_at",
)

REFLECTOR = Machine(
    "reflector",
    initial="idle",
    final=("stopped",),
    groups={"alive": ("idle", "listing", "streaming", "opening", "watching", "waiting")},
    transitions=(
        ("idle", "start", "listing"),
        ("idle", "start with a streaming list", "streaming"),
        ("listing", "page", "listing"),
        ("listing", "last page", "opening"),
        ("listing", "version or token expired", "listing"),
        ("listing", "failed", "waiting"),
        ("streaming", "object", "streaming"),
        ("streaming", "initial events end", "watching"),
        ("streaming", "version expired", "streaming"),
        ("streaming", "not offered", "listing"),
        ("streaming", "failed", "waiting"),
        ("opening", "opened", "watching"),
        ("opening", "version expired", "listing"),
        ("opening", "version expired, streaming lists", "streaming"),
        ("opening", "refused", "waiting"),
        ("watching", "object or bookmark", "watching"),
        ("watching", "stream ended", "opening"),
        ("watching", "version expired", "listing"),
        ("watching", "version expired, streaming lists", "streaming"),
        ("watching", "failed", "waiting"),
        ("waiting", "watch again", "opening"),
        ("waiting", "list again", "listing"),
        ("waiting", "list again, streaming lists", "streaming"),
        ("alive", "stop", "stopped"),
    ),
)


class Cause(Enum):
    """Why something failed, as far as it makes a difference; the value is the label in metrics."""

    EXPIRED = "expired"
    TOO_LARGE = "too_large"
    THROTTLED = "throttled"
    SERVER = "server_error"
    UNSUPPORTED = "unsupported"
    DENIED = "denied"
    MISSING = "missing"
    CONNECTION = "connection"
    MALFORMED = "malformed"


@attrs.frozen
class Failure:
    """One failure; `retry_after_seconds` is the server's own wish."""

    cause: Cause
    message: str = ""
    retry_after_seconds: float = 0.0


@attrs.frozen
class Policy:
    """Where the statements leave a choice.

    `watch_seconds` is T of the server-side timeout drawn from [T, 2T) (R12). A streaming list is given up for an
    ordinary one when nothing comes for `streaming_silence_seconds`, or it is not complete after `streaming_seconds`
    (R25). A 500 inside a stream is met by watching again for `internal_error_seconds`, then by a list; 0 lists without
    watching first (R15).
    """

    page_size: int = 500
    streaming: bool = True
    streaming_silence_seconds: float = 10.0
    streaming_seconds: float = 300.0
    watch_seconds: float = 300.0
    internal_error_seconds: float = 0.0
    short_watch_seconds: float = 1.0
    quiet_seconds: float = 120.0


@attrs.frozen
class Memory:
    """What outlives a phase. `version` is the last one seen, "" before the first list."""

    policy: Policy = Policy()
    version: str = ""
    consistent: bool = False  # the next list asks for "": the server has forgotten our version (R1)
    paged: bool = False  # this server pages even lists at a version, so its watch cache is off (R3)
    strikes: int = 0  # streaming lists that came to nothing, in a row
    failures: int = 0
    failed_at: float = float("-inf")
    erring_since: float | None = None  # first of a run of 500s inside streams

    @property
    def streams(self) -> bool:
        """Whether the next list is a streaming one."""
        return self.policy.streaming and self.strikes < 2


@attrs.frozen
class Idle:
    """Not started."""

    memory: Memory


@attrs.frozen
class Listing:
    """A page of the list at `version` has been asked for; `whole`: without paging, after a lost token (R4)."""

    memory: Memory
    version: str
    pages: int = 0
    whole: bool = False


class Streaming(msgspec.Struct, frozen=True, gc=False):
    """A watch that begins with the present state has been asked for, and is collected until its marked bookmark.

    A struct, for one is made for each object, in a fifth of the time.
    """

    memory: Memory
    version: str
    give_up_at: float
    silent_at: float


@attrs.frozen
class Opening:
    """A watch has been asked for."""

    memory: Memory


class Watching(msgspec.Struct, frozen=True, gc=False):
    """Events arrive. `replaying`: opened at no version, so ADDED events come in any order and say nothing (R11).

    A struct, for one is made for each change.
    """

    memory: Memory
    version: str
    opened_at: float
    seen: int = 0
    replaying: bool = False


@attrs.frozen
class Waiting:
    """After a failure, before the next try."""

    memory: Memory
    resume: Literal["list", "watch"]


@attrs.frozen
class Stopped:
    """The end."""


State = Idle | Listing | Streaming | Opening | Watching | Waiting | Stopped


PHASES: dict[type, str] = {
    Idle: "idle",
    Listing: "listing",
    Streaming: "streaming",
    Opening: "opening",
    Watching: "watching",
    Waiting: "waiting",
    Stopped: "stopped",
}


def initial_state(policy: Policy = Policy()) -> State:
    """Where every reflector begins."""
    return Idle(Memory(policy))


def phase(state: State) -> str:
    """The state's name in the table."""
    return PHASES[type(state)]


def wake_at(state: State) -> float | None:
    """When `Waited` must come if nothing else does; None for states that wait without bound of their own."""
    return min(state.give_up_at, state.silent_at) if isinstance(state, Streaming) else None
