"""Who has quota, who gets it and who loses it, all Workloads taken together: never more than the nominal quota. Pure.

Of those that wait for one ClusterQueue the older ones come first, and one that does not fit does not keep back the
next (`BestEffortFIFO`). Reasons and messages are Kueue's. A Workload keeps its quota until it is over, or until it is
evicted and its job has no Pods left, which `pairing` says.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import attrs

from windlass.envtest.workloads.jobkinds.groups import is_true, turned
from windlass.envtest.workloads.objects import Json, at
from windlass.envtest.workloads.scheduling import quantity, requests_of

__all__ = ("World", "quota_step", "requested", "told")

Amounts = Mapping[str, Decimal]


@attrs.frozen(kw_only=True)
class World:
    """All there is, and the Workloads to evict, by uid, each for a reason and with a message."""

    workloads: tuple[Json, ...]
    local_queues: tuple[Json, ...]
    cluster_queues: tuple[Json, ...]
    evictions: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)
    now: datetime


def quota_step(world: World) -> list[tuple[Json, Json]]:
    """The Workloads whose status changes, each with its whole status."""
    changed = []
    used: dict[str, dict[str, Decimal]] = {}
    holders = [one for one in world.workloads if _holds(one)]
    for one in holders:
        _add(used.setdefault(at(one, "status", "admission", "clusterQueue"), {}), requested(one))
        why = _eviction(world, one)
        if why is not None:
            changed.append((one, told(one, world.now, ("Evicted", "True", *why))))
    waiting = [one for one in world.workloads if not _holds(one) and not is_true(one, "Finished")]
    for one in sorted(waiting, key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"])):
        status = _looked_at(world, one, used)
        if status != (one.get("status") or {}):
            changed.append((one, status))
    return changed


def requested(workload: Json) -> dict[str, Decimal]:
    """What all its Pods ask for together, `pods` among it."""
    total: dict[str, Decimal] = {}
    for one in workload["spec"]["podSets"]:
        _add(total, {name: amount * one["count"] for name, amount in requests_of(one["template"]).items()})
    return total


def told(workload: Json, now: datetime, *conditions: tuple[str, str, str, str]) -> Json:
    """The status with these conditions: type, status, reason and message."""
    status = dict(workload.get("status") or {})
    for kind, value, reason, message in conditions:
        one = {"type": kind, "status": value, "reason": reason, "message": message}
        status["conditions"] = turned({"status": status}, now, one)
    return status


def _holds(workload: Json) -> bool:
    return is_true(workload, "QuotaReserved") and not is_true(workload, "Finished")


def _eviction(world: World, workload: Json) -> tuple[str, str] | None:
    if is_true(workload, "Evicted"):
        return None
    local, cluster = _queues(world, workload)
    if at(local or {}, "spec", "stopPolicy") == "HoldAndDrain":
        return "LocalQueueStopped", "The LocalQueue is stopped"
    if at(cluster or {}, "spec", "stopPolicy") == "HoldAndDrain":
        return "ClusterQueueStopped", "The ClusterQueue is stopped"
    return world.evictions.get(workload["metadata"]["uid"])


def _looked_at(world: World, workload: Json, used: dict[str, dict[str, Decimal]]) -> Json:
    """The status of one that waits; if it fits, what it asks for is used from now on."""
    closed = _closed(world, workload)
    if closed:
        return told(workload, world.now, ("QuotaReserved", "False", "Inadmissible", closed))
    _, cluster = _queues(world, workload)
    assert cluster is not None
    name, wanted = cluster["metadata"]["name"], requested(workload)
    flavors, limits = _offer(cluster)
    taken = used.setdefault(name, {})
    short = _shortage(wanted, limits, taken, flavors)
    if short:
        message = f"couldn't assign flavors to pod set {workload['spec']['podSets'][0]['name']}: {short}"
        return told(workload, world.now, ("QuotaReserved", "False", "Pending", message))
    _add(taken, wanted)
    conditions = [
        ("QuotaReserved", "True", "QuotaReserved", f"Quota reserved in ClusterQueue {name}"),
        ("Admitted", "True", "Admitted", "The workload is admitted"),
    ]
    if at(workload, "status", "conditions") and _had(workload, "Evicted"):
        conditions.append(("Evicted", "False", "QuotaReserved", "Previously evicted"))
    return told(workload, world.now, *conditions) | {"admission": _admission(workload, name, flavors)}


def _admission(workload: Json, cluster_queue: str, flavors: Mapping[str, str]) -> Json:
    assigned = []
    for one in workload["spec"]["podSets"]:
        usage = {
            name: f"{(amount * one['count']).normalize():f}" for name, amount in requests_of(one["template"]).items()
        }
        usage = {name: amount for name, amount in usage.items() if name in flavors}
        chosen = {name: flavors[name] for name in usage}
        assigned.append({"name": one["name"], "count": one["count"], "flavors": chosen, "resourceUsage": usage})
    return {"clusterQueue": cluster_queue, "podSetAssignments": assigned}


def _closed(world: World, workload: Json) -> str:
    """Why nothing of its queues may be used at all; empty if it may."""
    name = workload["spec"].get("queueName", "")
    local, cluster = _queues(world, workload)
    if local is None:
        return f"LocalQueue {name} doesn't exist"
    if _is_stopped(local):
        return f"LocalQueue {name} is inactive"
    if cluster is None:
        return f"ClusterQueue {local['spec']['clusterQueue']} doesn't exist"
    return f"ClusterQueue {cluster['metadata']['name']} is inactive" if _is_stopped(cluster) else ""


def _is_stopped(queue: Json) -> bool:
    return (at(queue, "spec", "stopPolicy") or "None") != "None"


def _queues(world: World, workload: Json) -> tuple[Json | None, Json | None]:
    place = (workload["metadata"]["namespace"], workload["spec"].get("queueName"))
    local = next(
        (one for one in world.local_queues if (one["metadata"]["namespace"], one["metadata"]["name"]) == place), None
    )
    if local is None:
        return None, None
    wanted = local["spec"]["clusterQueue"]
    return local, next((one for one in world.cluster_queues if one["metadata"]["name"] == wanted), None)


def _offer(cluster: Json) -> tuple[dict[str, str], dict[str, Decimal]]:
    """By resource, the first flavor and its nominal quota."""
    flavors: dict[str, str] = {}
    limits: dict[str, Decimal] = {}
    for group in at(cluster, "spec", "resourceGroups") or ():
        for flavor in group["flavors"][:1]:
            for one in flavor["resources"]:
                flavors[one["name"]], limits[one["name"]] = flavor["name"], quantity(one["nominalQuota"])
    return flavors, limits


def _shortage(wanted: Amounts, limits: Amounts, taken: Amounts, flavors: Mapping[str, str]) -> str:
    """What there is too little of, in Kueue's words; `pods` count only where a queue says how many there may be."""
    for name, amount in wanted.items():
        if name not in limits:
            if name != "pods":
                return f"resource {name} unavailable in ClusterQueue"
            continue
        if amount > limits[name]:
            return f"insufficient quota for {name} in flavor {flavors[name]}, request > maximum capacity"
        more = amount + taken.get(name, Decimal(0)) - limits[name]
        if more > 0:
            return f"insufficient unused quota for {name} in flavor {flavors[name]}, {more.normalize():f} more needed"
    return ""


def _had(workload: Json, kind: str) -> bool:
    conditions: Sequence[Json] = at(workload, "status", "conditions") or ()
    return any(one["type"] == kind for one in conditions)


def _add(total: dict[str, Decimal], more: Amounts | Iterable[tuple[str, Decimal]]) -> None:
    for name, amount in dict(more).items():
        total[name] = total.get(name, Decimal(0)) + amount
