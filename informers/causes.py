"""Every error of ours has one cause, which is as much of it as a reflector needs to know.

This module does not know what is done about it.
"""

from windlass.informers.errors import (
    ApiError,
    ConfigError,
    ConnectionFailed,
    Forbidden,
    Gone,
    InformersError,
    NotFound,
    ProtocolError,
    ServerError,
    TooManyRequests,
    Unauthorized,
)
from windlass.informers.phases import Cause, Failure

__all__ = ("failure_of",)


def failure_of(error: InformersError) -> Failure:
    """What a reflector needs to know of an error."""
    after = getattr(error, "retry_after_seconds", None) or 0.0
    return Failure(_cause_of(error), str(error), after)


def _cause_of(error: InformersError) -> Cause:
    if isinstance(error, ApiError) and (
        any(cause.reason == "ResourceVersionTooLarge" for cause in error.causes)
        or "Too large resource version" in error.message  # servers before 1.19 send no cause (L-06)
    ):
        return Cause.TOO_LARGE
    for kind, cause in _CAUSES:
        if isinstance(error, kind):
            return cause
    return Cause.UNSUPPORTED


_CAUSES: tuple[tuple[type[InformersError], Cause], ...] = (
    (Gone, Cause.EXPIRED),
    (TooManyRequests, Cause.THROTTLED),
    (ServerError, Cause.SERVER),
    (Unauthorized, Cause.DENIED),
    (Forbidden, Cause.DENIED),
    (NotFound, Cause.MISSING),
    (ConnectionFailed, Cause.CONNECTION),
    (ConfigError, Cause.DENIED),
    (ProtocolError, Cause.MALFORMED),
)
