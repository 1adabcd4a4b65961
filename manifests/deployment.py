"""What runs an operator in a cluster, as plain JSON values: an account, its roles, a volume, one pod that is not root.

Values, not templates: what differs from place to place (namespace, image, replicas, metrics) is an overlay's.
"""

from collections.abc import Sequence
from typing import Any, Final

import attrs

from windlass.manifests.rbac import Need, rules

__all__ = ("Program", "account", "deployment", "metrics_service", "namespace", "role_documents", "volume_claim")

_USER: Final = 65532
_PROBE_PORT: Final = 8080
_STOP_SECONDS: Final = 45  # an orderly stop takes 30 s at most


@attrs.frozen
class Program:
    """An operator's program. ``everywhere`` and ``at_home`` are what it needs, as ``permissions_of`` tells.

    ``arguments`` are those of the image's entry point; ``data`` is where its volume is mounted.
    """

    name: str
    namespace: str
    image: str
    version: str
    everywhere: tuple[Need, ...]
    at_home: tuple[Need, ...] = ()
    arguments: tuple[str, ...] = ("run",)
    data: str = "/var/lib/windlass"
    storage: str = "5Gi"

    @property
    def labels(self) -> dict[str, str]:
        """What selects its pods."""
        return {"app.kubernetes.io/name": self.name}


def _meta(program: Program, *, namespaced: bool = True) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": program.name, "labels": program.labels}
    return {**metadata, "namespace": program.namespace} if namespaced else metadata


def namespace(name: str) -> dict[str, Any]:
    """A namespace that lets in pods without privileges alone."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def account(program: Program) -> dict[str, Any]:
    """The account that the pod runs under."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(program)}


def role_documents(program: Program, needs: Sequence[Need], *, cluster: bool) -> list[dict[str, Any]]:
    """A role with these needs and its binding to the account; for the cluster, or for the program's own namespace."""
    kind = "ClusterRole" if cluster else "Role"
    subject = {"kind": "ServiceAccount", "name": program.name, "namespace": program.namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": program.name}
    header = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": _meta(program, namespaced=not cluster)}
    return [
        {**header, "kind": kind, "rules": rules(needs)},
        {**header, "kind": f"{kind}Binding", "roleRef": reference, "subjects": [subject]},
    ]


def volume_claim(program: Program) -> dict[str, Any]:
    """What must survive the pod."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": program.storage}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": _meta(program), "spec": spec}


def deployment(program: Program) -> dict[str, Any]:
    """One pod, which is replaced rather than doubled, as the volume belongs to one pod at a time."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _meta(program),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": program.labels},
            "template": {"metadata": {"labels": program.labels}, "spec": _pod(program)},
        },
    }


def _pod(program: Program) -> dict[str, Any]:
    return {
        "serviceAccountName": program.name,
        "terminationGracePeriodSeconds": _STOP_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": program.name,
                "image": program.image,
                "args": [*program.arguments, f"--probe-port={_PROBE_PORT}"],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "ports": [{"name": "probes", "containerPort": _PROBE_PORT}],
                "startupProbe": _probe("readyz", 5, failureThreshold=36),
                "readinessProbe": _probe("readyz", 20),
                "livenessProbe": _probe("healthz", 30),
                "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
                "volumeMounts": [{"name": "data", "mountPath": program.data}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - a volume of the pod's own
            }
        ],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": program.name}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }


def _probe(path: str, period_seconds: int, **more: int) -> dict[str, Any]:
    # From inside: the probe server listens on loopback, so that nobody else can read what it tells.
    code = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{_PROBE_PORT}/{path}', timeout=3)"
    return {"exec": {"command": ["python", "-c", code]}, "timeoutSeconds": 5, "periodSeconds": period_seconds, **more}


def metrics_service(program: Program) -> dict[str, Any]:
    """Where Prometheus finds the metrics, which want the token of the Secret ``<name>-metrics``."""
    metadata = _meta(program)
    metadata["name"] = f"{program.name}-metrics"
    scraped = {"prometheus.io/scrape": "true", "prometheus.io/port": str(_PROBE_PORT), "prometheus.io/path": "/metrics"}
    ports = [{"name": "metrics", "port": _PROBE_PORT, "targetPort": "probes"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata, "annotations": scraped},
        "spec": {"selector": program.labels, "ports": ports},
    }
