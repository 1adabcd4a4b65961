"""A token is a signed statement (JWT, HS256) that nobody but the holder of the key can make or change. Pure.

Kubernetes signs with RSA; here whoever checks is who signed, so a shared key says the same.
"""

import base64
import hashlib
import hmac
from typing import Any

import msgspec

from windlass.envtest.apiserver.values import Json, decode, encode

__all__ = ("read_token", "signed_token")

_HEADER = {"alg": "HS256", "typ": "JWT"}


def signed_token(claims: Json, key: bytes) -> str:
    """The claims as a compact JWT."""
    body = f"{_packed(encode(_HEADER))}.{_packed(encode(claims))}"
    return f"{body}.{_packed(_signature(body, key))}"


def read_token(token: str, key: bytes) -> Json | None:
    """The claims of a token that was signed with the key, else None. Times and audiences are the caller's to judge."""
    body, _, signature = token.rpartition(".")
    if body.count(".") != 1 or not hmac.compare_digest(_packed(_signature(body, key)).encode(), signature.encode()):
        return None
    try:
        claims: Any = decode(_unpacked(body.partition(".")[2]))
    except (ValueError, msgspec.MsgspecError):
        return None
    return claims if isinstance(claims, dict) else None


def _signature(body: str, key: bytes) -> bytes:
    return hmac.new(key, body.encode(), hashlib.sha256).digest()


def _packed(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
