"""What one process of several may do: lead, work its share of the keys, or wait; and when it must stop at once.

Built from the settings, inert until `start`. It holds the Leases, opens what waits for leadership, and tells metrics
and health. It does not know what the manager's parts are, beyond that they are started and stopped in stages.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from windlass.controller.election import Candidacy, LeaderElection
from windlass.controller.elector import Elector, new_identity
from windlass.controller.errors import ManagerError
from windlass.controller.gate import Gate, LeaderGate
from windlass.controller.lease import FencingToken
from windlass.controller.leases import ApiLeases
from windlass.controller.parts import Parts, Stage
from windlass.controller.sharding import Sharding, Shards, Worker
from windlass.informers.client import Client
from windlass.informers.errors import Forbidden, NotFound, Unauthorized

__all__ = ("Replicas",)

_LOG = logging.getLogger("windlass.controller.manager")


class Replicas:
    """Leader election and sharding of one manager; either may be None, which is off."""

    def __init__(self, election: LeaderElection | None, sharding: Sharding | None) -> None:
        self.election = election
        self.sharding = sharding
        self.elector: Elector | None = None
        self.shards: Shards | None = None
        self._waiting: list[Callable[[], None]] = []
        self._workers: list[Worker] = []

    async def prepare(self, client: Client, clock: Callable[[], datetime]) -> None:
        """Make what holds the Leases. Raises ManagerError if they may not even be read."""
        namespace = client.cluster.namespace or "default"
        if self.election is not None:
            leases = ApiLeases(client, self.election.namespace or namespace, clock=clock)
            candidacy = Candidacy(
                self.election.identity or new_identity(),
                self.election.lease_seconds,
                self.election.renew_seconds,
                self.election.retry_seconds,
            )
            await _check(leases, self.election.name)
            self.elector = Elector(leases, self.election.name, candidacy, on_started=self._lead)
        if self.sharding is not None:
            leases = ApiLeases(client, self.sharding.namespace or namespace, clock=clock)
            await _check(leases, self.sharding.name)
            self.shards = Shards(leases, self.sharding)
            for worker in self._workers:
                self.shards.attach(worker)

    def start(self, parts: Parts) -> None:
        """Take part, from now on."""
        if self.elector is not None:
            parts.start(Stage.LEASE, "leader election", self.elector.run, stop=self.elector.stop)
        if self.shards is not None:
            parts.start(Stage.LEASE, "sharding", self.shards.run, stop=self.shards.stop)

    def attach(self, worker: Worker) -> None:
        """Let a sharded controller know of the keys that become this process's."""
        self._workers.append(worker)
        if self.shards is not None:
            self.shards.attach(worker)

    def gate(self, *, sharded: bool) -> Gate | None:
        """What a controller has to ask before each run; None if nothing. After `prepare`."""
        if sharded:
            return self.shards
        return None if self.elector is None else LeaderGate(self.elector)

    def when_leading(self, begin: Callable[[], None]) -> None:
        """Call `begin` when this process leads: now, if it does or if there is no election."""
        if self.elector is None or self.elector.leads:
            begin()
        else:
            self._waiting.append(begin)

    def close(self) -> None:
        """From now on leadership begins nothing, even if it is won a moment later (M3)."""
        self._waiting.clear()

    def health(self) -> str | None:
        """None, or which Lease has not been renewed for too long (L16)."""
        electors = (self.elector, None if self.shards is None else self.shards.elector)
        found = [one.health() for one in electors if one is not None]
        return next((problem for problem in found if problem is not None), None)

    def _lead(self, _: FencingToken) -> None:
        waiting, self._waiting = self._waiting, []
        for begin in waiting:
            begin()


async def _check(leases: ApiLeases, name: str) -> None:
    try:
        await leases.get(name)
    except NotFound:
        return
    except (Unauthorized, Forbidden) as error:
        raise ManagerError(
            f"the Lease {leases.namespace}/{name} may not be read: {error}; "
            "a role needs get, list, create, update and delete of leases.coordination.k8s.io there"
        ) from error
