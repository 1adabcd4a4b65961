"""What Kubernetes fills into workloads and services where the client says nothing, so that an operator meets it here.

An operator that compares what it wrote with what it reads finds fields that it never set; one that does not bear that
reconciles for ever. As in `pkg/apis/*/v1/defaults.go` for the fields named below. Values of odd types are left alone.
"""

from collections.abc import Callable, Iterator
from typing import Any

from windlass.envtest.apiserver.values import Json, copied

__all__ = ("default_kind",)

_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_POD_SPEC = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
}
_MODE = 420  # 0644
_NOT_READY = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def _maps(value: Any) -> Iterator[Json]:
    yield from (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def _map(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _fill(obj: Json, defaults: Json) -> None:
    """Set what is missing or null; the values are copied."""
    for field, value in defaults.items():
        if obj.get(field) is None:
            obj[field] = copied(value) if isinstance(value, dict | list) else value


def _pod(obj: Json) -> None:
    """Its spec, and what admission adds to every pod."""
    spec = obj["spec"]
    _pod_spec(spec)
    for container in (*_maps(spec.get("containers")), *_maps(spec.get("initContainers"))):
        resources = _map(container.get("resources"))
        if isinstance(resources.get("limits"), dict):
            resources["requests"] = copied(resources["limits"]) | _map(resources.get("requests"))
    _fill(spec, {"enableServiceLinks": True, "priority": 0, "preemptionPolicy": "PreemptLowerPriority"})
    tolerations = list(_maps(spec.get("tolerations")))
    for key in _NOT_READY:
        if not any(
            one.get("key") in (key, None, "") and one.get("effect") in ("NoExecute", None) for one in tolerations
        ):
            one = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            spec["tolerations"] = [*(spec.get("tolerations") or ()), one]


def _pod_spec(spec: Json) -> None:
    _fill(spec, _POD_SPEC | {"securityContext": {}})
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for container in (*_maps(spec.get("containers")), *_maps(spec.get("initContainers"))):
        _container(container)
        if spec.get("hostNetwork") is True:
            for port in _maps(container.get("ports")):
                _fill(port, {"hostPort": port.get("containerPort")})
    for volume in _maps(spec.get("volumes")):
        _volume(volume)


def _container(container: Json) -> None:
    image = container.get("image")
    if isinstance(image, str):
        tag = image.rpartition("/")[2].partition(":")[2]
        newest = "@" not in image and tag in ("", "latest")
        _fill(container, {"imagePullPolicy": "Always" if newest else "IfNotPresent"})
    _fill(
        container,
        {"resources": {}, "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"},
    )
    for port in _maps(container.get("ports")):
        _fill(port, {"protocol": "TCP"})
    for variable in _maps(container.get("env")):
        reference = _map(variable.get("valueFrom")).get("fieldRef")
        if isinstance(reference, dict):
            _fill(reference, {"apiVersion": "v1"})
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(name), dict):
            _fill(container[name], _PROBE)
            _request(container[name])
    for handler in _map(container.get("lifecycle")).values():
        _request(handler)


def _request(handler: Any) -> None:
    request = _map(handler).get("httpGet")
    if isinstance(request, dict):
        _fill(request, {"path": "/", "scheme": "HTTP"})


_SOURCES: dict[str, Json] = {
    "secret": {"defaultMode": _MODE},
    "configMap": {"defaultMode": _MODE},
    "downwardAPI": {"defaultMode": _MODE},
    "projected": {"defaultMode": _MODE},
    "hostPath": {"type": ""},
}


def _volume(volume: Json) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for name, defaults in _SOURCES.items():
        if isinstance(volume.get(name), dict):
            _fill(volume[name], defaults)
    sources = (volume.get("downwardAPI"), *(_map(one).get("downwardAPI") for one in _projections(volume)))
    for source in sources:
        for item in _maps(_map(source).get("items")):
            if isinstance(item.get("fieldRef"), dict):
                _fill(item["fieldRef"], {"apiVersion": "v1"})
    for one in _projections(volume):
        if isinstance(one.get("serviceAccountToken"), dict):
            _fill(one["serviceAccountToken"], {"expirationSeconds": 3600})


def _projections(volume: Json) -> Iterator[Json]:
    return _maps(_map(volume.get("projected")).get("sources"))


def _deployment(obj: Json) -> None:
    spec = obj["spec"]
    _fill(spec, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600, "strategy": {}})
    _template(spec)
    _rolling(spec["strategy"], {"maxUnavailable": "25%", "maxSurge": "25%"})


def _replica_set(obj: Json) -> None:
    _fill(obj["spec"], {"replicas": 1})
    _template(obj["spec"])


def _stateful_set(obj: Json) -> None:
    spec = obj["spec"]
    _fill(spec, {"replicas": 1, "revisionHistoryLimit": 10})
    _fill(spec, {"podManagementPolicy": "OrderedReady", "updateStrategy": {}})
    _template(spec)
    _rolling(spec["updateStrategy"], {"partition": 0})
    for claim in _maps(spec.get("volumeClaimTemplates")):
        _fill(claim, {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}})
        if isinstance(claim.get("spec"), dict):
            _fill(claim["spec"], {"volumeMode": "Filesystem"})


def _template(spec: Json) -> None:
    pod = _map(spec.get("template")).get("spec")
    if isinstance(pod, dict):
        _pod_spec(pod)


def _rolling(strategy: Any, defaults: Json) -> None:
    if isinstance(strategy, dict):
        _fill(strategy, {"type": "RollingUpdate"})
        if strategy["type"] == "RollingUpdate":
            _fill(strategy, {"rollingUpdate": {}})
            _fill(_map(strategy["rollingUpdate"]), defaults)


def _job(obj: Json) -> None:
    """A Job that says neither how many nor how many at once is one pod."""
    spec = obj["spec"]
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    _fill(spec, {"parallelism": 1, "backoffLimit": 6, "suspend": False})
    _template(spec)
    labels = _map(_map(spec.get("template")).get("metadata")).get("labels")
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = copied(labels)


def _service(obj: Json) -> None:
    spec = obj["spec"]
    _fill(spec, {"type": "ClusterIP", "sessionAffinity": "None"})
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _fill(spec, {"externalTrafficPolicy": "Cluster"})
    for port in _maps(spec.get("ports")):
        _fill(port, {"protocol": "TCP"})
        if spec.get("clusterIP") != "None" or port.get("targetPort") is None:
            _fill(port, {"targetPort": port.get("port")})
    _fill(obj, {"status": {}})
    if isinstance(obj["status"], dict):
        _fill(obj["status"], {"loadBalancer": {}})


def _claim(obj: Json) -> None:
    _fill(obj["spec"], {"volumeMode": "Filesystem"})


_BY_KIND: dict[str, Callable[[Json], None]] = {
    "pods": _pod,
    "persistentvolumeclaims": _claim,
    "deployments.apps": _deployment,
    "replicasets.apps": _replica_set,
    "statefulsets.apps": _stateful_set,
    "jobs.batch": _job,
    "services": _service,
}


def default_kind(qualified: str, obj: Json) -> None:
    """Fill in the defaults of a built-in kind. Changes `obj`."""
    default = _BY_KIND.get(qualified)
    if default is not None and isinstance(obj.get("spec"), dict):
        default(obj)
