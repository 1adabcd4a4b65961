"""The few defaults and rules of built-in kinds that clients lean on; everything else of them is stored as it comes.

Built-in kinds are NOT fully validated or defaulted here: no field is pruned, and only what stands below is checked.
Pure.
"""

import base64
from collections.abc import Callable

from windlass.envtest.apiserver.errors import Fault
from windlass.envtest.apiserver.values import Json

__all__ = ("PROTECTED_NAMESPACES", "SYSTEM_NAMESPACES", "built_in_faults", "prepare_create", "prepare_write")

SYSTEM_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
PROTECTED_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})  # N-03


def prepare_create(qualified: str, obj: Json) -> None:
    """What a create sets in a kind besides metadata. Changes `obj`."""
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
    elif qualified in ("deployments.apps", "statefulsets.apps") and isinstance(obj.get("spec"), dict):
        obj["spec"].setdefault("replicas", 1)


def _namespace(obj: Json) -> None:
    metadata = obj["metadata"]
    metadata["labels"] = (metadata.get("labels") or {}) | {"kubernetes.io/metadata.name": metadata.get("name") or ""}
    obj["spec"] = (obj.get("spec") or {}) | {"finalizers": ["kubernetes"]}
    obj["status"] = {"phase": "Active"}


def _pod(obj: Json) -> None:
    obj["status"] = {"phase": "Pending"}
    if isinstance(obj.get("spec"), dict):
        obj["spec"].setdefault("restartPolicy", "Always")


def _job(obj: Json) -> None:
    obj["status"] = {}
    spec = obj.get("spec")
    if isinstance(spec, dict):
        spec.setdefault("parallelism", 1)
        spec.setdefault("completions", 1)
        spec.setdefault("backoffLimit", 6)
        spec.setdefault("suspend", False)


_CREATE: dict[str, Callable[[Json], None]] = {"namespaces": _namespace, "pods": _pod, "jobs.batch": _job}


def built_in_faults(qualified: str, obj: Json, old: Json | None) -> list[Fault]:
    """The rules of a built-in kind."""
    spec = obj.get("spec")
    if qualified in _NEEDS and not isinstance(spec, dict):
        return [Fault.required("spec")]
    faults = []
    if isinstance(spec, dict):
        faults += [Fault.required(f"spec.{field}") for field in _NEEDS.get(qualified, ()) if not spec.get(field)]
    if qualified in ("configmaps", "secrets"):
        faults += _frozen(obj, old)
    if qualified == "configmaps":
        faults += _texts(obj)
    return faults


_NEEDS = {
    "pods": ("containers",),
    "jobs.batch": ("template",),
    "deployments.apps": ("selector", "template"),
    "statefulsets.apps": ("selector", "template"),
}


def _texts(obj: Json) -> list[Fault]:
    data = obj.get("data") or {}
    return [
        Fault.invalid(f"data[{key}]", value, "must be a string")
        for key, value in data.items()
        if not isinstance(value, str)
    ]


def _frozen(obj: Json, old: Json | None) -> list[Fault]:
    if old is None or old.get("immutable") is not True:
        return []
    detail = "field is immutable when `immutable` is set"
    return [Fault.forbidden(field, detail) for field in ("data", "immutable") if obj.get(field) != old.get(field)]
