"""The executor `kubernetes-job`: your own image as a batch/v1 Job, indexed when several nodes train together. Pure.

A Job here has one try: what follows a failure is decided by the TrainingJob, which makes the next attempt under another
name. Deadlines are the TrainingJob's, too. Fields that a server does not know are dropped by it: the policies that keep
exit codes in the Job's own status need Kubernetes 1.26, and no second Pod beside one that still ends needs 1.29.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from windlass.informers.builtins import Job
from windlass.operators.errors import HyperparametersInvalid
from windlass.operators.training.executors.contract import Run, TrainingExecutor
from windlass.operators.training.executors.exits import DEADLINE_EXCEEDED, EVICTED, Exit
from windlass.operators.training.executors.objects import AtWork, Ended, Finished, ObjectExecutor, Reading, Waiting
from windlass.operators.training.executors.pods import exit_of, outline_of, pod_template, waiting_for
from windlass.operators.training.executors.queueing import queue_labels, without_queue
from windlass.operators.training.hardware.outline import Outline
from windlass.operators.training.types import TrainingJobSpec, Workload

__all__ = ("KUBERNETES_JOB", "KubernetesJobExecutor")

_EXIT_CODE: Final = re.compile(r"failed with exit code (\d+)")

_POLICY: Final = {
    "rules": [
        {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": [0]}},
    ]
}

Json = Mapping[str, Any]


class KubernetesJobExecutor(ObjectExecutor):
    """See ObjectExecutor."""

    name = "kubernetes-job"
    resource = Job

    def check(self, spec: TrainingJobSpec) -> None:
        """See TrainingExecutor.check: `workload.image` is all that is needed."""
        faults = []
        if spec.workload is None or not spec.workload.image:
            faults.append("workload.image: expected the image of a container, found none")
        faults += [f"executorConfig.{name}: unknown; {self.name} has no options" for name in spec.executor_config]
        if faults:
            raise HyperparametersInvalid(tuple(faults))

    def outline(self, spec: TrainingJobSpec) -> Outline:
        """See Outline."""
        return outline_of(spec.workload or Workload())

    def body(self, spec: TrainingJobSpec, run: Run, environment: Mapping[str, str]) -> dict[str, Any]:
        """See ObjectExecutor.body."""
        workload = spec.workload or Workload()
        together = {"WINDLASS_NODES": str(workload.nodes)}
        job: dict[str, Any] = {
            "backoffLimit": 0,
            "completions": workload.nodes,
            "parallelism": workload.nodes,
            "podFailurePolicy": _POLICY,
            "podReplacementPolicy": "Failed",
            "template": pod_template(without_queue(workload), run, {**environment, **together}),
        }
        if workload.nodes > 1:
            job["completionMode"] = "Indexed"
        return {"metadata": {"labels": queue_labels(workload)}, "spec": job}

    def read(self, child: Json, pods: Sequence[Json]) -> Reading:
        """See ObjectExecutor.read."""
        status = child.get("status") or {}
        conditions = {one["type"]: one for one in status.get("conditions") or () if one.get("status") == "True"}
        if "Complete" in conditions:
            return Finished()
        failed = conditions.get("Failed") or conditions.get("FailureTarget")
        if failed is not None:
            return Ended(_exit(failed, pods))
        if (child.get("spec") or {}).get("suspend"):
            return Waiting("it is suspended")
        if any((pod.get("status") or {}).get("phase") == "Running" for pod in pods):
            return AtWork()
        return Waiting(waiting_for(pods))


def _exit(failed: Json, pods: Sequence[Json]) -> Exit:
    """What its Pods say of a Job that has failed, or if they are gone, its own condition."""
    reason, message = str(failed.get("reason", "")), str(failed.get("message", ""))
    if reason == "DeadlineExceeded":
        return Exit(None, DEADLINE_EXCEEDED, message)
    seen = exit_of(pods)
    if seen != Exit():
        return seen
    if "has condition DisruptionTarget" in message:
        return Exit(None, EVICTED, message)
    code = _EXIT_CODE.search(message)
    return Exit(int(code.group(1)) if code else None, "", message)


KUBERNETES_JOB: Final[TrainingExecutor] = KubernetesJobExecutor()
