"""A ServiceAccount's token is good for as long as it says, and only while the account (and what it is bound to) exists.

Tokens are asked for at the subresource `serviceaccounts/token` (TokenRequest) and belong to the server that made them:
the key that signs them is chosen at each start.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from windlass.envtest.apiserver.access.tokens import read_token, signed_token
from windlass.envtest.apiserver.errors import ApiError, Fault, bad_request, conflict, invalid, not_found
from windlass.envtest.apiserver.identity import User
from windlass.envtest.apiserver.objects import timestamp
from windlass.envtest.apiserver.schema.validation import validate
from windlass.envtest.apiserver.store.storage import Key, Store, Stored
from windlass.envtest.apiserver.values import Json

__all__ = ("AUDIENCE", "Accounts")

AUDIENCE = "https://kubernetes.default.svc"
"""Whom a token is for unless it is asked otherwise: this server."""
_LIFE_SECONDS, _SHORTEST, _LONGEST = 3600, 600, 1 << 32
_BINDABLE = {"Pod": "pods", "Secret": "secrets"}
_TEXT: Json = {"type": "string", "nullable": True}
_SPEC: Json = {
    "type": "object",
    "properties": {
        "audiences": {"type": "array", "nullable": True, "items": {"type": "string"}},
        "expirationSeconds": {"type": "integer", "nullable": True},
        "boundObjectRef": {
            "type": "object",
            "nullable": True,
            "properties": dict.fromkeys(("kind", "apiVersion", "name", "uid"), _TEXT),
        },
    },
}


@attrs.frozen
class Accounts:
    """Makes tokens for the ServiceAccounts of a store, and knows whose a token is."""

    _store: Store
    _key: bytes = attrs.field(repr=False)
    _clock: Callable[[], dt.datetime]

    def request(self, namespace: str, name: str, body: Any) -> Json:
        """Answer a TokenRequest; raises 400, 404, 409 or 422."""
        spec = body.get("spec") if isinstance(body, dict) else None
        faults = validate(spec if spec is not None else {}, _SPEC)
        if faults:
            raise bad_request(f"TokenRequest cannot be handled: spec.{faults[0].field}: {faults[0].message}")
        spec = dict(spec or {})
        account = self._store.get(Key("serviceaccounts", namespace, name))
        if account is None:
            raise not_found("serviceaccounts", name)
        seconds = _seconds(spec)
        bound = self._bound(spec.get("boundObjectRef"), account)
        audiences = spec.get("audiences") or [AUDIENCE]
        now = self._clock()
        end = now + dt.timedelta(seconds=seconds)
        about: Json = {"namespace": namespace, "serviceaccount": {"name": name, "uid": account.metadata["uid"]}}
        for field, stored in bound.items():
            about[field] = {"name": stored.key.name, "uid": stored.metadata["uid"]}
        claims = {
            "aud": audiences,
            "exp": int(end.timestamp()),
            "iat": int(now.timestamp()),
            "iss": AUDIENCE,
            "kubernetes.io": about,
            "nbf": int(now.timestamp()),
            "sub": f"system:serviceaccount:{namespace}:{name}",
        }
        told = {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": spec.get("boundObjectRef")}
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"creationTimestamp": None},
            "spec": told,
            "status": {"token": signed_token(claims, self._key), "expirationTimestamp": timestamp(end)},
        }

    def owner(self, token: str, audiences: Sequence[str] = (AUDIENCE,)) -> tuple[User, list[str]] | None:
        """The account that a token stands for and for which of the audiences it does; None if it is not good."""
        claims = read_token(token, self._key)
        if claims is None or not claims["nbf"] <= self._clock().timestamp() < claims["exp"]:
            return None
        common = [audience for audience in audiences if audience in claims["aud"]]
        about = claims["kubernetes.io"]
        namespace, account = about["namespace"], about["serviceaccount"]
        places = {"serviceaccounts": account} | {
            _BINDABLE[field.capitalize()]: about[field] for field in ("pod", "secret") if field in about
        }
        if not common or not all(self._lives(resource, namespace, one) for resource, one in places.items()):
            return None
        return User.account(namespace, account["name"], uid=account["uid"]), common

    def _lives(self, resource: str, namespace: str, one: Json) -> bool:
        stored = self._store.get(Key(resource, namespace, one["name"]))
        return stored is not None and bool(stored.metadata["uid"] == one["uid"])

    def _bound(self, reference: Json | None, account: Stored) -> dict[str, Stored]:
        if not reference:
            return {}
        namespace = account.key.namespace
        kind, name = reference.get("kind") or "", reference.get("name") or ""
        if kind not in _BINDABLE or reference.get("apiVersion") not in ("v1", None, ""):
            raise bad_request(f"cannot bind token for serviceaccount to object of type {kind}: expected Pod or Secret")
        stored = self._store.get(Key(_BINDABLE[kind], namespace, name))
        if stored is None:
            raise not_found(_BINDABLE[kind], name)
        if kind == "Pod" and (stored.obj.get("spec") or {}).get("serviceAccountName") != account.key.name:
            raise bad_request(
                f'cannot bind token for serviceaccount "{account.key.name}" to pod running with different '
                "serviceaccount name."
            )
        uid = reference.get("uid")
        if uid and uid != stored.metadata["uid"]:
            message = f"the UID in the bound object reference ({uid}) does not match the UID in record"
            raise conflict(_BINDABLE[kind], name, message)
        return {kind.lower(): stored}


def _seconds(spec: Json) -> int:
    seconds = spec.get("expirationSeconds")
    seconds = _LIFE_SECONDS if seconds is None else int(seconds)
    detail = ""
    if seconds < _SHORTEST:
        detail = "may not specify a duration less than 10 minutes"
    elif seconds > _LONGEST:
        detail = "may not specify a duration larger than 2^32 seconds"
    if detail:
        raise _refusal(seconds, detail)
    return seconds


def _refusal(seconds: int, detail: str) -> ApiError:
    return invalid(
        "TokenRequest", "authentication.k8s.io", "", [Fault.invalid("spec.expirationSeconds", seconds, detail)]
    )
