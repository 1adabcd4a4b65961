"""The programme is what the page of benchmarks shows: scenarios at one size and rate each, by certain contenders.

This module does not know how any of it is measured.
"""

from typing import Final

import attrs

TYPED, DYNAMIC = "client-go typed", "client-go dynamic"
GO: Final = (TYPED, DYNAMIC)
LIBRARIES: Final = ("kubernetes_asyncio", "lightkube", "kr8s", "kopf")
CLIENTS: Final = LIBRARIES[:3]
TWO: Final = ("windlass", "floor")
THREE: Final = ("windlass", "windlass-typed", "floor")
COPIES: Final = ("windlass", "windlass-full", "windlass-trimmed", "windlass-metadata")


@attrs.frozen
class Entry:
    """A section of the page, called `name`.

    `objects` None is as many as the whole run was asked for. `rate` and `seconds` are those of the updates, if there
    are any. `server` is `binaries`, a real control plane, or `embedded`. `pictures` are the figures drawn. `note` says
    what a reader of the figures has to know, and who is left out for what reason.
    """

    name: str
    scenario: str
    contenders: tuple[str, ...]
    objects: int | None = None
    rate: float = 0.0
    seconds: float = 20.0
    server: str = "binaries"
    pictures: tuple[str, ...] = ("cpu_s",)
    note: str = ""


_NO_INDEX: Final = (
    "kopf is left out: its copy is an index, and while the first one is not complete, each object that comes or is "
    "done wakes the tasks of all others. Of 2 000 that takes seconds, of 10 000 it was not over after three minutes."
)
_NO_LOOK: Final = "kopf is left out: it has no counterpart of a look at every key again."
_UNEXPLAINED: Final = (
    "kopf is left out: of 10 000 objects it told the updates 20 s late in a trial, and it is not known yet whether "
    "that is its way or the fault of how it is used here."
)
_BY_EVENTS: Final = "kopf holds no copy here: its handlers get each object as it comes."
_TWO_WRITES: Final = (
    f"{_BY_EVENTS} It writes notes of its own beside the status, so there are two requests for each. It has 16 "
    "workers, too; each goes on to another object after 10 ms without news."
)
_NO_LOOP: Final = "client-go has no stall: its threads have no loop that could be held."
_STREAMED: Final = (
    "On the embedded server, which streams a list to whoever asks for that, as Kubernetes does from 1.27 on. "
    "`windlass-list` asks for a LIST all the same."
)
_TOO_FAST: Final = "The libraries are left out: some take longer for an update than there is between two."
_ONE_CONNECTION: Final = "200 copies of a selection each. client-go has all its watches on one HTTP/2 connection."
_ALONE: Final = "No other contender is a program with a start of its own."
_REQUESTS: Final = (
    "So many predictions are objects here; the floor is a bare aiohttp handler that decodes, computes and encodes. "
    "Both are asked over 32 connections by the same client in another process."
)
_GROWTH: Final = ("cpu_s", "growth_mb")
_PEAK: Final = ("cpu_s", "rss_peak_mb")
_LATE: Final = ("p99_ms", "cpu_s")

ENTRIES: Final = (
    Entry("sync", "sync", (*COPIES, "floor", *GO, *CLIENTS), pictures=_GROWTH, note=_NO_INDEX),
    Entry("sync-1000", "sync", (*TWO, *GO), objects=1_000, pictures=()),
    Entry("sync-100000", "sync", (*COPIES, "floor", *GO), objects=100_000, pictures=_GROWTH),
    Entry("sync-embedded", "sync", ("windlass", "windlass-list", "floor"), server="embedded", note=_STREAMED),
    Entry("reconcile", "reconcile", (*THREE, "windlass-uvloop", *GO, *LIBRARIES), pictures=_PEAK, note=_TWO_WRITES),
    Entry("noop", "noop", (*THREE, *GO, *CLIENTS), note=_NO_LOOK),
    Entry("latency-100", "latency", (*THREE, *GO), rate=100.0, pictures=("p99_ms",)),
    Entry("latency", "latency", (*THREE, *GO, *CLIENTS), rate=300.0, pictures=("p99_ms",), note=_UNEXPLAINED),
    Entry(
        "replay", "replay", (*THREE, "windlass-uvloop", *GO, *LIBRARIES), rate=1_000.0, pictures=_LATE, note=_BY_EVENTS
    ),
    Entry("replay-5000", "replay", (*THREE, *GO), rate=5_000.0, pictures=_LATE, note=_TOO_FAST),
    Entry("informers", "informers", (*TWO, *GO), pictures=_GROWTH, note=_ONE_CONNECTION),
    Entry("relist-100000", "relist", (*TWO, *GO), objects=100_000, pictures=_GROWTH, note=_NO_LOOP),
    Entry("queue", "queue", TWO),
    Entry("serving", "serving", TWO, objects=50_000, note=_REQUESTS),
    Entry("startup", "startup", ("windlass",), objects=0, pictures=(), note=_ALONE),
)
NAMES: Final = tuple(entry.name for entry in ENTRIES)


def entry(name: str) -> Entry:
    """The one of that name."""
    return ENTRIES[NAMES.index(name)]


def order(row: dict) -> tuple[int, int]:
    """Where a row stands on the page."""
    mine = entry(row["scenario"])
    return NAMES.index(mine.name), mine.contenders.index(row["contender"])
