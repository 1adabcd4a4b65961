"""Leases as the API server stores them: every write is conditional on the version it was based on.

What a Lease holds beside its record (labels, annotations, fields of later versions) is kept as it was. Nothing is tried
again here, and every call is bounded by its caller: whoever holds a Lease must know how long an answer may take (L14).
This module does not know what a Lease means.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import attrs
import msgspec

from windlass.controller.lease import LeaseRecord
from windlass.informers import requests
from windlass.informers.builtins import Lease
from windlass.informers.client import Client
from windlass.informers.errors import ProtocolError
from windlass.informers.keys import Key
from windlass.informers.requests import ListOptions

__all__ = ("ApiLeases", "Leases", "StoredLease")


@attrs.frozen
class StoredLease:
    """One Lease at one version. `body` is all of it, as the server sent it."""

    name: str
    version: str
    record: LeaseRecord
    labels: Mapping[str, str] = attrs.field(factory=dict)
    annotations: Mapping[str, str] = attrs.field(factory=dict)
    body: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)


class Leases(Protocol):
    """The Leases of one namespace. All methods raise what `Api` raises; NotFound, Conflict and AlreadyExists matter."""

    async def get(self, name: str) -> StoredLease:
        """The Lease as it is now."""

    async def list(self, label: str) -> list[StoredLease]:
        """The Leases with that label (`name=value`), all as they were at one moment."""

    async def put(self, lease: StoredLease) -> StoredLease:
        """Store the Lease if it is still at its version ("": if there is none). Times that are "" become now."""

    async def delete(self, lease: StoredLease) -> None:
        """Delete the Lease if it is still at its version."""


class ApiLeases:
    """Leases on an API server. Reads are consistent ones: they see every write that was acknowledged before."""

    def __init__(self, client: Client, namespace: str, *, clock: Callable[[], datetime]) -> None:
        self.namespace = namespace
        self._client = client
        self._clock = clock

    async def get(self, name: str) -> StoredLease:
        """See Leases."""
        return _stored(await self._send(requests.get(Lease, Key(self.namespace, name))))

    async def list(self, label: str) -> "list[StoredLease]":
        """See Leases."""
        found = await self._send(requests.list_page(Lease, ListOptions(self.namespace, labels=label)))
        return [_stored(one) for one in found.get("items") or ()]

    async def put(self, lease: StoredLease) -> StoredLease:
        """See Leases."""
        key = Key(self.namespace, lease.name)
        body = msgspec.json.encode(_body(lease, key, self._clock()))
        if lease.version:
            # The body carries the uid, too: a PUT to a Lease that has been deleted must fail, and not make it anew.
            return _stored(await self._send(requests.replace(Lease, key, body)))
        return _stored(await self._send(requests.create(Lease, body, namespace=self.namespace, name=lease.name)))

    async def delete(self, lease: StoredLease) -> None:
        """See Leases."""
        key = Key(self.namespace, lease.name)
        await self._send(requests.delete(Lease, key, resource_version=lease.version))

    async def _send(self, request: requests.Request) -> dict[str, Any]:
        response = await self._client.send(request, retries=0)
        try:
            value = msgspec.json.decode(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProtocolError(f"{request.what}: the answer is not JSON: {response.body[:120]!r}") from error
        if not isinstance(value, dict):
            raise ProtocolError(f"{request.what}: expected an object, found {response.body[:120]!r}")
        return value

    def __repr__(self) -> str:
        return f"<ApiLeases {self.namespace} at {self._client.cluster.server}>"


def _stored(body: Mapping[str, Any]) -> StoredLease:
    metadata, spec = body.get("metadata") or {}, body.get("spec") or {}
    record = LeaseRecord(
        holder=spec.get("holderIdentity") or "",
        lease_seconds=int(spec.get("leaseDurationSeconds") or 0),
        transitions=int(spec.get("leaseTransitions") or 0),
        acquire_time=spec.get("acquireTime") or "",
        renew_time=spec.get("renewTime") or "",
    )
    return StoredLease(
        name=metadata.get("name", ""),
        version=metadata.get("resourceVersion", ""),
        record=record,
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        body=body,
    )


def _body(lease: StoredLease, key: Key, moment: datetime) -> dict[str, Any]:
    """What is sent: the Lease as it was, with the record in place of its own."""
    record = lease.record
    old, old_spec = lease.body.get("metadata") or {}, lease.body.get("spec") or {}
    now = _micro_time(moment)
    if now == old_spec.get("renewTime"):
        # A clock that stands still. A write that changes nothing gets no new version, and others would take the
        # holder for dead (L1).
        now = _micro_time(moment + timedelta(microseconds=1))
    metadata = {name: value for name, value in old.items() if name != "managedFields"}
    metadata |= {"name": key.name, "namespace": key.namespace}
    metadata |= {"labels": dict(lease.labels), "annotations": dict(lease.annotations)}
    if lease.version:
        metadata["resourceVersion"] = lease.version
    spec = {
        **old_spec,
        "holderIdentity": record.holder,
        "leaseTransitions": record.transitions,
        "acquireTime": record.acquire_time or now,
        "renewTime": record.renew_time or now,
    }
    if record.lease_seconds:
        spec["leaseDurationSeconds"] = record.lease_seconds
    return {"apiVersion": Lease.api_version, "kind": Lease.kind, "metadata": metadata, "spec": spec}


def _micro_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # six digits, always
