"""The scale subresource is a window on two fields of its parent; writing it writes `spec.replicas` alone (SS-04)."""

from typing import Any

import attrs

from windlass.envtest.apiserver.errors import ApiError, bad_request, internal_error
from windlass.envtest.apiserver.kinds import Scale
from windlass.envtest.apiserver.store.storage import Stored
from windlass.envtest.apiserver.values import Json, copied
from windlass.envtest.apiserver.verbs.operations import Operations
from windlass.envtest.apiserver.verbs.patching import patched
from windlass.envtest.apiserver.verbs.targets import Target, WriteOptions, write_of
from windlass.envtest.apiserver.views.tables import json_path
from windlass.envtest.apiserver.views.versions import viewed

__all__ = ("get_scale", "patch_scale", "put_scale", "scale_of")


def scale_of(obj: Json, scale: Scale) -> Json:
    """The autoscaling/v1 Scale of an object."""
    replicas, current = _first(obj, scale.spec_replicas), _first(obj, scale.status_replicas)
    if replicas is None:
        raise internal_error(f'the spec replicas field "{scale.spec_replicas}" does not exist')
    selector = _first(obj, scale.label_selector) if scale.label_selector else _match_labels(obj)
    copy = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Json = {"replicas": current or 0}
    if selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: obj["metadata"][field] for field in copy if field in obj["metadata"]},
        "spec": {"replicas": replicas},
        "status": status,
    }


def get_scale(operations: Operations, target: Target) -> Json:
    """GET …/scale."""
    return scale_of(operations.get(target).obj, _scale(target))


def put_scale(operations: Operations, target: Target, body: Any, options: WriteOptions) -> Stored:
    """PUT …/scale: the parent, written; a resource version in the body is a precondition."""
    before = operations.stored(target)
    stored = viewed(before, target.resource)
    spec = body.get("spec") if isinstance(body, dict) else None
    replicas = spec.get("replicas") if isinstance(spec, dict) else None
    if replicas is None:
        raise bad_request(f'the spec replicas field "{_scale(target).spec_replicas}" cannot be empty')
    replicas = _admitted(operations, target, stored.obj, replicas, options=options)
    obj = copied(stored.obj)
    holder = obj
    *parents, last = _scale(target).spec_replicas.strip(".").split(".")
    for part in parents:
        holder = holder.setdefault(part, {})
    holder[last] = replicas
    metadata = body.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    if isinstance(version, str) and version:
        obj["metadata"]["resourceVersion"] = version
    return operations.update_patched(target, obj, before, options)


def patch_scale(operations: Operations, target: Target, patch: Any, options: tuple[str, WriteOptions]) -> Stored:
    """PATCH …/scale with a JSON, merge or strategic patch (content type and options): the parent, written."""
    content_type, write = options
    old = get_scale(operations, target)
    body = patched(old, patch, content_type)
    if body["metadata"].get("resourceVersion") == old["metadata"]["resourceVersion"]:
        del body["metadata"]["resourceVersion"]
    return put_scale(operations, target, body, write)


def _admitted(operations: Operations, target: Target, parent: Json, replicas: Any, *, options: WriteOptions) -> Any:
    """The replicas after admission, which sees the Scale and not its parent."""
    if not operations.admission.concerns(target.resource):
        return replicas
    old = scale_of(parent, _scale(target))
    write = write_of(target, old | {"spec": {"replicas": replicas}}, old, options)
    obj = operations.admission.mutated(write)
    operations.admission.validate(attrs.evolve(write, obj=obj))
    spec = (obj or {}).get("spec")
    return spec.get("replicas") if isinstance(spec, dict) else replicas


def _scale(target: Target) -> Scale:
    if target.resource.scale is None:
        raise ApiError(404, "", "404 page not found", plain=True)
    return target.resource.scale


def _first(obj: Json, path: str) -> Any:
    found = json_path(path)(obj)
    return found[0] if found else None


def _match_labels(obj: Json) -> str:
    selector = (obj.get("spec") or {}).get("selector")
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items()))
