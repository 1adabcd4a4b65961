"""Which ReplicaSets a Deployment wants, and of what size, so that a new template comes in without a gap. Pure.

`RollingUpdate` keeps within `maxSurge` and `maxUnavailable`, `Recreate` waits until the old Pods are gone. Old
ReplicaSets stay, empty, up to `revisionHistoryLimit`. The conditions are Available and Progressing, with the real
reasons. Not here: rollback, proportional scaling, `minReadySeconds`, `progressDeadlineSeconds`.
"""

import math
from collections.abc import Sequence
from typing import Any

import attrs

from windlass.envtest.workloads.objects import Json, ReplicaSet, at, condition, template_hash

__all__ = ("REVISION", "DeploymentPlan", "deployment_step", "replica_set_of")

_HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"


@attrs.frozen
class DeploymentPlan:
    """What is to be done for a Deployment at one moment."""

    create: int | None = None
    """The size of the ReplicaSet of the current template, which is missing."""
    scale: tuple[tuple[str, int], ...] = ()
    """Names of ReplicaSets and their new sizes."""
    delete: tuple[str, ...] = ()
    status: Json = attrs.field(factory=dict)


def deployment_step(owner: Json, sets: Sequence[Json], now: str) -> DeploymentPlan:
    """The plan for a Deployment with these ReplicaSets, which it controls; `now` as objects write times."""
    current = next((one for one in sets if one["metadata"]["labels"].get(_HASH) == _hash(owner)), None)
    old = [one for one in sets if one is not current]
    status = _status(owner, current, sets, now)
    if at(owner, "metadata", "deletionTimestamp") or at(owner, "spec", "paused"):
        return DeploymentPlan(status=status)
    wanted = _size(owner, 1)
    first, then = _first_size(owner, old, wanted), _sizes(owner, current, old, wanted)
    if current is None:
        return DeploymentPlan(create=first, status=status)
    return DeploymentPlan(scale=then, delete=_forgotten(owner, old), status=status)


def replica_set_of(owner: Json, size: int, revision: int) -> Json:
    """The ReplicaSet of the Deployment's template."""
    metadata, spec, mark = owner["metadata"], owner["spec"], {_HASH: _hash(owner)}
    template = dict(spec["template"])
    given = template.get("metadata") or {}
    template["metadata"] = given | {"labels": (given.get("labels") or {}) | mark}
    selector = dict(spec["selector"])
    selector["matchLabels"] = (selector.get("matchLabels") or {}) | mark
    return {
        "apiVersion": ReplicaSet.api_version,
        "kind": ReplicaSet.kind,
        "metadata": {
            "name": f"{metadata['name']}-{_hash(owner)}",
            "namespace": metadata["namespace"],
            "labels": (given.get("labels") or {}) | mark,
            "annotations": {REVISION: str(revision)},
        },
        "spec": {"replicas": size, "selector": selector, "template": template},
    }


def _hash(owner: Json) -> str:
    return template_hash(owner["spec"]["template"])


def _size(obj: Json, default: int = 0) -> int:
    found = at(obj, "spec", "replicas")
    return default if found is None else int(found)


def _count(one: Json, field: str) -> int:
    return int(at(one, "status", field) or 0)


def _part(value: Any, wanted: int, *, up: bool) -> int:
    """A number, or a percentage of the wanted ones, rounded up or down."""
    if isinstance(value, str) and value.endswith("%"):
        exact = int(value[:-1]) * wanted / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(value)


def _bounds(owner: Json, wanted: int) -> tuple[int, int]:
    """How many Pods there may be at most, and how many must be available."""
    rolling = at(owner, "spec", "strategy", "rollingUpdate") or {}
    surge = _part(rolling.get("maxSurge", "25%"), wanted, up=True)
    unavailable = _part(rolling.get("maxUnavailable", "25%"), wanted, up=False)
    if not surge and not unavailable:
        unavailable = 1  # else nothing could ever move
    return wanted + surge, max(0, wanted - unavailable)


def _is_recreated(owner: Json) -> bool:
    return bool(at(owner, "spec", "strategy", "type") == "Recreate")


def _first_size(owner: Json, old: Sequence[Json], wanted: int) -> int:
    there = sum(_size(one) for one in old)
    if _is_recreated(owner):
        return 0 if there or any(_count(one, "replicas") for one in old) else wanted
    return max(0, min(wanted, _bounds(owner, wanted)[0] - there))


def _sizes(owner: Json, current: Json | None, old: Sequence[Json], wanted: int) -> tuple[tuple[str, int], ...]:
    if current is None:
        return ()
    changes = {}
    if _is_recreated(owner):
        if any(_count(one, "replicas") or _size(one) for one in old):
            changes = {one["metadata"]["name"]: 0 for one in old if _size(one)}
        elif _size(current) != wanted:
            changes[current["metadata"]["name"]] = wanted
        return tuple(changes.items())
    at_most, at_least = _bounds(owner, wanted)
    there = _size(current) + sum(_size(one) for one in old)
    size = wanted if _size(current) > wanted else min(wanted, _size(current) + max(0, at_most - there))
    if size != _size(current):
        changes[current["metadata"]["name"]] = size
    available = sum(_count(one, "availableReplicas") for one in (current, *old))
    unavailable_new = max(0, _size(current) - _count(current, "availableReplicas"))
    spare = max(0, sum(_size(one) for one in (current, *old)) - at_least - unavailable_new)
    for one in sorted(old, key=lambda one: str(one["metadata"]["creationTimestamp"])):
        # What is not available anyway may go at once, the rest as far as enough others are.
        sick = max(0, _size(one) - _count(one, "availableReplicas"))
        less = min(_size(one), max(min(sick, spare), min(spare, max(0, available - at_least))))
        if less:
            changes[one["metadata"]["name"]] = _size(one) - less
            spare, available = spare - less, available - max(0, less - sick)
    return tuple(changes.items())


def _forgotten(owner: Json, old: Sequence[Json]) -> tuple[str, ...]:
    limit = at(owner, "spec", "revisionHistoryLimit")
    empty = [one for one in old if not _size(one) and not _count(one, "replicas")]
    order = sorted(empty, key=lambda one: int(at(one, "metadata", "annotations", REVISION) or 0))
    return tuple(one["metadata"]["name"] for one in order[: max(0, len(old) - (10 if limit is None else limit))])


def _status(owner: Json, current: Json | None, sets: Sequence[Json], now: str) -> Json:
    wanted = _size(owner, 1)
    total, ready, available = (
        sum(_count(one, field) for one in sets) for field in ("replicas", "readyReplicas", "availableReplicas")
    )
    updated = _count(current, "replicas") if current is not None else 0
    enough = available >= _bounds(owner, wanted)[1] if not _is_recreated(owner) else available >= wanted
    done = updated == wanted and total == wanted and available == wanted
    status = {
        "observedGeneration": owner["metadata"].get("generation", 1),
        "replicas": total or None,
        "updatedReplicas": updated or None,
        "readyReplicas": ready or None,
        "availableReplicas": available or None,
        "unavailableReplicas": max(0, max(total, wanted) - available) or None,
    }
    return status | {"conditions": _conditions(owner, current, now, enough=enough, done=done)}


def _conditions(owner: Json, current: Json | None, now: str, *, enough: bool, done: bool) -> list[Json]:
    name = f"{owner['metadata']['name']}-{_hash(owner)}"
    available = (
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        if enough
        else ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    )
    if current is None:
        progressing = ("True", "NewReplicaSetCreated", f'Created new replica set "{name}"')
    elif done:
        progressing = ("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
    else:
        progressing = ("True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
    found = []
    for kind, (status, reason, message) in (("Available", available), ("Progressing", progressing)):
        one = {"type": kind, "status": status, "reason": reason, "message": message}
        before = condition(owner, kind) or {}
        same = all(before.get(field) == one[field] for field in ("status", "reason", "message"))
        turned = before.get("lastTransitionTime") if before.get("status") == status else None
        found.append(
            one | {"lastTransitionTime": turned or now, "lastUpdateTime": before["lastUpdateTime"] if same else now}
        )
    return found
