"""What nodes have and what Pods take of it, read from the bytes of the objects: the facts that a placement stands on.

A Pod takes what the scheduler counts for it (the sum of its containers and sidecars, or more if an init container
alone needs more, and the overhead of its runtime), from the moment it is bound until it has ended. This module does
not know profiles, nor what any of it is for.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

import attrs
import msgspec

from windlass.manifests.quantities import Quantity
from windlass.operators.errors import HardwareInvalid
from windlass.operators.training.hardware.tolerations import Taint

__all__ = ("COST_LABEL", "Load", "Machine", "Usage", "load_of", "machine_of", "taken_by", "usage_of")

COST_LABEL: Final = "ai.windlass.dev/cost"
Usage: TypeAlias = Mapping[str, Mapping[str, Decimal]]
"""What is taken, by node and resource."""

_Amounts: TypeAlias = dict[str, str | int | float]


class _Resources(msgspec.Struct):
    requests: _Amounts | None = None
    limits: _Amounts | None = None


class _Container(msgspec.Struct, rename="camel"):
    resources: _Resources | None = None
    restart_policy: str | None = None


class _PodSpec(msgspec.Struct, rename="camel"):
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None
    node_name: str | None = None
    overhead: _Amounts | None = None


class _PodStatus(msgspec.Struct):
    phase: str | None = None


class _Meta(msgspec.Struct, rename="camel"):
    name: str
    labels: dict[str, str] | None = None
    deletion_timestamp: str | None = None


class _Pod(msgspec.Struct):
    metadata: _Meta
    spec: _PodSpec
    status: _PodStatus | None = None


class _Taint(msgspec.Struct):
    key: str = ""
    effect: str = ""
    value: str | None = None


class _NodeSpec(msgspec.Struct):
    taints: list[_Taint] | None = None
    unschedulable: bool | None = None


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""


class _NodeStatus(msgspec.Struct):
    allocatable: _Amounts | None = None
    conditions: list[_Condition] | None = None


class _Node(msgspec.Struct):
    metadata: _Meta
    spec: _NodeSpec | None = None
    status: _NodeStatus | None = None


_POD = msgspec.json.Decoder(_Pod)
_NODE = msgspec.json.Decoder(_Node)


@attrs.frozen
class Machine:
    """A node. `obstacle` says why nothing new may go there, empty if it may; `faults` are its conditions that are True.

    `room` is what it has for Pods, taken or not. `cost` is the label `ai.windlass.dev/cost`, 1 without one.
    """

    name: str
    labels: Mapping[str, str] = attrs.field(factory=dict)
    taints: tuple[Taint, ...] = ()
    room: Mapping[str, Decimal] = attrs.field(factory=dict)
    obstacle: str = ""
    faults: frozenset[str] = frozenset()

    @property
    def cost(self) -> Decimal:
        """What its owner says that it costs, in units of his own."""
        said = self.labels.get(COST_LABEL, "1")
        return Decimal(said) if said.replace(".", "", 1).isdecimal() else Decimal(1)


@attrs.frozen
class Load:
    """What one Pod takes of its node."""

    node: str
    amounts: Mapping[str, Decimal]
    labels: Mapping[str, str] = attrs.field(factory=dict)


def machine_of(raw: bytes) -> Machine:
    """The machine that a Node is."""
    node = _NODE.decode(raw)
    spec, status = node.spec or _NodeSpec(), node.status or _NodeStatus()
    true = frozenset(one.type for one in status.conditions or () if one.status == "True")
    return Machine(
        node.metadata.name,
        labels=node.metadata.labels or {},
        taints=tuple(Taint(one.key, one.value or "", one.effect) for one in spec.taints or ()),
        room=_amounts(status.allocatable),
        obstacle=_obstacle(node, ready="Ready" in true),
        faults=true - {"Ready"},
    )


def _obstacle(node: _Node, *, ready: bool) -> str:
    if node.metadata.deletion_timestamp is not None:
        return "being deleted"
    if node.spec is not None and node.spec.unschedulable:
        return "cordoned"
    return "" if ready else "not ready"


def load_of(raw: bytes) -> Load | None:
    """What a Pod takes; None for one that is not bound, or has ended."""
    pod = _POD.decode(raw)
    if not pod.spec.node_name or (pod.status is not None and pod.status.phase in ("Succeeded", "Failed")):
        return None
    return Load(pod.spec.node_name, _taken(pod.spec), pod.metadata.labels or {})


def usage_of(loads: Iterable[Load]) -> Usage:
    """What these take of their nodes."""
    usage: dict[str, dict[str, Decimal]] = {}
    for load in loads:
        _add(usage.setdefault(load.node, {}), load.amounts)
    return usage


def taken_by(spec: Mapping[str, Any]) -> Mapping[str, Decimal]:
    """What a Pod of this spec would take. Raises HardwareInvalid for amounts that no API server takes either."""
    try:
        return _taken(msgspec.convert(spec, _PodSpec))
    except (msgspec.ValidationError, ValueError) as error:
        raise HardwareInvalid(f"the resources of the Pod: {error}") from error


def _taken(spec: _PodSpec) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {"pods": Decimal(1)}
    for container in spec.containers or ():
        _add(total, _wanted(container))
    sidecars: dict[str, Decimal] = {}
    highest: dict[str, Decimal] = {}
    for container in spec.init_containers or ():
        wanted = dict(_wanted(container))
        if container.restart_policy == "Always":
            _add(sidecars, wanted)
            _add(total, wanted)
            continue
        _add(wanted, sidecars)  # those before it run beside it
        for name, amount in wanted.items():
            highest[name] = max(highest.get(name, Decimal(0)), amount)
    for name, amount in highest.items():
        total[name] = max(total.get(name, Decimal(0)), amount)
    _add(total, _amounts(spec.overhead))
    return total


def _wanted(container: _Container) -> dict[str, Decimal]:
    resources = container.resources or _Resources()
    # A limit without a request is one, as the API server has it.
    return _amounts((resources.limits or {}) | (resources.requests or {}))


def _amounts(given: _Amounts | None) -> dict[str, Decimal]:
    return {name: Quantity(str(amount)).value for name, amount in (given or {}).items()}


def _add(total: dict[str, Decimal], more: Mapping[str, Decimal]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, Decimal(0)) + amount
