"""The rules of pods, alone or in a template of a workload: containers, restarts, what of a spec may change. Pure."""

from typing import Any

from windlass.envtest.apiserver.errors import Fault
from windlass.envtest.apiserver.values import Json, same

__all__ = ("pod_faults", "pod_update_faults", "service_class")

_TEMPLATED = ("jobs.batch", "deployments.apps", "replicasets.apps", "statefulsets.apps")
_CHANGEABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")


def pod_faults(qualified: str, spec: Json) -> list[Fault]:
    """Of the spec of a pod, or of a kind that makes pods."""
    path, found = "spec", spec
    if qualified in _TEMPLATED:
        path, found = "spec.template.spec", _object(_object(spec.get("template")).get("spec"))
    elif qualified != "pods":
        return []
    containers = _list(found.get("containers"))
    faults = [
        Fault.required(f"{path}.containers[{index}].{field}")
        for index, container in enumerate(containers)
        for field in ("name", "image")
        if isinstance(container, dict) and not container.get(field)
    ]
    if qualified == "jobs.batch" and containers and (found.get("restartPolicy") or "Always") == "Always":
        faults.append(Fault.required(f"{path}.restartPolicy", 'valid values: "OnFailure", "Never"'))
    return faults


def pod_update_faults(obj: Json, old: Json) -> list[Fault]:
    """Of a pod's spec only images, the deadlines and tolerations may change."""
    new, before = (_object(one.get("spec")) for one in (obj, old))
    if len(_list(new.get("containers"))) != len(_list(before.get("containers"))):
        return [Fault.forbidden("spec.containers", "pod updates may not add or remove containers")]
    if same(_fixed(new), _fixed(before)):
        return []
    detail = (
        "pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, "
        "`spec.activeDeadlineSeconds` or `spec.tolerations` (only additions to existing tolerations)"
    )
    return [Fault.forbidden("spec", detail)]


def service_class(spec: Any) -> str:
    """The quality of service that the resources of a pod's containers make: Guaranteed, Burstable or BestEffort."""
    found = [_object(_object(one).get("resources")) for one in _list(_object(spec).get("containers"))]
    if not any(one.get("limits") or one.get("requests") for one in found):
        return "BestEffort"
    for one in found:
        limits, requests = _object(one.get("limits")), _object(one.get("requests"))
        if not {"cpu", "memory"} <= set(limits) or any(
            not same(limits.get(key), part) for key, part in requests.items()
        ):
            return "Burstable"
    return "Guaranteed"


def _fixed(spec: Json) -> Json:
    fixed = {name: part for name, part in spec.items() if name not in _CHANGEABLE}
    for field in ("containers", "initContainers"):
        if field in fixed:
            fixed[field] = [_object(one) | {"image": ""} for one in _list(fixed[field])]
    return fixed


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
