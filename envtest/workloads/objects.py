"""What controllers of workloads ask of Pods, Nodes and templates, answered from plain JSON objects. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from windlass.informers import Resource

__all__ = (
    "Json",
    "ReplicaSet",
    "active",
    "at",
    "condition",
    "finished",
    "is_ready",
    "owned_by",
    "parse_time",
    "pod_from",
    "template_hash",
    "whole_status",
    "written_time",
)

Json: TypeAlias = dict[str, Any]

ReplicaSet = Resource("apps", "v1", "ReplicaSet", "replicasets")


def at(obj: Mapping[str, Any], *path: str) -> Any:
    """The value at a path of fields, None where something on the way is missing or null."""
    value: Any = obj
    for field in path:
        value = value.get(field) if isinstance(value, Mapping) else None
    return value


def condition(obj: Mapping[str, Any], kind: str) -> Json | None:
    """The condition of a type in the status."""
    found: list[Json] = at(obj, "status", "conditions") or []
    return next((one for one in found if one.get("type") == kind), None)


def finished(pod: Mapping[str, Any]) -> bool:
    """Whether the pod has run to its end, good or bad."""
    return at(pod, "status", "phase") in ("Succeeded", "Failed")


def active(pod: Mapping[str, Any]) -> bool:
    """Whether the pod runs, or will, and is not on its way out."""
    return not finished(pod) and not at(pod, "metadata", "deletionTimestamp")


def is_ready(obj: Mapping[str, Any]) -> bool:
    """Whether the condition Ready is true."""
    return (condition(obj, "Ready") or {}).get("status") == "True"


def owned_by(objects: Iterable[Json], uid: str) -> list[Json]:
    """The objects that this one controls, by name."""
    mine = [
        one
        for one in objects
        if any(ref.get("controller") and ref["uid"] == uid for ref in at(one, "metadata", "ownerReferences") or ())
    ]
    return sorted(mine, key=lambda one: str(one["metadata"]["name"]))


def pod_from(template: Mapping[str, Any], namespace: str, **metadata: Any) -> Json:
    """A Pod as the template says, with more metadata; labels and annotations are added to the template's."""
    given = dict(at(template, "metadata") or {})
    merged: Json = {"namespace": namespace}
    for field in ("labels", "annotations"):
        both = (given.get(field) or {}) | metadata.pop(field, {})
        if both:
            merged[field] = both
    if given.get("finalizers"):
        merged["finalizers"] = list(given["finalizers"])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": merged | metadata, "spec": dict(template.get("spec") or {})}


def template_hash(template: Mapping[str, Any]) -> str:
    """A name for what the template says, the same for equal templates."""
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def whole_status(obj: Mapping[str, Any], status: Mapping[str, Any]) -> Json:
    """The status, with None for the fields that are there and are to go."""
    gone: Json = {name: None for name in at(obj, "status") or {} if name not in status}
    return {**gone, **status}


def parse_time(text: str | None) -> datetime | None:
    """The moment that an object names, None for none."""
    return datetime.fromisoformat(text) if text else None


def written_time(moment: datetime) -> str:
    """A moment as objects have it, in whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
