"""How many Pods a ReplicaSet and a StatefulSet still want, which go, and what their status says. Pure.

A ReplicaSet makes its Pods at once. A StatefulSet makes them in the order of their ordinals, each when the one before
is ready (`OrderedReady`), or at once (`Parallel`), and takes the highest away first; a Pod of an older template is
replaced from the highest down to `partition`. Not here: volume claims, `minReadySeconds`, `maxUnavailable`.
"""

import re
from collections.abc import Sequence

import attrs

from windlass.envtest.workloads.objects import Json, active, at, finished, is_ready, pod_from, template_hash

__all__ = ("ReplicaPlan", "ordinal", "replica_set_pod", "replica_set_step", "stateful_pod", "stateful_set_step")

_ORDINAL = re.compile(r"-(\d+)$")
REVISION = "controller-revision-hash"


@attrs.frozen
class ReplicaPlan:
    """What is to be done: for a ReplicaSet `create` is how many Pods, for a StatefulSet which ordinals."""

    create: tuple[int, ...] = ()
    delete: tuple[str, ...] = ()
    status: Json = attrs.field(factory=dict)


def replica_set_step(owner: Json, pods: Sequence[Json]) -> ReplicaPlan:
    """The plan for a ReplicaSet with these Pods, which it controls; `create` numbers the new ones from 0."""
    wanted = _wanted(owner)
    living = [pod for pod in pods if active(pod)]
    ready = sum(is_ready(pod) for pod in living)
    labels = at(owner, "spec", "template", "metadata", "labels") or {}
    labelled = sum(labels.items() <= (at(pod, "metadata", "labels") or {}).items() for pod in living)
    status = _status(owner, replicas=len(living)) | {
        "fullyLabeledReplicas": labelled or None,
        "readyReplicas": ready or None,
        "availableReplicas": ready or None,
    }
    if at(owner, "metadata", "deletionTimestamp"):
        return ReplicaPlan(status=status)
    return ReplicaPlan(tuple(range(wanted - len(living))), _surplus(living, wanted), status)


def replica_set_pod(owner: Json) -> Json:
    """The next Pod of a ReplicaSet; the server gives it the rest of its name."""
    metadata = owner["metadata"]
    return pod_from(owner["spec"]["template"], metadata["namespace"], generateName=f"{metadata['name']}-")


def stateful_set_step(owner: Json, pods: Sequence[Json]) -> ReplicaPlan:
    """The plan for a StatefulSet with these Pods, which it controls."""
    wanted, revision = _wanted(owner), _revision(owner)
    known = {number: pod for pod in pods if (number := ordinal(owner, pod)) is not None}
    living = {number: pod for number, pod in known.items() if active(pod)}
    ready = sum(is_ready(pod) for pod in living.values())
    updated = sum(at(pod, "metadata", "labels", REVISION) == revision for pod in living.values())
    status = _status(owner, replicas=len(living)) | {
        "readyReplicas": ready or None,
        "currentReplicas": updated or None,
        "updatedReplicas": updated or None,
        "availableReplicas": ready,
        "currentRevision": revision,
        "updateRevision": revision,
        "collisionCount": 0,
    }
    if at(owner, "metadata", "deletionTimestamp"):
        return ReplicaPlan(status=status)
    ended = tuple(pod["metadata"]["name"] for pod in known.values() if finished(pod) and not _going(pod))
    if at(owner, "spec", "podManagementPolicy") == "Parallel":
        create = tuple(number for number in range(wanted) if number not in known)
        surplus = tuple(pod["metadata"]["name"] for number, pod in living.items() if number >= wanted)
        return ReplicaPlan(create, (*ended, *surplus), status)
    return _in_order(owner, known, status, ended=ended)


def stateful_pod(owner: Json, number: int) -> Json:
    """The Pod of an ordinal."""
    metadata = owner["metadata"]
    name = f"{metadata['name']}-{number}"
    labels = {"statefulset.kubernetes.io/pod-name": name, REVISION: _revision(owner)}
    pod = pod_from(owner["spec"]["template"], metadata["namespace"], name=name, labels=labels)
    identity = {"hostname": name, "subdomain": owner["spec"].get("serviceName") or ""}
    return pod | {"spec": pod["spec"] | identity}


def ordinal(owner: Json, pod: Json) -> int | None:
    """The number at the end of the Pod's name, if the rest is its owner's."""
    name = str(pod["metadata"]["name"])
    found = _ORDINAL.search(name)
    return int(found[1]) if found and name[: found.start()] == owner["metadata"]["name"] else None


def _in_order(owner: Json, known: dict[int, Json], status: Json, *, ended: tuple[str, ...]) -> ReplicaPlan:
    wanted = _wanted(owner)
    if ended:
        return ReplicaPlan((), ended, status)
    for number in range(wanted):
        pod = known.get(number)
        if pod is None:
            return ReplicaPlan((number,), (), status)
        if _going(pod) or not is_ready(pod):
            return ReplicaPlan((), (), status)
    surplus = sorted(number for number in known if number >= wanted)
    if surplus:
        last = known[surplus[-1]]
        return ReplicaPlan((), () if _going(last) else (last["metadata"]["name"],), status)
    return ReplicaPlan((), _outdated(owner, known), status)


def _outdated(owner: Json, known: dict[int, Json]) -> tuple[str, ...]:
    """The highest Pod of an older template that may be replaced."""
    strategy = at(owner, "spec", "updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return ()
    first = at(strategy, "rollingUpdate", "partition") or 0
    for number in sorted(known, reverse=True):
        if number >= first and at(known[number], "metadata", "labels", REVISION) != _revision(owner):
            return (known[number]["metadata"]["name"],)
    return ()


def _wanted(owner: Json) -> int:
    found = at(owner, "spec", "replicas")
    return 1 if found is None else int(found)


def _going(pod: Json) -> bool:
    return bool(at(pod, "metadata", "deletionTimestamp"))


def _revision(owner: Json) -> str:
    return f"{owner['metadata']['name']}-{template_hash(owner['spec']['template'])}"


def _surplus(living: Sequence[Json], wanted: int) -> tuple[str, ...]:
    """The least advanced go first: those without a node, then those that are not ready."""
    order = sorted(living, key=lambda pod: (bool(at(pod, "spec", "nodeName")), is_ready(pod)))
    return tuple(pod["metadata"]["name"] for pod in order[: max(0, len(living) - wanted)])


def _status(owner: Json, *, replicas: int) -> Json:
    return {"replicas": replicas, "observedGeneration": owner["metadata"].get("generation", 1)}
