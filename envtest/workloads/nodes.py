"""A Node that nothing runs on: its object, with capacity, labels and taints, and the heartbeat that keeps it ready."""

import asyncio
from collections.abc import Mapping
from typing import Any

import attrs

from windlass.controller import Manager
from windlass.envtest.workloads.objects import Json, written_time
from windlass.informers import Api, Key, Node, PatchType
from windlass.informers.errors import AlreadyExists, ApiError, ConnectionFailed, NotFound

__all__ = ("Heartbeat", "NodeSpec", "Taint", "add_nodes")

_DEFAULT = {"cpu": "8", "memory": "32Gi", "pods": "110"}
_HEARTBEAT_SECONDS = 10.0  # a real control plane waits for 40 s


@attrs.frozen
class Taint:
    """Keeps Pods off a Node unless they tolerate it."""

    key: str
    value: str = ""
    effect: str = attrs.field(
        default="NoSchedule", validator=attrs.validators.in_(("NoSchedule", "PreferNoSchedule", "NoExecute"))
    )


@attrs.frozen
class NodeSpec:
    """A Node to be made. `capacity` is added to 8 CPUs, 32Gi and 110 Pods, as in `{"nvidia.com/gpu": "4"}`."""

    name: str
    capacity: Mapping[str, str] = attrs.field(factory=dict)
    labels: Mapping[str, str] = attrs.field(factory=dict)
    taints: tuple[Taint, ...] = attrs.field(default=(), converter=tuple)

    def body(self) -> Json:
        """The object, without its status."""
        labels = {"kubernetes.io/hostname": self.name, "type": "windlass"} | dict(self.labels)
        taints = [attrs.asdict(taint) for taint in self.taints]
        spec: Json = {"taints": taints} if taints else {}
        return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.name, "labels": labels}, "spec": spec}

    def status(self, now: str) -> Json:
        """The status of a Node that is well."""
        room = _DEFAULT | dict(self.capacity)
        return {
            "capacity": room,
            "allocatable": room,
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "KubeletReady",
                    "message": "stages are played here",
                    "lastHeartbeatTime": now,
                    "lastTransitionTime": now,
                }
            ],
            "nodeInfo": dict.fromkeys(_INFO, "") | {"kubeletVersion": "v0.0.0-windlass", "operatingSystem": "linux"},
        }


_INFO = (
    "architecture",
    "bootID",
    "containerRuntimeVersion",
    "kernelVersion",
    "kubeProxyVersion",
    "machineID",
    "osImage",
    "systemUUID",
)


async def add_nodes(api: Api, specs: tuple[NodeSpec, ...], now: str) -> None:
    """Make the Nodes, or bring those of the same name up to date. Raises ApiError."""
    for spec in specs:
        try:
            await api.create(Node, spec.body())
        except AlreadyExists:
            patch: dict[str, Any] = {"metadata": {"labels": spec.body()["metadata"]["labels"]}}
            await api.patch(Node, Key("", spec.name), patch, type=PatchType.MERGE)
        status = {"status": spec.status(now)}
        await api.patch(Node, Key("", spec.name), status, type=PatchType.MERGE, subresource="status")


class Heartbeat:
    """Renews the heartbeat of the Nodes; without it, a real control plane takes them for lost."""

    name = "node-heartbeat"

    def __init__(self, manager: Manager, specs: tuple[NodeSpec, ...]) -> None:
        self._manager = manager
        self._specs = specs

    async def run(self) -> None:
        """Beat until cancelled. A Node that somebody has deleted stays so."""
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            now = written_time(self._manager.settings.clock())
            for spec in self._specs:
                beat = {"status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": now}]}}
                key = Key("", spec.name)
                try:
                    await self._manager.api.patch(Node, key, beat, type=PatchType.STRATEGIC, subresource="status")
                except NotFound:
                    continue
                except (ApiError, ConnectionFailed):
                    break  # the next beat may have more luck
