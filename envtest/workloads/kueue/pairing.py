"""A job with a queue name has one Workload, and is suspended exactly while that is not admitted. Pure."""

from datetime import datetime
from typing import Any

import attrs

from windlass.envtest.workloads.jobkinds.groups import is_true
from windlass.envtest.workloads.kueue.frameworks import ended, is_active, is_suspended, pod_sets
from windlass.envtest.workloads.kueue.quota import told
from windlass.envtest.workloads.objects import Json, at, template_hash

__all__ = ("JOB_UID", "QUEUE_NAME", "Pairing", "pair_step")

QUEUE_NAME = "kueue.x-k8s.io/queue-name"
JOB_UID = "kueue.x-k8s.io/job-uid"


@attrs.frozen
class Pairing:
    """The Workload to make, its whole status, and whether the job is to be suspended; None changes nothing."""

    create: Json | None = None
    status: Json | None = None
    suspend: bool | None = None


def pair_step(job: Json, workload: Json | None, now: datetime) -> Pairing:
    """What a job and its Workload need. A job without a queue name is not Kueue's."""
    queue = at(job, "metadata", "labels", QUEUE_NAME)
    if not queue or at(job, "metadata", "deletionTimestamp"):
        return Pairing()
    suspended, outcome = is_suspended(job), ended(job)
    if workload is None:
        stop = None if suspended or outcome else True
        return Pairing(create=None if outcome else _workload(job, queue), suspend=stop)
    if is_true(workload, "Finished"):
        return Pairing()
    if outcome:
        return Pairing(status=told(workload, now, ("Finished", "True", outcome, f"Job {outcome.lower()}")))
    admitted = is_true(workload, "Admitted") and not is_true(workload, "Evicted")
    if admitted is suspended:
        return Pairing(suspend=not suspended)
    return Pairing(status=None if admitted or is_active(job) else _given_back(workload, now))


def _given_back(workload: Json, now: datetime) -> Json | None:
    """The status of an evicted Workload whose job has stopped: it waits again, at its age."""
    if not is_true(workload, "QuotaReserved") or not is_true(workload, "Evicted"):
        return None
    why: Any = next(one for one in workload["status"]["conditions"] if one["type"] == "Evicted")
    status = told(
        workload,
        now,
        ("QuotaReserved", "False", "Pending", why["message"]),
        ("Admitted", "False", "NoReservation", "The workload has no reservation"),
        ("Requeued", "True", "BackoffFinished", "The workload backoff was finished"),
    )
    return {name: value for name, value in status.items() if name != "admission"}


def _workload(job: Json, queue: str) -> Json:
    metadata = job["metadata"]
    kind = job["kind"].lower()
    name = f"{kind}-{metadata['name']}"[:57] + f"-{template_hash({'uid': metadata['uid']})[:5]}"
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Workload",
        "metadata": {"name": name, "namespace": metadata["namespace"], "labels": {JOB_UID: metadata["uid"]}},
        "spec": {"active": True, "podSets": pod_sets(job), "queueName": queue},
    }
