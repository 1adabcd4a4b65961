"""Every error of the endpoint carries the HTTP status it turns into, so that no layer guesses a status from a message.

WindlassError
└── ServingError              500
    ├── EndpointError         the endpoint itself: its address, its life cycle
    ├── BadRequest            400  the message names the input and says what was expected (R9)
    │   ├── RouteError        400  routes of traffic that break their rules; every fault at once
    │   ├── Unreadable        400  the body broke off, or is not in the encoding that it names
    │   └── UnsupportedMedia  415
    ├── Unauthenticated       401  who asks is not known; with WWW-Authenticate
    ├── NotPermitted          403  who asks is known, and may not
    ├── NotFound              404  no such model, version or path
    ├── RoutesFixed           409  the routes are not changed this way: a file has them
    ├── RoutesNotKept         503  a change that would not survive a restart was not made
    ├── RoutesChanged         412  somebody else has changed the routes since they were read
    ├── NoPrecondition        428  a change that does not say what it is a change of
    ├── NotAllowed            405  with the methods that are allowed
    ├── TooLarge              413
    ├── Overloaded            429  with Retry-After
    ├── BodyTooSlow           408  the body did not arrive within the time given
    ├── DeadlineExceeded      504  the answer was not there within the time given
    ├── NotReady              503  known, but it cannot answer now; with Retry-After
    ├── ModelFailed           500  the model raised, or what it returned breaks its own description
    │   └── NotInJson         500  a result that JSON cannot carry, in a protocol that has nothing else
    └── ModelError            loading: the folder, its description, its digest, the runtime
        └── RuntimeMissing    the runtime's library is not installed
"""

from collections.abc import Sequence
from typing import ClassVar

from windlass.statemachine.errors import WindlassError

__all__ = (
    "BadRequest",
    "BodyTooSlow",
    "DeadlineExceeded",
    "EndpointError",
    "ModelError",
    "ModelFailed",
    "NoPrecondition",
    "NotAllowed",
    "NotFound",
    "NotInJson",
    "NotPermitted",
    "NotReady",
    "Overloaded",
    "RouteError",
    "RoutesChanged",
    "RoutesFixed",
    "RoutesNotKept",
    "RuntimeMissing",
    "ServingError",
    "TooLarge",
    "Unauthenticated",
    "Unreadable",
    "UnsupportedMedia",
)


class ServingError(WindlassError):
    """The root of this package.

    `status` is the HTTP status, `headers` what the response must carry besides the body.
    """

    status: ClassVar[int] = 500

    variant: str | None = None
    """The arm of a route that was to answer, if one was chosen before this went wrong; the response says so (T8)."""

    @property
    def headers(self) -> dict[str, str]:
        """The response headers that belong to this error; none by default."""
        return {}


class EndpointError(ServingError):
    """The endpoint cannot be started or used as asked."""


class BadRequest(ServingError):
    """The request is wrong; sending it again unchanged will fail again."""

    status = 400


class RouteError(BadRequest):
    """Routes break their rules. `faults` has one sentence for each, which begins with the field."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


class RoutesFixed(ServingError):
    """The routes come from a file, and only it changes them."""

    status = 409


class RoutesNotKept(ServingError):
    """The change could not be written where changes are kept, and was not made."""

    status = 503


class RoutesChanged(ServingError):
    """The routes are not those that the change was made for; read them again."""

    status = 412


class NoPrecondition(ServingError):
    """A change of routes says which it is a change of: `If-Match`, or `If-None-Match: *` for a new one."""

    status = 428


class Unreadable(BadRequest):
    """The body broke off, or is not in the encoding that it names."""

    @property
    def headers(self) -> dict[str, str]:
        """`Connection: close`: where the next request would begin is not known."""
        return {"Connection": "close"}


class UnsupportedMedia(BadRequest):
    """The body is of a content type or in an encoding that this path does not read."""

    status = 415


class Unauthenticated(ServingError):
    """The caller was not made out: no credential, or one that is not valid. `error` is RFC 6750's code for it."""

    status = 401

    def __init__(self, message: str, *, error: str | None = None) -> None:
        self.error = error
        super().__init__(message)

    @property
    def headers(self) -> dict[str, str]:
        """`WWW-Authenticate`, which RFC 9110 §15.5.2 demands with a 401."""
        return {"WWW-Authenticate": "Bearer" if self.error is None else f'Bearer error="{self.error}"'}


class NotPermitted(ServingError):
    """The caller is known and may not do this."""

    status = 403


class NotFound(ServingError):
    """There is no such model, version or path."""

    status = 404


class NotAllowed(ServingError):
    """The path exists, the method does not. `allowed` lists the methods that do."""

    status = 405

    def __init__(self, method: str, path: str, *, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed
        super().__init__(f"{method} is not allowed on {path}; allowed: {', '.join(allowed)}")

    @property
    def headers(self) -> dict[str, str]:
        """`Allow`, which RFC 9110 §15.5.6 demands with a 405."""
        return {"Allow": ", ".join(self.allowed)}


class TooLarge(ServingError):
    """The body, after decompression, is over the limit (in bytes)."""

    status = 413

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"the body is larger than the limit of {limit} bytes")

    @property
    def headers(self) -> dict[str, str]:
        """`Connection: close`, because the rest of the body is not read."""
        return {"Connection": "close"}


class BodyTooSlow(ServingError):
    """The client did not send its body within the time of the request."""

    status = 408

    @property
    def headers(self) -> dict[str, str]:
        """`Connection: close`: the rest of the body is not waited for."""
        return {"Connection": "close"}


class DeadlineExceeded(ServingError):
    """No answer was there within the time that the client or the server sets for it."""

    status = 504


class _RetryLater(ServingError):
    def __init__(self, message: str, *, retry_after_seconds: int = 1) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)

    @property
    def headers(self) -> dict[str, str]:
        """`Retry-After` in whole seconds (R11)."""
        return {"Retry-After": str(self.retry_after_seconds)}


class Overloaded(_RetryLater):
    """Too many requests wait already; the client should come back later (R11)."""

    status = 429


class NotReady(_RetryLater):
    """The model or the server is known but cannot answer now."""

    status = 503


class ModelFailed(ServingError):
    """The model raised, or returned something that its own description forbids."""


class NotInJson(ModelFailed):
    """JSON has no word for this result: NaN, infinity, half precision, bytes that are not UTF-8."""


class ModelError(ServingError):
    """A model cannot be loaded; the message says at which step and why."""


class RuntimeMissing(ModelError):
    """The library that runs this format is not installed."""

    def __init__(self, format_name: str, *, extra: str) -> None:
        self.format_name = format_name
        self.extra = extra
        super().__init__(
            f"models of format {format_name!r} need a library that is missing: pip install 'windlass[{extra}]'"
        )
