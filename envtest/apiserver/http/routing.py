"""A path either names something in the registry or it does not exist; this module reads paths, nothing else. Pure."""

from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.kinds import Registry, Resource
from windlass.envtest.apiserver.verbs.targets import Target

__all__ = ("find_target", "missing_path")


def missing_path() -> ApiError:
    """E-02: nothing is there. The text is plain in Kubernetes; `handlers` sends it so."""
    return ApiError(404, "", "404 page not found", plain=True)


def find_target(path: str, registry: Registry) -> Target:
    """What a resource path names; raises 404 for what is not served."""
    parts = path.removeprefix("/").removesuffix("/").split("/")
    if "" in parts:
        raise missing_path()
    if parts[:1] == ["api"] and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise missing_path()
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and not (len(rest) == 3 and rest[2] in ("status", "finalize")):
        namespace, rest = rest[1], rest[2:]
    resource = registry.find(group, version, rest[0])
    if resource is None or len(rest) > 3:
        raise missing_path()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if bool(namespace) > resource.namespaced or (name and resource.namespaced and not namespace):
        raise missing_path()
    if subresource and not _has(resource, subresource):
        raise missing_path()
    return Target(resource, namespace, name, subresource)


def _has(resource: Resource, subresource: str) -> bool:
    """SS-03."""
    match subresource:
        case "status":
            return resource.status
        case "scale":
            return resource.scale is not None
        case "finalize":
            return resource.qualified == "namespaces"
        case "token":
            return resource.qualified == "serviceaccounts"
        case "binding":
            return resource.qualified == "pods"
    return False
