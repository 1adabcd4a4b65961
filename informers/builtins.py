"""The built-in kinds that controllers meet most; any other is one `Resource(...)` away."""

from windlass.informers.resources import Resource

__all__ = (
    "ConfigMap",
    "CustomResourceDefinition",
    "Deployment",
    "Event",
    "Job",
    "Lease",
    "Namespace",
    "Node",
    "Pod",
    "Secret",
    "Service",
    "ServiceAccount",
    "StatefulSet",
)

Namespace = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
ConfigMap = Resource("", "v1", "ConfigMap", "configmaps")
Secret = Resource("", "v1", "Secret", "secrets")
Event = Resource("", "v1", "Event", "events")
Pod = Resource("", "v1", "Pod", "pods")
Node = Resource("", "v1", "Node", "nodes", namespaced=False)
Service = Resource("", "v1", "Service", "services")
ServiceAccount = Resource("", "v1", "ServiceAccount", "serviceaccounts")
Job = Resource("batch", "v1", "Job", "jobs")
Lease = Resource("coordination.k8s.io", "v1", "Lease", "leases")
Deployment = Resource("apps", "v1", "Deployment", "deployments")
StatefulSet = Resource("apps", "v1", "StatefulSet", "statefulsets")
CustomResourceDefinition = Resource(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
