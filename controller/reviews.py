"""The API server says whose a token is and what its owner may do: nothing is decided here.

A TokenReview and a SubjectAccessReview for each question, and no memory: whoever asks often should keep the answers for
a while. The account that asks needs the cluster role `system:auth-delegator`.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import attrs
import msgspec

from windlass.informers.client import Client
from windlass.informers.requests import Request
from windlass.informers.resources import Resource

__all__ = ("AccessReviews", "ReviewedUser", "Subject")

_TOKEN: Final = Resource("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", namespaced=False)
_ACCESS: Final = Resource("authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", namespaced=False)


class Subject(Protocol):
    """Whose permission is asked for."""

    @property
    def name(self) -> str:
        """The user's name, `system:serviceaccount:NAMESPACE:NAME` for an account."""

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that the user is in."""


@attrs.frozen
class ReviewedUser:
    """The user a token belongs to."""

    name: str
    groups: tuple[str, ...] = ()


class AccessReviews:
    """Reviews by the server of `client`, which must be open.

    `audiences` are those one of which a token must be for; none stands for the API server itself.
    """

    def __init__(self, client: Client, *, audiences: tuple[str, ...] = ()) -> None:
        self._client = client
        self._audiences = audiences

    async def caller(self, token: str) -> ReviewedUser | None:
        """Whose the token is; None for nobody's. Raises what a request to the server raises."""
        spec: dict[str, object] = {"token": token}
        if self._audiences:
            spec["audiences"] = list(self._audiences)
        status = await self._review(_TOKEN, spec)
        if status.get("authenticated") is not True:
            return None
        # A server that knows nothing of audiences leaves them out of its answer; it has not checked them.
        if self._audiences and not set(self._audiences) & set(status.get("audiences") or ()):
            return None
        user = status.get("user") or {}
        return ReviewedUser(user.get("username", ""), tuple(user.get("groups") or ()))

    async def permits(self, caller: Subject, *, verb: str, path: str) -> bool:
        """Whether the subject may use the verb on the path, a `nonResourceURL` of a ClusterRole.

        Raises what a request to the server raises.
        """
        spec: dict[str, object] = {
            "user": caller.name,
            "groups": list(caller.groups),
            "nonResourceAttributes": {"verb": verb, "path": path},
        }
        status = await self._review(_ACCESS, spec)
        return status.get("allowed") is True and status.get("denied") is not True

    async def _review(self, resource: Resource, spec: Mapping[str, object]) -> Mapping[str, Any]:
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "spec": spec}
        request = Request("POST", resource.path(), body=msgspec.json.encode(body), what=f"create {resource.kind}")
        answer = await self._client.send(request)
        found: Mapping[str, Any] = msgspec.json.decode(answer.body).get("status") or {}
        return found
