"""A call is one request to the API server taken apart, so that tests can choose it, count it and name it.

Everything is read from the request's method and path, which the API fixes; nothing from the words for people.
"""

from urllib.parse import unquote

import attrs

from windlass.informers.keys import Key
from windlass.informers.requests import Request
from windlass.informers.resources import Kind, resource_of

__all__ = ("Call", "Calls")

_VERBS = {"POST": "create", "PUT": "replace", "DELETE": "delete"}
_APPLY = "application/apply-patch"


@attrs.frozen
class Call:
    """One request. `verb` is get, list, watch, create, replace, patch, apply, delete or deletecollection.

    `plural` is "" for a path that leads to no resource, such as `/version`; `name` is "" where the path has none, as
    for a create. `what` is the request in words.
    """

    verb: str
    group: str
    version: str
    plural: str
    namespace: str
    name: str
    subresource: str
    what: str

    @classmethod
    def of(cls, request: Request) -> "Call":
        """The call that a request makes."""
        head, *rest = [unquote(part) for part in request.path.strip("/").split("/")]
        if head == "apis" and len(rest) > 2:
            group, version, *rest = rest
        elif head == "api" and len(rest) > 1:
            group, (version, *rest) = "", rest
        else:
            return cls("get", "", "", "", "", "", "", request.what)
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
            namespace, rest = rest[1], rest[2:]
        plural, name, subresource = (*rest, "", "")[:3]
        return cls(_verb(request, name), group, version, plural, namespace, name, subresource, request.what)

    @property
    def writes(self) -> bool:
        """Whether the server may change something."""
        return self.verb not in ("get", "list", "watch")

    def __str__(self) -> str:
        return self.what


def _verb(request: Request, name: str) -> str:
    if request.method == "GET":
        return "watch" if ("watch", "true") in request.query else "get" if name else "list"
    if request.method == "PATCH":
        return "apply" if request.content_type.startswith(_APPLY) else "patch"
    verb = _VERBS[request.method]
    return "deletecollection" if verb == "delete" and not name else verb


@attrs.frozen
class Calls:
    """Which calls are meant; a field that is None means any. `Calls()` means all of them.

    `kind` is a class declared with `@kind`, or a Resource. `key` is the object's; a text is its name in any namespace
    (a create names its object in the body and not in the path: choose it by verb and kind). `subresource` "" means the
    object itself.
    """

    verb: str | None = None
    kind: Kind | None = None
    key: Key | str | None = None
    subresource: str | None = None

    def match(self, call: Call) -> bool:
        """Whether the call is one of them."""
        if self.verb is not None and self.verb != call.verb:
            return False
        if self.subresource is not None and self.subresource != call.subresource:
            return False
        if self.kind is not None:
            resource = resource_of(self.kind)
            if (resource.group, resource.version, resource.plural) != (call.group, call.version, call.plural):
                return False
        if isinstance(self.key, Key):
            return self.key == Key(call.namespace, call.name)
        return self.key is None or self.key == call.name

    def __str__(self) -> str:
        kind = None if self.kind is None else str(resource_of(self.kind))
        if kind is not None and self.subresource:
            kind = f"{kind}/{self.subresource}"
        parts = [self.verb, kind, None if self.key is None else str(self.key)]
        return " ".join(part for part in parts if part is not None) or "any call"
