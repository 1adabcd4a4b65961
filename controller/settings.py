"""What a manager can be told beside its kinds and its cluster: one frozen value, every field with its default."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import attrs

from windlass.controller.election import LeaderElection
from windlass.controller.errors import ManagerError
from windlass.controller.journal import JournalFile
from windlass.controller.names import manager_fault
from windlass.controller.sharding import Sharding
from windlass.controller.version import SupportedVersions

__all__ = ("Settings", "utc_now")


def utc_now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


_FINITE: Final = attrs.validators.lt(math.inf)


def _manager_name(_: object, __: object, value: str) -> None:
    if (fault := manager_fault(value)) is not None:
        raise ValueError(fault)


@attrs.frozen
class Settings:
    """Settings of a Manager. Times in seconds."""

    probe_host: str = "127.0.0.1"
    """The address of the HTTP server for health, readiness, metrics and the debug page. Loopback unless said."""

    probe_port: int | None = None
    """Its port; 0 for any free one, None for no HTTP server at all."""

    probe_token: str | None = attrs.field(default=None, repr=False)
    """What requests for metrics and the debug page must carry as a bearer token. Required if `probe_host` is not this
    machine's own loopback; the two probes are open in any case."""

    block_threshold_seconds: float = attrs.field(default=0.5, validator=(attrs.validators.ge(0), _FINITE))
    """How long something may hold the event loop before it is named in the log and counted; 0 to not watch it."""

    event_series: bool = False
    """Write repeated Events as series, as events.k8s.io does, instead of counting them (E7)."""

    grace_seconds: float = attrs.field(default=30.0, validator=(attrs.validators.ge(0), _FINITE))
    """How long an orderly stop may take in all; what still runs then is cancelled, and named in GraceExceeded. 0 means
    that nothing is waited for, and that this is no error (M4)."""

    connect_timeout_seconds: float = attrs.field(default=10.0, validator=(attrs.validators.gt(0), _FINITE))
    """How long the API server may be unreachable at the start, or not serve a kind. Once started, a manager waits for
    it for ever."""

    sync_timeout_seconds: float = attrs.field(default=120.0, validator=(attrs.validators.gt(0), _FINITE))
    """How long the first lists may take (C11)."""

    contact_timeout_seconds: float = attrs.field(default=60.0, validator=(attrs.validators.gt(0), _FINITE))
    """How long every request of an informer may fail until `/readyz` does, too. What counts is a try that fails so long
    after the first, so an outage that is over sooner makes nobody unready, and a longer one does with the next try: at
    most a minute later. The default is the longest wait between two tries."""

    leader_election: LeaderElection | None = None
    """Which Lease decides which of several processes works; None for no election. All caches are filled before."""

    sharding: Sharding | None = None
    """How several processes share the keys of controllers with `sharded=True`; None for not at all."""

    supported_versions: SupportedVersions = attrs.field(factory=SupportedVersions)
    """Which versions of the API server will do, and what happens at the start if it is another."""

    workers: int = attrs.field(default=8, validator=attrs.validators.ge(1))
    """How many keys a controller works at once, unless it says so itself."""

    deadline_seconds: float = attrs.field(default=300.0, validator=(attrs.validators.gt(0), _FINITE))
    """When a run is ended, unless its controller says so itself."""

    dry_run: bool = False
    """Let the server check every write, and store none; what would have been written is logged. A Lease cannot be held
    that way, so neither leader election nor sharding goes with it."""

    journal: JournalFile | None = None
    """Where `ctx.status` records every change of state that it wrote; None for nowhere."""

    field_manager: str = attrs.field(default="windlass", validator=_manager_name)
    """The field manager of writes, and the component that reports events: at most 128 bytes, all of them printable."""

    clock: Callable[[], datetime] = utc_now
    """The wall clock, for timestamps in objects. Durations use the loop's clock."""

    def validate(self) -> None:
        """Raises ManagerError when two settings do not go together."""
        election, sharding = self.leader_election, self.sharding
        if self.dry_run and (election is not None or sharding is not None):
            raise ManagerError(
                "dry_run: a dry run holds no Lease, so it goes with neither of leader_election and sharding"
            )
        if election is None or sharding is None:
            return
        if (election.name, election.namespace) == (sharding.name, sharding.namespace):
            raise ManagerError(
                f"leader_election.name and sharding.name: expected two names, for each has a Lease of its own, "
                f"found {election.name!r} twice"
            )
