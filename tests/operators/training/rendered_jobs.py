"""What executors render, beside the files that say what it was when somebody last looked at it."""

import json
from pathlib import Path

import attrs
from attempts import RUN, WORKLOAD, spec

from windlass.operators.training.files import canonical_json

GOLDEN = Path(__file__).parent / "executors" / "golden"
# Everything that a workload can say of a container and its Pod.
FULL = attrs.evolve(
    WORKLOAD,
    args=("--epochs", "3"),
    env=({"name": "MINE", "value": "1"}, {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "t"}}}),
    resources={"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}},
    volumes=({"name": "runs", "persistentVolumeClaim": {"claimName": "runs"}},),
    volume_mounts=({"name": "runs", "mountPath": "/runs"},),
    service_account_name="trainer",
    image_pull_secrets=({"name": "registry"},),
    node_selector={"gpu": "yes"},
    tolerations=({"key": "gpu", "operator": "Exists"},),
    labels={"team": "vision", "kueue.x-k8s.io/queue-name": "gpus"},
    annotations={"note": "n"},
    nodes=3,
)


def rendered(executor, **changes):
    """The manifest as a value."""
    return json.loads(executor.render(spec(executor=executor.name, **changes), RUN).manifest)


def is_golden(executor, **changes):
    """Whether the manifest is the golden one, byte for byte."""
    plan = executor.render(spec(executor=executor.name, workload=FULL, **changes), RUN)
    assert plan == executor.render(spec(executor=executor.name, workload=FULL, **changes), attrs.evolve(RUN))
    golden = (GOLDEN / f"{executor.name}.json").read_text()
    return plan.manifest == canonical_json(json.loads(golden))


def child(executor, *, status=None, spec=None):
    """An object as a cluster has it."""
    resource = executor.resource
    meta = {"name": "digits-0123456789ab-2", "creationTimestamp": "2026-01-01T00:00:00Z"}
    body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, "spec": spec or {}}
    return body | ({"status": status} if status else {})


def conditions(**states):
    """Conditions by type, each True, False or, being None, not there."""
    return [
        {"type": kind, "status": status, "reason": f"R{kind}", "message": f"it is {kind}"}
        for kind, status in states.items()
        if status is not None
    ]
