"""Every failure of reading or writing the cluster is a member of one tree; the HTTP library's exceptions never leave.

InformersError
├── ConfigError          the kubeconfig or the in-cluster files cannot be used
├── UnregisteredKind     a class without a resource, or a kind that no informer was declared for
├── StructureError       an object does not fit its class; every fault with its JSON path
├── InformerStopped     an informer that has ended was asked to go on
├── NotSynced            a cache was not complete in time; names the kind and why
├── ConnectionFailed     no answer: refused, reset, timed out; names the address
├── ProtocolError        an answer that is not what the API promises: not JSON, a line without end
└── ApiError             the server said no; carries its Status and the request it answered
    ├── BadRequest       400
    ├── Unauthorized     401
    ├── Forbidden        403
    ├── NotFound         404
    ├── Conflict         409
    ├── AlreadyExists    409, reason AlreadyExists
    ├── Gone             410: a resource version or page token is too old
    ├── Invalid          422
    ├── TooManyRequests  429
    └── ServerError      5xx
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
import msgspec

from windlass.statemachine.errors import WindlassError

if TYPE_CHECKING:
    from windlass.informers.requests import Request

__all__ = (
    "AlreadyExists",
    "ApiError",
    "BadRequest",
    "Cause",
    "ConfigError",
    "Conflict",
    "ConnectionFailed",
    "Forbidden",
    "Gone",
    "InformerStopped",
    "InformersError",
    "Invalid",
    "NotFound",
    "NotSynced",
    "ProtocolError",
    "ServerError",
    "StructureError",
    "TooManyRequests",
    "Unauthorized",
    "UnregisteredKind",
)


class InformersError(WindlassError):
    """The root of this package's errors."""


class ConfigError(InformersError):
    """The way to the cluster cannot be worked out; the message names the file and the entry."""


class UnregisteredKind(InformersError):
    """A class carries no resource, or nothing was declared for a kind; the message says what to write where."""


class StructureError(InformersError):
    """An object does not fit its class. `faults` holds one `$.json.path: expected …, found …` for each fault."""

    def __init__(self, subject: str, faults: Sequence[str]) -> None:
        self.subject = subject
        self.faults = tuple(faults)
        super().__init__(f"{subject}: " + "; ".join(self.faults))


class InformerStopped(InformersError):
    """The informer has ended; make a new one."""


class NotSynced(InformersError):
    """An informer had no complete copy in time; the message names each kind and the last failure."""


class ConnectionFailed(InformersError):
    """The server gave no answer. `sent` is False when the request certainly never reached it."""

    def __init__(self, message: str, *, request: Request | None = None, sent: bool = True) -> None:
        self.request = request
        self.sent = sent
        super().__init__(message)


class ProtocolError(InformersError):
    """The answer breaks the protocol; the message quotes its beginning."""


@attrs.frozen
class Cause:
    """One entry of the server's `details.causes`."""

    reason: str = ""
    message: str = ""
    field: str = ""


class ApiError(InformersError):
    """The server refused. `str()` reads: what was asked, the code, the reason, the server's own message."""

    def __init__(
        self,
        status_code: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, object] | None = None,
        request: Request | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        self.status_code = status_code
        self.reason = reason
        self.message = message
        self.details: Mapping[str, object] = details or {}
        self.request = request
        self.retry_after_seconds = retry_after_seconds
        asked = f"{request.what}: " if request is not None else ""
        super().__init__(f"{asked}{status_code} {reason}: {message}" if reason else f"{asked}{status_code}: {message}")

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The single faults behind the refusal, in the server's order."""
        found = self.details.get("causes")
        if not isinstance(found, list):
            return ()
        return tuple(
            Cause(str(one.get("reason", "")), str(one.get("message", "")), str(one.get("field", "")))
            for one in found
            if isinstance(one, dict)
        )

    @classmethod
    def of(
        cls, status_code: int, body: bytes, *, request: Request | None = None, retry_after_seconds: float | None = None
    ) -> ApiError:
        """The member of the tree for an answer; a body that is no Status (a load balancer's page) is quoted."""
        status = _status_in(body)
        if status is None:
            text = body[:200].decode("utf-8", "replace").strip()
            status = _Status(message=text)
        code = status_code if status_code >= 400 else status.code or 500
        after = status.details.get("retryAfterSeconds") if status.details else None
        if retry_after_seconds is None and isinstance(after, int) and after > 0:
            retry_after_seconds = float(after)
        return _class_for(code, status.reason)(
            code,
            status.reason,
            status.message or "no explanation given",
            details=status.details,
            request=request,
            retry_after_seconds=retry_after_seconds,
        )


class BadRequest(ApiError):
    """400: the request is malformed."""


class Unauthorized(ApiError):
    """401: the credentials are missing, wrong or expired."""


class Forbidden(ApiError):
    """403: the credentials are good but lack the permission; the message names verb and resource."""


class NotFound(ApiError):
    """404: no such object, or no such kind on this server."""


class Conflict(ApiError):
    """409: the object has changed since it was read, a precondition failed, or a field has another manager."""


class AlreadyExists(ApiError):
    """409 with reason AlreadyExists: the name is taken."""


class Gone(ApiError):
    """410: the resource version or the page token is older than the server's history."""


class Invalid(ApiError):
    """422: the object breaks the schema or a rule; `causes` names the fields."""


class TooManyRequests(ApiError):
    """429: try again after `retry_after_seconds`."""


class ServerError(ApiError):
    """5xx: the server or something in front of it failed."""


class _Status(msgspec.Struct, frozen=True):
    message: str = ""
    reason: str = ""
    code: int = 0
    details: dict[str, object] | None = None


_DECODER = msgspec.json.Decoder(_Status)

_BY_CODE: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}


def _class_for(code: int, reason: str) -> type[ApiError]:
    if code == 409 and reason == "AlreadyExists":
        return AlreadyExists
    return _BY_CODE.get(code, ServerError if code >= 500 else ApiError)


def _status_in(body: bytes) -> _Status | None:
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
