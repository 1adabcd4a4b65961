"""A Pod template is rendered from workload and environment alone, and an exit is read from what Pods became.

Pure. Of several Pods the one that was taken away counts first, then the one that ended first with a code other than 0:
those that fail afterwards mostly fail because of it. This module does not know which kind made the Pods.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from windlass.operators.training.executors.contract import Run
from windlass.operators.training.executors.dressing import annotations_of, labels_of
from windlass.operators.training.executors.exits import DISRUPTIONS, EVICTED, NODE_LOST, PREEMPTED, Exit
from windlass.operators.training.hardware.outline import Outline
from windlass.operators.training.hardware.rendering import dress
from windlass.operators.training.types import Workload

__all__ = (
    "CONTAINER",
    "ORPHANED_AFTER",
    "UNSCHEDULABLE",
    "environment_list",
    "exit_of",
    "may_write",
    "outline_of",
    "pod_template",
    "waiting_for",
)

CONTAINER: Final = "trainer"

UNSCHEDULABLE: Final = "Unschedulable"
"""The first word of what `waiting_for` says of a Pod that no node has room for."""

ORPHANED_AFTER: Final = timedelta(seconds=60)
"""How long after its grace a deleted Pod may still be there before its node is taken to be lost (A10)."""

_REASONS: Final = {
    # status.reason of a Pod
    "Evicted": EVICTED,
    "Preempting": PREEMPTED,
    "Preempted": PREEMPTED,
    "NodeLost": NODE_LOST,
    "NodeShutdown": NODE_LOST,
    "Shutdown": NODE_LOST,
    "Terminated": NODE_LOST,  # what kubelets write at a graceful shutdown of their node
    "UnexpectedAdmissionError": EVICTED,
    # reasons of the condition DisruptionTarget, from 1.26 on
    "PreemptionByScheduler": PREEMPTED,
    "PreemptionByKubeScheduler": PREEMPTED,
    "DeletionByTaintManager": NODE_LOST,
    "DeletionByPodGC": NODE_LOST,
    "EvictionByEvictionAPI": EVICTED,
    "TerminationByKubelet": EVICTED,
}

Json = Mapping[str, Any]


def pod_template(workload: Workload, run: Run, environment: Mapping[str, str]) -> dict[str, Any]:
    """A PodTemplateSpec with one container, which is not started again where it is: what follows an end is ours to say.

    Of variables that are given twice ours count, since the container reads the last of a name.
    """
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": workload.image,
        "command": list(workload.command),
        "args": list(workload.args),
        "env": [*(dict(one) for one in workload.env), *environment_list(environment)],
        "envFrom": [dict(one) for one in workload.env_from],
        "resources": dict(workload.resources),
        "volumeMounts": [dict(one) for one in workload.volume_mounts],
    }
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "containers": [_without_empty(container)],
        "volumes": [dict(one) for one in workload.volumes],
        "serviceAccountName": workload.service_account_name,
        "imagePullSecrets": [dict(one) for one in workload.image_pull_secrets],
        "nodeSelector": dict(workload.node_selector),
        "tolerations": [dict(one) for one in workload.tolerations],
    }
    metadata = {
        "labels": {**workload.labels, **labels_of(run)},
        "annotations": {**workload.annotations, **annotations_of(run)},
    }
    template = {"metadata": metadata, "spec": _without_empty(spec)}
    return template if run.placement is None else dress(template, run.placement)


def outline_of(workload: Workload) -> Outline:
    """The Pods of a workload, as far as hardware is concerned."""
    container = {"name": CONTAINER, "resources": dict(workload.resources)}
    spec = {
        "containers": [container],
        "nodeSelector": dict(workload.node_selector),
        "tolerations": [dict(one) for one in workload.tolerations],
    }
    return Outline({"spec": spec}, workload.nodes)


def environment_list(environment: Mapping[str, str]) -> list[dict[str, str]]:
    """An environment as containers want it."""
    return [{"name": name, "value": value} for name, value in environment.items()]


def exit_of(pods: Sequence[Json]) -> Exit:
    """How the Pods of an attempt that has failed ended."""
    ends = [end for pod in pods if (end := _end(pod)) is not None]
    ends.sort(key=lambda end: (end[1].reason not in DISRUPTIONS, end[0]))
    return ends[0][1] if ends else Exit()


def may_write(pod: Json, now: datetime) -> bool:
    """Whether the Pod's container may still run, as far as that can be known.

    One that should have ended long ago is on a node that nobody hears of; the attempt's token keeps it from committing.
    """
    status, deletion = pod.get("status") or {}, (pod.get("metadata") or {}).get("deletionTimestamp")
    if status.get("phase") in ("Succeeded", "Failed"):
        return False
    return not (deletion and now - datetime.fromisoformat(deletion) > ORPHANED_AFTER)


def waiting_for(pods: Sequence[Json]) -> str:
    """Why a Pod that is not at work is not: no node has room, or its image cannot be had. Empty if none says so."""
    for pod in pods:
        status = pod.get("status") or {}
        for one in status.get("conditions") or ():
            if one.get("type") == "PodScheduled" and one.get("status") == "False":
                return f"{one.get('reason', UNSCHEDULABLE)}: {one.get('message', '')}".rstrip(": ")
        for container in _containers(status):
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
                return f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
    return ""


def _end(pod: Json) -> tuple[str, Exit] | None:
    """When and how a Pod failed; None for one that has not."""
    status = pod.get("status") or {}
    reason = _disruption(status)
    if status.get("phase") != "Failed" and not reason:
        return None
    where = f"Pod {(pod.get('metadata') or {}).get('name', '')}"
    ended = [one["state"]["terminated"] for one in _containers(status) if (one.get("state") or {}).get("terminated")]
    failed = sorted((one for one in ended if one.get("exitCode")), key=lambda one: str(one.get("finishedAt", "")))
    if not failed:
        return "", Exit(None, reason or str(status.get("reason") or ""), _told(where, status.get("message")))
    first = failed[0]
    own = str(first.get("reason") or "")
    exit_reason = reason or (own if own not in ("Error", "Completed") else "")
    message = _told(where, first.get("message") or status.get("message"))
    return str(first.get("finishedAt", "")), Exit(int(first["exitCode"]), exit_reason, message)


def _disruption(status: Json) -> str:
    for one in status.get("conditions") or ():
        if one.get("type") == "DisruptionTarget" and one.get("status") == "True":
            return _REASONS.get(str(one.get("reason")), EVICTED)
    return _REASONS.get(str(status.get("reason")), "")


def _containers(status: Json) -> list[Json]:
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _told(where: str, message: object) -> str:
    first = str(message or "").strip().splitlines()
    return f"{where}: {first[-1][:300]}" if first else where


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ("", [], {})}
