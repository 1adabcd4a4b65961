"""What a request wants to do is read from its method, path and query alone, before anybody asks whether that exists.

So a user who may not do a thing learns nothing of it, not even that its kind is not served. Pure.
"""

from collections.abc import Mapping

import attrs

from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.queries import flag
from windlass.envtest.apiserver.selectors import parse_fields

__all__ = ("Attributes", "attributes_of")

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = ("status", "finalize")


@attrs.frozen
class Attributes:
    """A verb on a resource, or (`path` set, nothing else) on a path that is none."""

    verb: str
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def combined(self) -> str:
        """The resource with its subresource, as roles name it: `pods/status`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @property
    def qualified(self) -> str:
        """The resource with its group: `deployments.apps`."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


def attributes_of(method: str, path: str, query: Mapping[str, str]) -> Attributes:
    """A-04: a GET of a collection is a list or a watch, a DELETE of one is a deletecollection."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, rest = "", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, rest = parts[1], parts[3:]
    else:
        return Attributes(method.lower(), path)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    resource, name, subresource = (*rest[:3], "", "")[:3]
    verb = _VERBS.get(method, "")
    if not name and verb == "get":
        verb, name = "watch" if flag(query, "watch") else "list", _selected_name(query)
    elif not name and verb == "delete":
        verb = "deletecollection"
    return Attributes(verb, "", group, resource, subresource, namespace, name)


def _selected_name(query: Mapping[str, str]) -> str:
    """A list of the one object with a name counts as that object's."""
    try:
        fields = parse_fields(query.get("fieldSelector", ""))
    except ApiError:  # refused later, to whom may know
        return ""
    return next((one.value for one in fields if one.field == "metadata.name" and not one.negated), "")
