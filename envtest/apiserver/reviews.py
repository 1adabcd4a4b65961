"""Reviews are questions that a POST answers and nobody stores: whose token is this, may they do that (A-03). Pure.

Whoever gets in may do everything here, so every access is allowed; roles are not evaluated.
"""

import hmac

from windlass.envtest.apiserver.errors import bad_request
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.values import Json

__all__ = ("review",)

_ADMINISTRATOR = {"username": "admin", "uid": "admin", "groups": ["system:masters", "system:authenticated"]}


def review(resource: Resource, body: Json, token: str) -> Json:
    """The body with its answer; `token` is the one that the server knows, empty if it admits everybody."""
    spec = body.get("spec")
    if not isinstance(spec, dict):
        raise bad_request(f"{resource.kind} needs a spec")
    status = _authentication(spec, token) if resource.kind == "TokenReview" else {"allowed": True}
    metadata = {"creationTimestamp": None}
    identity = {"kind": resource.kind, "apiVersion": resource.api_version}
    return identity | {"metadata": metadata, "spec": spec, "status": status}


def _authentication(spec: Json, token: str) -> Json:
    given = spec.get("token")
    if not isinstance(given, str) or not given:
        raise bad_request("token is required for TokenReview in authentication")
    if token and not hmac.compare_digest(given.encode(), token.encode()):
        return {"user": {}, "error": "invalid bearer token"}
    return {"authenticated": True, "user": _ADMINISTRATOR}
