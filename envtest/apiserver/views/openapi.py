"""OpenAPI documents: enough for `kubectl apply` to validate on the server and to explain custom kinds. Pure.

Version 3 lists, for each group version, the schemas of custom kinds as their CRDs give them, open objects for built-
in kinds, and one path for each kind whose PATCH has the `fieldValidation` parameter (that is what kubectl looks for).
Version 2 is in `openapi_v2`. Built-in kinds' schemas are not simulated.
"""

from windlass.envtest.apiserver.kinds import Registry, Resource
from windlass.envtest.apiserver.values import Json, copied
from windlass.envtest.apiserver.views.discovery import VERSION

__all__ = ("group_version_v3", "paths_v3")

_TITLE = "Windlass embedded API server"


def paths_v3(registry: Registry, revision: int) -> Json:
    """/openapi/v3: where the documents of the group versions are; the hash in the address changes with every write."""
    paths = {}
    for group, versions in registry.groups().items():
        for version in versions:
            place = f"apis/{group}/{version}" if group else f"api/{version}"
            paths[place] = {"serverRelativeURL": f"/openapi/v3/{place}?hash={revision}"}
    return {"paths": paths}


def group_version_v3(registry: Registry, group: str, version: str) -> Json | None:
    """The document of one group version, or None if it is not served."""
    served = [resource for resource in registry if (resource.group, resource.version) == (group, version)]
    if not served:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": _TITLE, "version": VERSION},
        "paths": {path: item for resource in served for path, item in _paths(resource).items()},
        "components": {"schemas": {_name(resource): _schema(resource) for resource in served}},
    }


def _name(resource: Resource) -> str:
    reverse = ".".join(reversed(resource.group.split("."))) if resource.group else "core"
    return f"{reverse}.{resource.version}.{resource.kind}"


def _kind(resource: Resource) -> Json:
    return {"group": resource.group, "kind": resource.kind, "version": resource.version}


def _schema(resource: Resource) -> Json:
    schema: Json = copied(resource.schema) if resource.schema is not None else {"type": "object"}
    own = schema.get("properties") or {}
    texts = {name: {"type": "string"} for name in ("apiVersion", "kind")}
    schema["properties"] = {**texts, "metadata": {"type": "object"}, **own}
    return schema | {"x-kubernetes-group-version-kind": [_kind(resource)]}


def _paths(resource: Resource) -> dict[str, Json]:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    middle = "/namespaces/{namespace}" if resource.namespaced else ""
    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]
    reference = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_name(resource)}"}}}
    answers = {"200": {"description": "OK", "content": reference}}
    patch = {
        "parameters": parameters,
        "responses": answers,
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": _kind(resource),
    }
    get = {"responses": answers, "x-kubernetes-action": "get", "x-kubernetes-group-version-kind": _kind(resource)}
    return {f"{root}{middle}/{resource.plural}/{{name}}": {"get": get, "patch": patch}}
