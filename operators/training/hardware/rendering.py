"""A Pod template says exactly what its placement says, and nothing of any other class: equal arguments, equal bytes.

Devices are asked for in one of two forms. For a device plugin the container has the extended resource, request and
limit alike. With DRA it refers to a claim, made from a ResourceClaimTemplate, and has no extended resource; both in one
Pod are refused (C1). This module does not know nodes, nor who makes a Pod of the template.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from windlass.manifests.quantities import Quantity
from windlass.operators.errors import HardwareInvalid
from windlass.operators.training.hardware.answer import Placement
from windlass.operators.training.hardware.undressing import CLAIM, Json, containers_of, undress

__all__ = ("BATCH_SIZE", "check_template", "claim_template", "dress")

BATCH_SIZE: Final = "WINDLASS_BATCH_SIZE"
"""The variable with the batch size that is meant for a CPU; it counts before the hyperparameter `batchSize`."""
_THREADS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_DOMAIN_WEIGHT: Final = 100
_NODES_WEIGHT: Final = 10
_FLAT: Final = "resource.k8s.io/v1beta1"  # the version in which a request has no alternatives yet
_REQUEST: Final = "devices"


def dress(template: Mapping[str, Any], placement: Placement) -> Json:
    """The template of a Pod (`metadata` and `spec`) for a placement; its first container gets the devices.

    What the template says of other classes is removed. Raises HardwareInvalid for a template which cannot be brought to
    one form, that is for fractional devices, or claims of its own beside an extended resource.
    """
    profile = placement.of.profile
    made = undress(template, [one for one in placement.profiles if one.name != profile.name], kept=profile)
    spec = made["spec"]
    containers = spec.get("containers") or []
    if not containers:
        raise HardwareInvalid("spec.containers: expected a container that gets the devices, found none")
    _give(containers[0], placement)
    if placement.claim_version:
        spec["resourceClaims"] = [
            *spec.get("resourceClaims", ()),
            {"name": CLAIM, "resourceClaimTemplateName": placement.claim},
        ]
    variables = {**profile.env, **_cpu_variables(containers[0], placement)}
    for container in containers_of(spec):
        _set_env(container, variables)
    found = spec.get("tolerations") or []
    more = [body for one in profile.tolerations if (body := one.body()) not in found]
    if more:
        spec["tolerations"] = [*found, *more]
    _attract(spec, placement)
    check_template(made)
    return made


def claim_template(placement: Placement, namespace: str) -> Json | None:
    """The ResourceClaimTemplate of a placement; None if its devices are not claimed."""
    if not placement.claim_version:
        return None
    profile, spec = placement.of.profile, placement.spec
    request: Json = {"deviceClassName": profile.device_class, "allocationMode": "ExactCount", "count": spec.devices}
    if placement.of.model is not None and profile.model_selector is not None:
        expression = profile.model_selector.replace("{model}", placement.of.model)
        request["selectors"] = [{"cel": {"expression": expression}}]
    if placement.claim_version == _FLAT:
        request = {"name": _REQUEST, **request}
    else:
        request = {"name": _REQUEST, "exactly": request}
    devices: Json = {"requests": [request]}
    if spec.alignment is not None:
        attribute = f"resource.kubernetes.io/{spec.alignment}"
        devices["constraints"] = [{"requests": [_REQUEST], "matchAttribute": attribute}]
    return {
        "apiVersion": placement.claim_version,
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": placement.claim, "namespace": namespace},
        "spec": {"spec": {"devices": devices}},
    }


def check_template(template: Mapping[str, Any]) -> None:
    """Raise HardwareInvalid for devices in fractions, requests unlike limits, and both forms in one Pod (C1)."""
    spec = template.get("spec") or {}
    extended: set[str] = set()
    for container in containers_of(spec):
        where = f"container {container.get('name', '?')}"
        resources = container.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        for name in sorted(one for one in {*requests, *limits} if _is_extended(one)):
            extended.add(name)
            amount = str(limits.get(name, "none"))
            if name in requests and str(requests[name]) != amount:
                raise HardwareInvalid(
                    f"{where}: {name}: expected a request equal to the limit, found {requests[name]} and {amount}"
                )
            if not _is_whole(amount):
                raise HardwareInvalid(f"{where}: {name}: expected a whole number of devices, found {amount}")
    claims = [one.get("name") for one in spec.get("resourceClaims") or ()]
    if extended and claims:
        raise HardwareInvalid(
            f"a Pod asks for devices in one form: found the claims {', '.join(map(str, claims))} beside the extended "
            f"resources {', '.join(sorted(extended))}"
        )


def _is_extended(resource: str) -> bool:
    domain, slash, _ = resource.partition("/")
    return bool(slash) and domain != "kubernetes.io" and not domain.endswith(".kubernetes.io")


def _is_whole(amount: str) -> bool:
    try:
        value = Quantity(amount).value
    except ValueError:
        return False
    return value > 0 and value == value.to_integral_value()


def _give(container: Json, placement: Placement) -> None:
    spec, profile = placement.spec, placement.of.profile
    amounts: Json = {}
    if profile.resource is None:
        amounts = {name: str(amount) for name, amount in sorted(spec.cpu.resources.items())}
    elif placement.form == "DevicePlugin":
        amounts = {profile.resource: str(spec.devices)}
    resources: Json = dict(container.get("resources") or {})
    for kind in ("requests", "limits"):
        if amounts:
            resources[kind] = {**(resources.get(kind) or {}), **amounts}
    if placement.claim_version:
        resources["claims"] = [*resources.get("claims", ()), {"name": CLAIM}]
    if resources:
        container["resources"] = resources


def _cpu_variables(container: Json, placement: Placement) -> Mapping[str, str]:
    if placement.of.profile.resource is not None:
        return {}
    fallback, resources = placement.spec.cpu, container.get("resources") or {}
    cpus = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}.get("cpu")
    threads = fallback.threads or (None if cpus is None else max(1, int(Quantity(str(cpus)).value)))
    told = {} if threads is None else dict.fromkeys(_THREADS, str(threads))
    return told if fallback.batch_size is None else {**told, BATCH_SIZE: str(fallback.batch_size)}


def _set_env(container: Json, variables: Mapping[str, str]) -> None:
    if variables:
        kept = [one for one in container.get("env") or () if one.get("name") not in variables]
        container["env"] = [*kept, *({"name": name, "value": value} for name, value in sorted(variables.items()))]


def _attract(spec: Json, placement: Placement) -> None:
    """Keep the Pods to what was chosen: for certain to model and required domain, if possible to the very nodes."""
    label, domain = placement.of.profile.model_label, placement.domain
    required = [_among(label, placement.models)] if label is not None and placement.models else []
    preferred = []
    if domain is not None and domain.required:
        required.append(_among(domain.label, (domain.value,)))
    elif domain is not None:
        preferred.append((_DOMAIN_WEIGHT, _among(domain.label, (domain.value,))))
    if placement.nodes:
        preferred.append((_NODES_WEIGHT, _among("kubernetes.io/hostname", sorted(set(placement.nodes)))))
    if not required and not preferred:
        return
    affinity: Json = dict(spec.get("affinity") or {})
    node: Json = dict(affinity.get("nodeAffinity") or {})
    if required:
        name = "requiredDuringSchedulingIgnoredDuringExecution"
        terms = (node.get(name) or {}).get("nodeSelectorTerms") or [{}]
        # Terms are alternatives, so what is required is required in each of them.
        node[name] = {
            "nodeSelectorTerms": [
                {**term, "matchExpressions": [*term.get("matchExpressions", ()), *required]} for term in terms
            ]
        }
    if preferred:
        name = "preferredDuringSchedulingIgnoredDuringExecution"
        terms = [{"weight": weight, "preference": {"matchExpressions": [one]}} for weight, one in preferred]
        node[name] = [*node.get(name, ()), *terms]
    spec["affinity"] = {**affinity, "nodeAffinity": node}


def _among(key: str, values: Iterable[str]) -> Json:
    return {"key": key, "operator": "In", "values": list(values)}
