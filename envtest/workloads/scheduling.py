"""Which Node a Pod goes to, or why none will do: a pure function of the Pod, the Nodes, and the Pods that are bound.

A Node must be ready and schedulable, tolerated, selected, and have room for what the Pod requests of every resource,
extended ones included. Among those that fit, the one with the fewest Pods is taken, then the first by name. Not here:
affinity, topology spread, priorities and preemption, volumes, ports.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from windlass.envtest.workloads.objects import Json, at, finished, is_ready

__all__ = ("choose_node", "quantity", "requests_of", "tolerates", "why_unschedulable")

_SUFFIXES = {
    "": Decimal(1), "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15),
    "E": Decimal(10**18), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
    "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([a-zA-Z]*)")
_KEEPS_OUT = ("NoSchedule", "NoExecute")


def choose_node(pod: Json, nodes: Sequence[Json], bound: Sequence[Json]) -> str | None:
    """The name of the Node for a Pod; `bound` are the Pods that have a Node, finished ones included."""
    load = {node["metadata"]["name"]: _on(bound, node["metadata"]["name"]) for node in nodes}
    fitting = [name for node in nodes if not _obstacle(pod, node, load[name := node["metadata"]["name"]])]
    return min(fitting, key=lambda name: (len(load[name]), name), default=None)


def why_unschedulable(pod: Json, nodes: Sequence[Json], bound: Sequence[Json]) -> str:
    """The message for a Pod without a Node, with each obstacle and how many Nodes have it."""
    found: dict[str, int] = {}
    for node in nodes:
        obstacle = _obstacle(pod, node, _on(bound, node["metadata"]["name"]))
        found[obstacle] = found.get(obstacle, 0) + 1
    listed = ", ".join(f"{count} {obstacle}" for obstacle, count in sorted(found.items()))
    return f"0/{len(nodes)} nodes are available: {listed}." if nodes else "no nodes available to schedule pods"


def tolerates(tolerations: Iterable[Json], taint: Json) -> bool:
    """Whether one of the tolerations is for the taint (operators Exists and Equal, an empty key for every key)."""
    for one in tolerations:
        if one.get("effect") not in (None, "", taint.get("effect")):
            continue
        if not one.get("key") and one.get("operator") == "Exists":
            return True
        if one.get("key") == taint.get("key") and (
            one.get("operator") == "Exists" or (one.get("value") or "") == (taint.get("value") or "")
        ):
            return True
    return False


def requests_of(pod: Json) -> dict[str, Decimal]:
    """What a Pod asks of each resource: the sum of its containers, or more if an init container alone needs more."""
    total: dict[str, Decimal] = {"pods": Decimal(1)}
    for container in at(pod, "spec", "containers") or ():
        for name, amount in _requests(container).items():
            total[name] = total.get(name, Decimal(0)) + amount
    for container in at(pod, "spec", "initContainers") or ():
        for name, amount in _requests(container).items():
            total[name] = max(total.get(name, Decimal(0)), amount)
    return total


def quantity(value: Any) -> Decimal:
    """A resource.Quantity as a number: 1500m, 2Gi, 1e3, 4. What is none counts as 0; the API server has checked it."""
    found = _QUANTITY.fullmatch(str(value).strip())
    if found is None or found[2] not in _SUFFIXES:
        return Decimal(0)
    return Decimal(found[1]) * _SUFFIXES[found[2]]


def _requests(container: Json) -> dict[str, Decimal]:
    resources = container.get("resources") or {}
    # A limit without a request is one, as the API server has it.
    wanted = (resources.get("limits") or {}) | (resources.get("requests") or {})
    return {name: quantity(amount) for name, amount in wanted.items()}


def _on(bound: Sequence[Json], name: str) -> list[Json]:
    return [pod for pod in bound if at(pod, "spec", "nodeName") == name and not finished(pod)]


def _obstacle(pod: Json, node: Json, load: Sequence[Json]) -> str:
    """Why the Pod cannot go to the Node, in the words of the real scheduler; empty if it can."""
    tolerations = at(pod, "spec", "tolerations") or []
    if at(node, "spec", "unschedulable"):
        return "node(s) were unschedulable"
    if not is_ready(node):
        return "node(s) were not ready"
    for taint in at(node, "spec", "taints") or ():
        if taint.get("effect") in _KEEPS_OUT and not tolerates(tolerations, taint):
            mark = f"{taint['key']}: {taint.get('value') or ''}"
            return f"node(s) had taint {{{mark}}}, that the pod didn't tolerate"
    selector = at(pod, "spec", "nodeSelector") or {}
    if not selector.items() <= (at(node, "metadata", "labels") or {}).items():
        return "node(s) didn't match Pod's node selector"
    return _shortage(pod, node, load)


def _shortage(pod: Json, node: Json, load: Sequence[Json]) -> str:
    room = {name: quantity(amount) for name, amount in (at(node, "status", "allocatable") or {}).items()}
    for one in load:
        for name, amount in requests_of(one).items():
            room[name] = room.get(name, Decimal(0)) - amount
    for name, amount in sorted(requests_of(pod).items()):
        if amount > 0 and amount > room.get(name, Decimal(0)):
            return "Too many pods" if name == "pods" else f"Insufficient {name}"
    return ""
