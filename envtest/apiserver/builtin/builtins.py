"""The few defaults and rules of built-in kinds that clients lean on; everything else of them is stored as it comes.

Built-in kinds are NOT fully validated or defaulted here: no field is pruned, and only what stands below is checked.
Pure.
"""

import base64
import re
from collections.abc import Callable

from windlass.envtest.apiserver.builtin.accesskinds import RBAC_GROUP, access_faults, prepare_access
from windlass.envtest.apiserver.builtin.defaulting import default_kind
from windlass.envtest.apiserver.builtin.events import NEW_EVENTS, event_faults
from windlass.envtest.apiserver.builtin.pods import pod_faults, pod_update_faults, service_class
from windlass.envtest.apiserver.errors import Fault
from windlass.envtest.apiserver.extension.registrations import complete_hooks, registration_faults
from windlass.envtest.apiserver.extension.webhooks import REGISTRATIONS
from windlass.envtest.apiserver.values import Json, same

__all__ = ("PROTECTED_NAMESPACES", "SYSTEM_NAMESPACES", "built_in_faults", "prepare_create", "prepare_write")

SYSTEM_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
PROTECTED_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})  # N-03


def prepare_create(qualified: str, obj: Json) -> None:
    """What a create sets in a kind whatever the client says. Changes `obj`."""
    prepare = _CREATE.get(qualified)
    if prepare is not None:
        prepare(obj)


def prepare_write(qualified: str, obj: Json) -> None:
    """What every write sets. Changes `obj`."""
    if qualified == "secrets":
        plain = obj.pop("stringData", None) or {}
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
        if encoded:
            obj["data"] = (obj.get("data") or {}) | encoded
        obj.setdefault("type", "Opaque")
    elif qualified.endswith(RBAC_GROUP):
        prepare_access(qualified, obj)
    elif qualified in REGISTRATIONS:
        complete_hooks(qualified, obj)
    elif qualified == "namespaces":
        metadata = obj["metadata"]
        own = {"kubernetes.io/metadata.name": metadata.get("name") or ""}
        metadata["labels"] = (metadata.get("labels") or {}) | own
    else:
        default_kind(qualified, obj)


def _namespace(obj: Json) -> None:
    obj["spec"] = (obj.get("spec") or {}) | {"finalizers": ["kubernetes"]}
    obj["status"] = {"phase": "Active"}


def _pod(obj: Json) -> None:
    obj["status"] = {"phase": "Pending", "qosClass": service_class(obj.get("spec"))}


def _job(obj: Json) -> None:
    obj["status"] = {}
    spec = obj.get("spec")
    if isinstance(spec, dict) and spec.get("manualSelector") is not True and isinstance(spec.get("template"), dict):
        _own_pods(spec, obj["metadata"])


def _own_pods(spec: Json, metadata: Json) -> None:
    """Mark the pods of a job as its own, and select by that mark."""
    mine: Json = {"batch.kubernetes.io/controller-uid": metadata.get("uid")}
    name = metadata.get("name") or ""
    labels = mine | {"batch.kubernetes.io/job-name": name}
    labels |= {"controller-uid": metadata.get("uid"), "job-name": name}  # their older names
    template = spec["template"]
    if not isinstance(template.get("metadata") or {}, dict):
        return
    template["metadata"] = template.get("metadata") or {}
    if isinstance(template["metadata"].get("labels") or {}, dict):
        template["metadata"]["labels"] = (template["metadata"].get("labels") or {}) | labels
    if not spec.get("selector"):
        spec["selector"] = {"matchLabels": mine}


def _claim(obj: Json) -> None:
    obj["status"] = {"phase": "Pending"}  # and so it stays: nobody here has volumes


def _workload(obj: Json) -> None:
    obj["status"] = {}


_CREATE: dict[str, Callable[[Json], None]] = {
    "namespaces": _namespace,
    "pods": _pod,
    "persistentvolumeclaims": _claim,
    "jobs.batch": _job,
    "deployments.apps": _workload,
    "replicasets.apps": _workload,
    "statefulsets.apps": _workload,
}


def built_in_faults(qualified: str, obj: Json, old: Json | None) -> list[Fault]:
    """The rules of a built-in kind."""
    if qualified.endswith(RBAC_GROUP):
        return access_faults(qualified, obj, old)
    if qualified == NEW_EVENTS:
        return event_faults(obj) if old is None else []
    spec = obj.get("spec")
    if qualified in REGISTRATIONS:
        return registration_faults(obj)
    if qualified in _NEEDS and not isinstance(spec, dict):
        return [Fault.required("spec")]
    faults = []
    if isinstance(spec, dict):
        faults += [Fault.required(f"spec.{field}") for field in _NEEDS.get(qualified, ()) if not spec.get(field)]
        faults += pod_faults(qualified, spec) + _selector_faults(qualified, spec)
        if qualified == "services" and not spec.get("ports") and spec.get("type") != "ExternalName":
            faults += [] if spec.get("clusterIP") == "None" else [Fault.required("spec.ports")]
    if qualified in ("configmaps", "secrets"):
        faults += _key_faults(obj) + _frozen(obj, old)
    if old is not None:
        faults += _immutable_faults(qualified, obj, old)
        if qualified == "pods":
            faults += pod_update_faults(obj, old)
    return faults


_IMMUTABLE = {
    "secrets": ("type",),
    "services": ("spec.clusterIP",),
    "deployments.apps": ("spec.selector",),
    "replicasets.apps": ("spec.selector",),
    "statefulsets.apps": ("spec.selector", "spec.serviceName"),
    "jobs.batch": ("spec.selector", "spec.template", "spec.completionMode"),
}
_NEEDS = {
    "pods": ("containers",),
    "jobs.batch": ("template",),
    "deployments.apps": ("selector", "template"),
    "replicasets.apps": ("selector",),
    "statefulsets.apps": ("selector", "template"),
}


_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}\Z")


def _key_faults(obj: Json) -> list[Fault]:
    detail = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
    return [
        Fault.invalid(f"{field}[{key}]", key, detail)
        for field in ("data", "binaryData")
        for key in obj.get(field) or {}
        if not _KEY.match(key) or key == "." or key.startswith("..")
    ]


def _selector_faults(qualified: str, spec: Json) -> list[Fault]:
    selector, template = spec.get("selector"), spec.get("template")
    if qualified not in ("deployments.apps", "replicasets.apps", "statefulsets.apps") or not isinstance(selector, dict):
        return []
    metadata = template.get("metadata") if isinstance(template, dict) else None
    labels = (metadata.get("labels") if isinstance(metadata, dict) else None) or {}
    wanted = selector.get("matchLabels") or {}
    if not isinstance(labels, dict) or not isinstance(wanted, dict):
        return []
    if all(same(labels.get(key), value) for key, value in wanted.items()):
        return []
    return [Fault.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")]


def _immutable_faults(qualified: str, obj: Json, old: Json) -> list[Fault]:
    faults = []
    for path in _IMMUTABLE.get(qualified, ()):
        new, before = (_at(one, path) for one in (obj, old))
        if not same(new, before):
            faults.append(Fault.invalid(path, new, "field is immutable"))
    return faults


def _at(obj: Json, path: str) -> object:
    value: object = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _frozen(obj: Json, old: Json | None) -> list[Fault]:
    if old is None or old.get("immutable") is not True:
        return []
    detail = "field is immutable when `immutable` is set"
    return [Fault.forbidden(field, detail) for field in ("data", "immutable") if obj.get(field) != old.get(field)]
