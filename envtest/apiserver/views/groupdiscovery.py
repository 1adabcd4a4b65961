"""Aggregated discovery says in two documents what else takes one a group: all groups, versions and resources. Pure.

A client asks for it in its Accept header, by the versions it knows; who does not ask gets the plain form (`discovery`).
"""

from collections.abc import Iterable

from windlass.envtest.apiserver.kinds import Registry
from windlass.envtest.apiserver.values import Json
from windlass.envtest.apiserver.views.discovery import resource_list

__all__ = ("aggregated_media_type", "group_discovery")

_GROUP, _KIND, _VERSIONS = "apidiscovery.k8s.io", "APIGroupDiscoveryList", ("v2", "v2beta1")


def aggregated_media_type(accept: str) -> str:
    """The media type to answer with, if the first of an Accept header that is served is aggregated; else empty."""
    for choice in accept.split(","):
        media, *parameters = (part.strip() for part in choice.split(";"))
        given = dict(part.split("=", 1) for part in parameters if "=" in part)
        if media not in ("application/json", "application/*", "*/*"):
            continue
        if "as" not in given:
            return ""
        version = given.get("v", "")
        if (given.get("g"), given["as"]) == (_GROUP, _KIND) and version in _VERSIONS:
            return f"application/json;g={_GROUP};v={version};as={_KIND}"
    return ""


def group_discovery(registry: Registry, media_type: str, *, core: bool) -> Json:
    """The document of /api (`core`) or /apis."""
    version = media_type.partition(";v=")[2].partition(";")[0]
    groups = [(name, versions) for name, versions in registry.groups().items() if core is (not name)]
    items = [_group(registry, name, versions) for name, versions in groups]
    return {"kind": _KIND, "apiVersion": f"{_GROUP}/{version}", "metadata": {}, "items": items}


def _group(registry: Registry, name: str, versions: Iterable[str]) -> Json:
    metadata: Json = {"name": name} if name else {}
    listed = [
        {"version": version, "resources": _resources(registry, name, version), "freshness": "Current"}
        for version in versions
    ]
    return {"metadata": metadata | {"creationTimestamp": None}, "versions": listed}


def _resources(registry: Registry, group: str, version: str) -> list[Json]:
    found: dict[str, Json] = {}
    for entry in (resource_list(registry, group, version) or {})["resources"]:
        name, _, subresource = entry["name"].partition("/")
        kind = {"group": entry.get("group", group), "version": entry.get("version", version), "kind": entry["kind"]}
        if subresource:
            one = {"subresource": subresource, "responseKind": kind, "verbs": entry["verbs"]}
            found[name].setdefault("subresources", []).append(one)
            continue
        found[name] = {
            "resource": name,
            "responseKind": kind,
            "scope": "Namespaced" if entry["namespaced"] else "Cluster",
            "singularResource": entry["singularName"],
            "verbs": entry["verbs"],
        } | {field: entry[field] for field in ("shortNames", "categories") if field in entry}
    return list(found.values())
