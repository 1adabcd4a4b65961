"""The kinds of roles and bindings, and the kinds of the questions who somebody is and what they may do.

What a role must look like is checked here, what it means is `rbac`'s. Pure.
"""

from collections.abc import Callable
from typing import Any

from windlass.envtest.apiserver.errors import Fault
from windlass.envtest.apiserver.kinds import Column, Resource
from windlass.envtest.apiserver.objects import SUBDOMAIN_RULE, is_subdomain
from windlass.envtest.apiserver.values import Json, same

__all__ = ("ACCESS_KINDS", "ACCESS_SHAPES", "RBAC_GROUP", "access_faults", "prepare_access")

RBAC_GROUP = "rbac.authorization.k8s.io"
_CREATED = Column("Created At", path=".metadata.creationTimestamp")


def _role(obj: Json) -> str:
    reference = obj.get("roleRef") or {}
    return f"{reference.get('kind')}/{reference.get('name')}"


def _subjects(kind: str) -> Callable[[Json], Any]:
    def listed(obj: Json) -> str:
        found = [subject for subject in obj.get("subjects") or () if subject.get("kind") == kind]
        if kind == "ServiceAccount":
            return ", ".join(f"{subject.get('namespace')}/{subject.get('name')}" for subject in found)
        return ", ".join(str(subject.get("name")) for subject in found)

    return listed


_BINDING_COLUMNS = (
    Column("Role", compute=_role),
    Column("Age", "date", ".metadata.creationTimestamp"),
    *(Column(f"{kind}s", priority=1, compute=_subjects(kind)) for kind in ("User", "Group", "ServiceAccount")),
)


def _kind(kind: str, *columns: Column, namespaced: bool) -> Resource:
    return Resource(
        RBAC_GROUP, "v1", kind, f"{kind.lower()}s", namespaced=namespaced, generation=False,
        columns=columns, segment_names=True,
    )  # fmt: skip


def _review(group: str, kind: str, *, namespaced: bool = False) -> Resource:
    return Resource(group, "v1", kind, f"{kind.lower()}s", namespaced=namespaced, review=True, generation=False)


ACCESS_KINDS: tuple[Resource, ...] = (
    _kind("ClusterRoleBinding", *_BINDING_COLUMNS, namespaced=False),
    _kind("ClusterRole", _CREATED, namespaced=False),
    _kind("RoleBinding", *_BINDING_COLUMNS, namespaced=True),
    _kind("Role", _CREATED, namespaced=True),
    _review("authentication.k8s.io", "SelfSubjectReview"),
    _review("authentication.k8s.io", "TokenReview"),
    _review("authorization.k8s.io", "LocalSubjectAccessReview", namespaced=True),
    _review("authorization.k8s.io", "SelfSubjectAccessReview"),
    _review("authorization.k8s.io", "SelfSubjectRulesReview"),
    _review("authorization.k8s.io", "SubjectAccessReview"),
)

_TEXT: Json = {"type": "string", "nullable": True}
_TEXTS: Json = {"type": "array", "nullable": True, "items": {"type": "string"}}


def _object(**properties: Json) -> Json:
    return {"type": "object", "nullable": True, "properties": properties}


def _list(items: Json) -> Json:
    return {"type": "array", "nullable": True, "items": items | {"nullable": False}}


_RULE = _object(**dict.fromkeys(("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"), _TEXTS))
_SELECTOR = _object(
    matchLabels={"type": "object", "nullable": True, "additionalProperties": {"type": "string"}},
    matchExpressions=_list(_object(key=_TEXT, operator=_TEXT, values=_TEXTS)),
)
_ROLE_SHAPE = _object(rules=_list(_RULE), aggregationRule=_object(clusterRoleSelectors=_list(_SELECTOR)))
_BINDING_SHAPE = _object(
    roleRef=_object(apiGroup=_TEXT, kind=_TEXT, name=_TEXT),
    subjects=_list(_object(apiGroup=_TEXT, kind=_TEXT, name=_TEXT, namespace=_TEXT)),
)
ACCESS_SHAPES: dict[str, Json] = {
    f"{plural}.{RBAC_GROUP}": shape
    for plural, shape in (
        ("roles", _ROLE_SHAPE),
        ("clusterroles", _ROLE_SHAPE),
        ("rolebindings", _BINDING_SHAPE),
        ("clusterrolebindings", _BINDING_SHAPE),
    )
}


def prepare_access(qualified: str, obj: Json) -> None:
    """The defaults of roles and bindings. Changes `obj`."""
    if qualified.startswith(("roles.", "clusterroles.")):
        obj["rules"] = obj.get("rules")  # written as null where there are none
        return
    reference = obj.setdefault("roleRef", {})
    if isinstance(reference, dict) and not reference.get("apiGroup"):
        reference["apiGroup"] = RBAC_GROUP
    for subject in obj.get("subjects") or ():
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = RBAC_GROUP


def access_faults(qualified: str, obj: Json, old: Json | None) -> list[Fault]:
    """What is wrong with a role or a binding."""
    namespaced = not qualified.startswith("cluster")
    if qualified.partition(".")[0] in ("roles", "clusterroles"):
        faults = [
            fault
            for index, rule in enumerate(obj.get("rules") or ())
            for fault in _rule_faults(rule, f"rules[{index}]", namespaced=namespaced)
        ]
        return faults + _aggregation_faults(obj)
    faults = _reference_faults(obj.get("roleRef") or {}, namespaced=namespaced)
    for index, subject in enumerate(obj.get("subjects") or ()):
        faults += _subject_faults(subject, f"subjects[{index}]", namespaced=namespaced)
    if old is not None and not same(old.get("roleRef"), obj.get("roleRef")):
        faults.append(Fault.invalid("roleRef", obj.get("roleRef"), "cannot change roleRef"))
    return faults


def _rule_faults(rule: Json, path: str, *, namespaced: bool) -> list[Fault]:
    faults = []
    if not rule.get("verbs"):
        faults.append(Fault.required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        detail = ""
        if namespaced:
            detail = "namespaced rules cannot apply to non-resource URLs"
        elif rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            detail = "rules cannot apply to both regular resources and non-resource URLs"
        return faults + ([Fault.invalid(f"{path}.nonResourceURLs", urls, detail)] if detail else [])
    if not rule.get("apiGroups"):
        faults.append(Fault.required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        faults.append(Fault.required(f"{path}.resources", "resource rules must supply at least one resource"))
    return faults


def _aggregation_faults(obj: Json) -> list[Fault]:
    rule = obj.get("aggregationRule")
    if rule is None or rule.get("clusterRoleSelectors"):
        return []
    detail = "at least one clusterRoleSelector required if aggregationRule is non-nil"
    return [Fault.required("aggregationRule.clusterRoleSelectors", detail)]


def _reference_faults(reference: Json, *, namespaced: bool) -> list[Fault]:
    faults = []
    if reference.get("apiGroup") != RBAC_GROUP:
        faults.append(Fault.unsupported("roleRef.apiGroup", reference.get("apiGroup"), (RBAC_GROUP,)))
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    if reference.get("kind") not in kinds:
        faults.append(Fault.unsupported("roleRef.kind", reference.get("kind") or "", kinds))
    if not reference.get("name"):
        faults.append(Fault.required("roleRef.name"))
    return faults


def _subject_faults(subject: Json, path: str, *, namespaced: bool) -> list[Fault]:
    kind, name, group = subject.get("kind") or "", subject.get("name") or "", subject.get("apiGroup") or ""
    faults = [] if name else [Fault.required(f"{path}.name")]
    match kind:
        case "ServiceAccount":
            if name and not is_subdomain(name):
                faults.append(Fault.invalid(f"{path}.name", name, SUBDOMAIN_RULE))
            if group:
                faults.append(Fault.unsupported(f"{path}.apiGroup", group, ("",)))
            if not namespaced and not subject.get("namespace"):
                faults.append(Fault.required(f"{path}.namespace"))
        case "User" | "Group":
            if group != RBAC_GROUP:
                faults.append(Fault.unsupported(f"{path}.apiGroup", group, (RBAC_GROUP,)))
        case _:
            faults.append(Fault.unsupported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group")))
    return faults
