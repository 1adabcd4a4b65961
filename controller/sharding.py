"""A replica takes part in sharding: it holds a Lease of its own, follows the ring, and says which keys it may work.

A thin shell around `windlass.controller.ring`, which decides, and an Elector, which holds the member's Lease. When the
Lease is lost, this replica is out: it stops at once, as a leader that loses its Lease (M2). This module does not know
what a key's work is; who does is attached as a Worker.
"""

import asyncio
import json
import logging
import math
import random
import re
import socket
import uuid
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Protocol

import attrs

from windlass.controller import ring
from windlass.controller.election import Candidacy, timing_faults
from windlass.controller.elector import Elector, new_identity
from windlass.controller.errors import LeadershipLost, ManagerError
from windlass.controller.lease import FencingToken, LeaseRecord
from windlass.controller.leases import Leases, StoredLease
from windlass.controller.names import namespace_fault
from windlass.informers.errors import AlreadyExists, Conflict, InformersError, NotFound
from windlass.informers.keys import Key
from windlass.informers.versions import parse_version

__all__ = ("Sharding", "Shards", "Worker")

_LOG = logging.getLogger("windlass.controller.sharding")

_GROUP = "windlass.dev/shard-group"
_MEMBERS = "windlass.dev/shard-members"
_ACKNOWLEDGED = "windlass.dev/shard-acknowledged"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@attrs.frozen
class Sharding:
    """Replicas with the same `name` and `namespace` share the keys of their sharded controllers.

    `member` is what keys are given to, and must be different in each replica: by default the host's name and a random
    part; a StatefulSet's pod name keeps each pod's keys with it over a restart. The times are those of LeaderElection.
    A run on a key that moves to another replica may go on for `drain_seconds`; then it is cancelled.
    """

    name: str
    namespace: str | None = None
    member: str | None = None
    lease_seconds: int = 15
    renew_seconds: float = 10.0
    retry_seconds: float = 2.0
    drain_seconds: float = 10.0

    def validate(self) -> None:
        """Raises ManagerError with everything that is wrong (L15)."""
        wrong = [
            f"{field}: expected lower-case letters, digits and '-', at most 63, found {value!r}"
            for field, value in (("name", self.name), ("member", self.member))
            if value is not None and not _NAME.fullmatch(value)
        ]
        wrong += filter(None, [namespace_fault(self.namespace)])
        wrong += timing_faults(self.lease_seconds, self.renew_seconds, self.retry_seconds)
        if not (0 <= self.drain_seconds < math.inf):
            wrong.append(f"drain_seconds: expected a finite number from 0 up, found {self.drain_seconds!r}")
        if wrong:
            raise ManagerError(f"sharding {self.name!r} cannot be set up: " + "; ".join(wrong))


class Worker(Protocol):
    """Who works keys: a controller."""

    def running(self) -> Iterable[Key]:
        """The keys that are being worked at this moment."""

    def withdraw(self, keys: Iterable[Key]) -> None:
        """Cancel the runs of these keys."""

    async def offer(self) -> None:
        """Look again at all keys: some may have become this replica's."""


class Shards:
    """One replica's part. Runs once; `stop` leaves in order, and must come after all work has ended (L10)."""

    def __init__(
        self, leases: Leases, sharding: Sharding, *, identity: str | None = None, rng: random.Random | None = None
    ) -> None:
        self.sharding = sharding
        self.slot = sharding.member or _new_slot()
        self._leases = leases
        self._rng = rng if rng is not None else random.Random()  # noqa: S311 - jitter is no secret
        self._state = ring.Membership(self.slot, identity or new_identity(), float(sharding.lease_seconds))
        candidacy = Candidacy(
            self._state.identity, sharding.lease_seconds, sharding.renew_seconds, sharding.retry_seconds
        )
        self.elector = Elector(
            leases,
            f"{sharding.name}.{self.slot}",
            candidacy,
            on_started=lambda _: self._joined.set(),
            labels={_GROUP: sharding.name},
            annotations=lambda: {_ACKNOWLEDGED: str(self._state.drained)},
            rng=self._rng,
        )
        self._joined = asyncio.Event()
        self._news = asyncio.Event()
        self._workers: list[Worker] = []
        self._drain_until: float | None = None
        self._ring_lease: StoredLease | None = None
        self._member_leases: Mapping[str, StoredLease] = {}

    def attach(self, worker: Worker) -> None:
        """Let `worker` be asked what it runs, and told what it may run."""
        self._workers.append(worker)

    async def run(self) -> None:
        """Take part until stopped. Raises LeadershipLost when this member's Lease is lost."""
        try:
            async with asyncio.TaskGroup() as group:
                following = group.create_task(self._follow(), name=f"{self.elector.name}: ring")
                await self.elector.run()
                following.cancel()
        except BaseExceptionGroup as errors:
            lost, _ = errors.split(LeadershipLost)
            raise lost.exceptions[0] if lost is not None else errors from None

    def stop(self) -> None:
        """Leave: give the Lease back and end."""
        self.elector.stop()

    def admits(self, key: Key) -> bool:
        """Whether this replica may begin to work the key now."""
        return ring.owns(self._state, key) and self.elector.leads

    def ended(self) -> None:
        """A run has ended: a worker says so after each."""
        if self._drain_until is not None:
            self._news.set()

    @property
    def settled(self) -> bool:
        """Whether the keys are given out: nothing waits for another member's answer, nor for a run to end."""
        return self._state.settled and self.elector.leads

    @property
    def members(self) -> tuple[str, ...]:
        """The members of the newest ring that is known."""
        return () if self._state.ring is None else tuple(self._state.ring.members)

    @property
    def token(self) -> FencingToken:
        """The fencing token of the runs that begin now: it grows with each change of the members.

        Raises LeadershipLost when this member's Lease is not held (any more).
        """
        transitions = self.elector.token.transitions
        return FencingToken(0 if self._state.ring is None else self._state.ring.epoch, transitions)

    def __repr__(self) -> str:
        known = self._state.ring
        epoch = "none" if known is None else f"{known.epoch}{'' if self._state.settled else ' unsettled'}"
        return f"<Shards {self.elector.name} epoch={epoch} members={len(self.members)}>"

    # Following the ring.

    async def _follow(self) -> None:
        await self._joined.wait()
        loop = asyncio.get_running_loop()
        look_at = loop.time()
        while True:
            if loop.time() >= look_at:
                again = await self._look()
                pause = self.sharding.retry_seconds * (1.0 + 0.2 * self._rng.random())
                if again or not self._state.settled:
                    pause /= 4
                look_at = loop.time() + pause
            await self._check_drained()
            limit = look_at if self._drain_until is None else min(look_at, self._drain_until)
            try:
                async with asyncio.timeout_at(limit):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()

    async def _look(self) -> bool:
        """One look at the Leases, and all that follows from it. Returns whether another should follow soon."""
        sent_at = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self.sharding.renew_seconds / 2):
                found = await self._leases.list(f"{_GROUP}={self.sharding.name}")
        except (InformersError, TimeoutError) as error:
            _LOG.warning("%s: the members cannot be read: %s", self.elector.name, str(error) or "no answer")
            return False
        return await self._tell(self._snapshot(found, sent_at))

    async def _tell(self, event: ring.Event) -> bool:
        loop = asyncio.get_running_loop()
        self._state, effects = ring.step(self._state, event, loop.time())
        again = False
        for effect in effects:
            match effect:
                case ring.Drain(epoch):
                    _LOG.info("%s: ring %d: members %s", self.elector.name, epoch, ", ".join(self.members))
                    self._drain_until = loop.time() + self.sharding.drain_seconds
                case ring.Acknowledge():
                    self.elector.renew_soon()
                case ring.Settled(epoch):
                    _LOG.info("%s: ring %d is settled", self.elector.name, epoch)
                    for worker in self._workers:
                        await worker.offer()
                case ring.Propose(members, epoch):
                    again = await self._attempt(self._propose(members, epoch))
                case ring.Forget(slot):
                    await self._attempt(self._leases.delete(self._member_leases[slot]))
        return again

    async def _check_drained(self) -> None:
        known = self._state.ring
        if self._drain_until is None or known is None:
            return
        left = [(worker, key) for worker in self._workers for key in worker.running() if not self.admits(key)]
        if not left:
            self._drain_until = None
            await self._tell(ring.Drained(known.epoch))
        elif asyncio.get_running_loop().time() >= self._drain_until:
            self._drain_until = float("inf")  # once: a run that ignores this is waited for
            for worker in self._workers:
                keys = [key for one, key in left if one is worker]
                if keys:
                    _LOG.warning("%s: runs on %d moved keys are cancelled", self.elector.name, len(keys))
                    worker.withdraw(keys)

    async def _attempt(self, write: Coroutine[Any, Any, object]) -> bool:
        """One write that others may have made already. Returns whether there is reason to look again soon."""
        try:
            async with asyncio.timeout(self.sharding.renew_seconds / 2):
                await write
        except (Conflict, AlreadyExists, NotFound):
            return True
        except (InformersError, TimeoutError) as error:
            _LOG.warning("%s: %s", self.elector.name, str(error) or "no answer")
            return False
        return True

    # Leases.

    def _snapshot(self, found: Iterable[StoredLease], sent_at: float) -> ring.Snapshot:
        named = {one.name: one for one in found}
        self._ring_lease = named.pop(self.sharding.name, None)
        prefix = f"{self.sharding.name}."
        self._member_leases = {name.removeprefix(prefix): one for name, one in named.items() if name.startswith(prefix)}
        known = self._ring_lease
        return ring.Snapshot(
            None if known is None else ring.Ring(_number(known.version), _members(known)),
            {slot: _seen(slot, one) for slot, one in self._member_leases.items()},
            sent_at,
        )

    async def _propose(self, members: Mapping[str, str], epoch: int) -> None:
        known = self._ring_lease
        transitions = 0 if known is None else known.record.transitions + 1
        if known is None:
            known = StoredLease(self.sharding.name, "", LeaseRecord())
        assert _number(known.version) == epoch  # both are of the same look
        # Nobody holds the ring: holder and times say who wrote it last, for people.
        record = LeaseRecord(self._state.identity, self.sharding.lease_seconds, transitions)
        await self._leases.put(
            attrs.evolve(
                known,
                record=record,
                labels={**known.labels, _GROUP: self.sharding.name},
                annotations={**known.annotations, _MEMBERS: json.dumps(dict(members))},
            )
        )


def _new_slot() -> str:
    host = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().lower()).strip("-")[:48].strip("-")
    return f"{host or 'member'}-{uuid.uuid4().hex[:10]}"


def _number(version: str) -> int:
    return parse_version(version) or 0


def _members(lease: StoredLease) -> dict[str, str]:
    """What the ring's Lease says; words that are none of ours are an empty ring, which members put right."""
    try:
        found = json.loads(lease.annotations.get(_MEMBERS, "{}"))
    except ValueError:
        return {}
    return {str(slot): str(one) for slot, one in found.items()} if isinstance(found, dict) else {}


def _seen(slot: str, lease: StoredLease) -> ring.SeenLease:
    acknowledged = lease.annotations.get(_ACKNOWLEDGED, "")
    return ring.SeenLease(
        slot, lease.version, lease.record.holder, float(lease.record.lease_seconds), _number(acknowledged)
    )
