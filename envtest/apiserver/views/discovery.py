"""Discovery documents are computed from the registry at each request, so they never lag behind it (T-03). Pure.

This is the plain form; `groupdiscovery` makes the aggregated one of it.
"""

from windlass.envtest.apiserver.kinds import VERBS, Registry, Resource
from windlass.envtest.apiserver.values import Json

__all__ = ("VERSION", "api_versions", "group", "group_list", "resource_list", "version_info")

VERSION = "v1.32.0+windlass"


def version_info() -> Json:
    """The document of /version: the API level that is imitated, and by whom."""
    return {
        "major": "1",
        "minor": "32",
        "gitVersion": VERSION,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "CPython",
        "platform": "windlass/embedded",
    }


def api_versions(address: str) -> Json:
    """/api."""
    servers = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": servers}


def group_list(registry: Registry) -> Json:
    """/apis."""
    groups = [_group(name, versions) for name, versions in registry.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(registry: Registry, name: str) -> Json | None:
    """/apis/<group>, or None if there is none."""
    versions = registry.groups().get(name) if name else None
    return {"kind": "APIGroup", "apiVersion": "v1"} | _group(name, versions) if versions else None


def _group(name: str, versions: list[str]) -> Json:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def resource_list(registry: Registry, group_name: str, version: str) -> Json | None:
    """/api/v1 or /apis/<group>/<version>, or None if it is not served."""
    served = [resource for resource in registry if (resource.group, resource.version) == (group_name, version)]
    if not served:
        return None
    entries = [entry for resource in served for entry in _entries(resource)]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": served[0].api_version, "resources": entries}


def _entries(resource: Resource) -> list[Json]:
    entry: Json = {
        "name": resource.plural,
        "singularName": resource.singular or resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    entries = [entry]
    for name, present in (("status", resource.status), ("scale", resource.scale is not None)):
        if present:
            entries.append(_subresource(resource, name))
    if resource.qualified == "namespaces":
        entries.append(_subresource(resource, "finalize") | {"verbs": ["update"]})
    if resource.qualified == "serviceaccounts":
        token = {"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest", "verbs": ["create"]}
        entries.append(_subresource(resource, "token") | token)
    if resource.qualified == "pods":
        entries.append(_subresource(resource, "binding") | {"kind": "Binding", "verbs": ["create"]})
    return entries


def _verbs(resource: Resource) -> list[str]:
    if resource.review:
        return ["create"]
    return [verb for verb in VERBS if not resource.terminating or verb not in ("create", "patch", "update")]


def _subresource(resource: Resource, name: str) -> Json:
    entry: Json = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": ["get", "patch", "update"],
    }
    return entry | {"group": "autoscaling", "version": "v1", "kind": "Scale"} if name == "scale" else entry
