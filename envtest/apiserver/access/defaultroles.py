"""The roles and bindings that every cluster begins with, as data: the administrator's, those of users, of discovery.

As in Kubernetes 1.20 but for what only its own components are bound to. `admin`, `edit` and `view` are gathered from
roles with a label, so that a definition may add its kind to them.
"""

from collections.abc import Iterable, Iterator

from windlass.envtest.apiserver.access.aggregation import aggregated
from windlass.envtest.apiserver.access.authorization import RBAC_GROUP
from windlass.envtest.apiserver.identity import AUTHENTICATED, MASTERS, UNAUTHENTICATED
from windlass.envtest.apiserver.values import Json

__all__ = ("default_roles",)

_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_AUTOUPDATE = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
_BOOTSTRAP = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_TO = f"{RBAC_GROUP}/aggregate-to-"


def _rule(verbs: Iterable[str], group: str, resources: str) -> Json:
    return {"apiGroups": [group], "resources": resources.split(), "verbs": list(verbs)}


def _paths(paths: str) -> Json:
    return {"nonResourceURLs": paths.split(), "verbs": ["get"]}


_HEALTH = "/healthz /livez /readyz /version /version/"
_PLAIN: dict[str, list[Json]] = {
    "cluster-admin": [_rule("*", "*", "*"), {"nonResourceURLs": ["*"], "verbs": ["*"]}],
    "system:basic-user": [
        _rule(["create"], "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
        _rule(["create"], "authentication.k8s.io", "selfsubjectreviews"),
    ],
    "system:discovery": [
        _paths("/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/")
    ],
    "system:public-info-viewer": [_paths(_HEALTH)],
}
_BOUND = {
    "cluster-admin": (MASTERS,),
    "system:basic-user": (AUTHENTICATED,),
    "system:discovery": (AUTHENTICATED,),
    "system:public-info-viewer": (AUTHENTICATED, UNAUTHENTICATED),
}
_PODS = "pods/attach pods/exec pods/portforward pods/proxy"
_PARTS: dict[str, list[Json]] = {
    "view": [
        _rule(
            _READ,
            "",
            "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers "
            "replicationcontrollers/scale serviceaccounts services services/status",
        ),
        _rule(
            _READ,
            "",
            "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status "
            "resourcequotas resourcequotas/status",
        ),
        _rule(_READ, "", "namespaces"),
        _rule(
            _READ,
            "apps",
            "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status "
            "replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
        ),
        _rule(_READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
        _rule(_READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
        _rule(_READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
        _rule(_READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
    ],
    "edit": [
        _rule(_READ, "", f"{_PODS} secrets services/proxy"),
        _rule(["impersonate"], "", "serviceaccounts"),
        _rule(_WRITE, "", f"pods {_PODS}"),
        _rule(
            _WRITE,
            "",
            "configmaps endpoints persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets "
            "serviceaccounts services services/proxy",
        ),
        _rule(
            _WRITE,
            "apps",
            "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets "
            "statefulsets/scale",
        ),
        _rule(_WRITE, "autoscaling", "horizontalpodautoscalers"),
        _rule(_WRITE, "batch", "cronjobs jobs"),
        _rule(_WRITE, "policy", "poddisruptionbudgets"),
        _rule(_WRITE, "networking.k8s.io", "ingresses networkpolicies"),
    ],
    "admin": [
        _rule(["create"], "authorization.k8s.io", "localsubjectaccessreviews"),
        _rule([*_WRITE[:3], "get", "list", *_WRITE[3:], "watch"], RBAC_GROUP, "rolebindings roles"),
    ],
}  # fmt: skip
_NEXT = {"view": "edit", "edit": "admin"}


def default_roles() -> Iterator[Json]:
    """The ClusterRoles and ClusterRoleBindings, in the order in which they may be created."""
    roles = [_role(name, rules) for name, rules in _PLAIN.items()]
    parts = [_role(f"system:aggregate-to-{name}", rules, {f"{_TO}{name}": "true"}) for name, rules in _PARTS.items()]
    gathered: list[Json] = []
    for name in _PARTS:
        labels = {f"{_TO}{_NEXT[name]}": "true"} if name in _NEXT else {}
        role = _role(name, [], labels)
        role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {f"{_TO}{name}": "true"}}]}
        role["rules"] = aggregated(role, [*parts, *gathered])
        gathered.append(role)
    yield from (*roles, *parts, *gathered)
    for name, groups in _BOUND.items():
        subjects = [{"kind": "Group", "apiGroup": RBAC_GROUP, "name": group} for group in groups]
        reference = {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": name}
        yield _object("ClusterRoleBinding", name, {}) | {"roleRef": reference, "subjects": subjects}


def _role(name: str, rules: list[Json], labels: dict[str, str] | None = None) -> Json:
    return _object("ClusterRole", name, labels or {}) | {"rules": rules}


def _object(kind: str, name: str, labels: dict[str, str]) -> Json:
    metadata = {"name": name, "annotations": dict(_AUTOUPDATE), "labels": _BOOTSTRAP | labels}
    return {"apiVersion": f"{RBAC_GROUP}/v1", "kind": kind, "metadata": metadata}
