"""The Leases of one namespace in memory, with the server's rules for conditional writes, and links to it that break.

A test module writes `from memory_leases import MemoryLeases`. Everything runs in virtual time. It does not simulate
namespaces, permissions or validation; the embedded server does.
"""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import attrs

from windlass.controller.leases import StoredLease
from windlass.informers.errors import AlreadyExists, Conflict, ConnectionFailed, NotFound


def _refusal(cls, code):
    return cls(code, cls.__name__, "no")


class MemoryLeases:
    """The server's side."""

    def __init__(self):
        self.version = 100
        self.leases = {}
        self.puts = []

    def link(self, **faults):
        """A way to it, for one process."""
        return Link(self, **faults)

    def get(self, name):
        if name not in self.leases:
            raise _refusal(NotFound, 404)
        return self.leases[name]

    def list(self, label):
        name, _, value = label.partition("=")
        return [one for _, one in sorted(self.leases.items()) if one.labels.get(name) == value]

    def put(self, lease):
        current = self.leases.get(lease.name)
        if lease.version and current is None:
            raise _refusal(NotFound, 404)
        if not lease.version and current is not None:
            raise _refusal(AlreadyExists, 409)
        if current is not None and current.version != lease.version:
            raise _refusal(Conflict, 409)
        self.version += 1
        stored = attrs.evolve(lease, version=str(self.version))
        self.leases[lease.name] = stored
        self.puts.append(stored)
        return stored

    def delete(self, lease):
        if lease.name not in self.leases:
            raise _refusal(NotFound, 404)
        if self.leases[lease.name].version != lease.version:
            raise _refusal(Conflict, 409)
        self.version += 1
        del self.leases[lease.name]


class Link:
    """One process's way to the server: slow, cut or losing answers when told, with a clock wrong by `skew_seconds`."""

    def __init__(self, server, *, seconds=0.0, skew_seconds=0.0, loses=0.0, rng=None):
        self.server = server
        self.seconds = seconds
        self.skew_seconds = skew_seconds
        self.loses = loses
        self.rng = rng or random.Random(0)
        self.up = True
        self.calls = []

    async def get(self, name):
        return await self._call("get", self.server.get, name)

    async def list(self, label):
        return await self._call("list", self.server.list, label)

    async def put(self, lease):
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(
            seconds=asyncio.get_running_loop().time() + self.skew_seconds
        )
        record = lease.record
        record = attrs.evolve(
            record, acquire_time=record.acquire_time or now.isoformat(), renew_time=record.renew_time or now.isoformat()
        )
        return await self._call("put", self.server.put, attrs.evolve(lease, record=record))

    async def delete(self, lease):
        return await self._call("delete", self.server.delete, lease)

    async def _call(self, verb, function, argument):
        self.calls.append((asyncio.get_running_loop().time(), verb))
        await self._travel()
        answer = error = None
        try:
            answer = function(argument)
        except Exception as refusal:
            error = refusal
        await self._travel()
        if error is not None:
            raise error
        return answer

    async def _travel(self):
        await asyncio.sleep(self.seconds * self.rng.random())
        if not self.up:
            await asyncio.sleep(3600.0)  # packets into a hole: the caller's limit ends it
        if self.rng.random() < self.loses:
            raise ConnectionFailed("the connection broke")


def stored(name, record, *, version="7", **fields):
    """A Lease as a server would hold it."""
    return StoredLease(name, version, record, **fields)
