"""Devices that drivers publish, and those that claims hold, counted by node as device plugins' resources are.

A driver's name stands for its DeviceClass: which devices a class selects is an expression that only a scheduler
evaluates. Only what a slice ties to one node is counted. This module does not know what is placed.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from windlass.informers.resources import Resource
from windlass.operators.training.hardware.machines import Load

__all__ = ("GROUP", "VERSIONS", "claim_kind", "devices_of", "loads_of", "slice_kind", "template_kind")

GROUP: Final = "resource.k8s.io"
VERSIONS: Final = ("v1", "v1beta2", "v1beta1")
"""Those that are understood, the newest first."""

_Device = tuple[str, str, str]  # driver, pool, name


class _Named(msgspec.Struct):
    name: str


class _SliceSpec(msgspec.Struct, rename="camel"):
    driver: str
    pool: _Named
    node_name: str | None = None
    devices: list[_Named] | None = None


class _Slice(msgspec.Struct):
    spec: _SliceSpec


class _Result(msgspec.Struct):
    driver: str
    pool: str
    device: str


class _Results(msgspec.Struct):
    results: list[_Result] | None = None


class _Allocation(msgspec.Struct):
    devices: _Results | None = None


class _ClaimStatus(msgspec.Struct):
    allocation: _Allocation | None = None


class _Claim(msgspec.Struct):
    status: _ClaimStatus | None = None


_SLICE: Final = msgspec.json.Decoder(_Slice)
_CLAIM: Final = msgspec.json.Decoder(_Claim)


def slice_kind(version: str) -> Resource:
    """The kind in which drivers publish devices."""
    return Resource(GROUP, version, "ResourceSlice", "resourceslices", namespaced=False)


def claim_kind(version: str) -> Resource:
    """The kind that holds devices."""
    return Resource(GROUP, version, "ResourceClaim", "resourceclaims")


def template_kind(version: str) -> Resource:
    """The kind of which a claim is made for each Pod."""
    return Resource(GROUP, version, "ResourceClaimTemplate", "resourceclaimtemplates")


def devices_of(slices: Iterable[bytes]) -> Mapping[_Device, str]:
    """The node of every device."""
    found: dict[_Device, str] = {}
    for raw in slices:
        spec = _SLICE.decode(raw).spec
        if spec.node_name:
            found |= {(spec.driver, spec.pool.name, one.name): spec.node_name for one in spec.devices or ()}
    return found


def loads_of(claims: Iterable[bytes], devices: Mapping[_Device, str]) -> list[Load]:
    """What claims hold of these devices; a device that several claims share is taken once."""
    held: set[_Device] = set()
    for raw in claims:
        status = _CLAIM.decode(raw).status
        allocation = None if status is None else status.allocation
        results = None if allocation is None or allocation.devices is None else allocation.devices.results
        held |= {(one.driver, one.pool, one.device) for one in results or ()}
    return [Load(devices[device], {device[0]: Decimal(1)}) for device in sorted(held) if device in devices]
