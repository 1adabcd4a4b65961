"""An attempt, its objects and Pods as a cluster would have them; a test says what it needs and nothing else."""

import attrs

from windlass.informers.keys import Key
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.executors.contract import Run
from windlass.operators.training.identity import operation_id
from windlass.operators.training.types import DataReference, Output, TrainingJobSpec, Workload

RUN_ID = "0123456789abcdef0123"
DATA = DataRecord("file:///t", "table-a", 3, "d" * 64, 1, 1797)
RUN = Run(
    Key("ml", "digits"),
    RUN_ID,
    operation_id(RUN_ID, "train", 2),
    2,
    DATA,
    uid="uid-1",
    resume_step=40,
    output_uri=f"file:///runs/{RUN_ID}",
)
WORKLOAD = Workload(image="example.com/trainer:1", command=("python", "train.py"))


def spec(*, executor="kubernetes-job", **changes):
    made = TrainingJobSpec(DataReference("file:///t", 3), executor, Output("digits"), {"epochs": 3}, WORKLOAD)
    return attrs.evolve(made, **changes)


def pod(name="digits-a", *, phase="Running", code=None, reason="", **status):
    """A Pod of one container, which has ended with `code` if there is one."""
    state = {"running": {}} if code is None else {"terminated": {"exitCode": code, "reason": reason or "Error"}}
    statuses = {"containerStatuses": [{"name": "trainer", "state": state}]} if phase != "Pending" else {}
    return {"metadata": {"name": name}, "status": {"phase": phase, **statuses, **status}}


def job(*conditions, spec=None, **metadata):
    """A Job with these conditions, each a type, a reason and a message."""
    told = [{"type": kind, "status": "True", "reason": reason, "message": text} for kind, reason, text in conditions]
    meta = {"name": "digits-0123456789ab-2", "namespace": "ml", "uid": "job-uid", **metadata}
    status = {"conditions": told} if told else {}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec or {}, "status": status}
