"""Whose object it is stands on the object: job, run, attempt and operation, the same for everybody who renders it (G2).

The name, labels and annotations follow from the run alone. An object without our operation and our job's uid is
somebody else's, whatever its name. Pure. This module does not know what the objects do.
"""

from collections.abc import Mapping
from typing import Any, Final

from windlass.informers.resources import Resource
from windlass.operators.training.executors.contract import Run
from windlass.operators.training.identity import child_name

__all__ = (
    "ATTEMPT_LABEL",
    "JOB_ANNOTATION",
    "OPERATION_ANNOTATION",
    "OWNER_UID_ANNOTATION",
    "RUN_LABEL",
    "annotations_of",
    "dressed",
    "is_ours",
    "labels_of",
    "operation_of",
)

RUN_LABEL: Final = "ai.windlass.dev/run"
ATTEMPT_LABEL: Final = "ai.windlass.dev/attempt"
JOB_ANNOTATION: Final = "ai.windlass.dev/training-job"
OPERATION_ANNOTATION: Final = "ai.windlass.dev/operation-id"
OWNER_UID_ANNOTATION: Final = "ai.windlass.dev/owner-uid"


def labels_of(run: Run) -> dict[str, str]:
    """What an attempt's object and all its Pods are selected by."""
    return {RUN_LABEL: run.id, ATTEMPT_LABEL: str(run.attempt)}


def annotations_of(run: Run) -> dict[str, str]:
    """Whose an attempt's object and Pods are. Not labels: names may be longer than those can be."""
    return {JOB_ANNOTATION: run.key.name, OPERATION_ANNOTATION: run.op_id, OWNER_UID_ANNOTATION: run.uid}


def dressed(resource: Resource, body: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """`body` with apiVersion, kind, the attempt's name and the job's namespace, our labels and annotations."""
    metadata = dict(body.get("metadata") or {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels_of(run)}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations_of(run)}
    metadata |= {"name": child_name(run.key.name, run.id, run.attempt), "namespace": run.key.namespace}
    return {**body, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}


def operation_of(found: Mapping[str, Any], uid: str) -> str | None:
    """The operation id on an object of the job with this uid; None for an object that is not the job's."""
    annotations = (found.get("metadata") or {}).get("annotations") or {}
    operation = annotations.get(OPERATION_ANNOTATION)
    return str(operation) if uid and operation and annotations.get(OWNER_UID_ANNOTATION) == uid else None


def is_ours(found: Mapping[str, Any], run: Run) -> bool:
    """Whether an object is this very attempt's."""
    return operation_of(found, run.uid) == run.op_id
