"""Why nothing came over the network, in the network's own words; none of them is a library's.

Pure. A library for files wraps what the HTTP library said, and that wraps what the system said: the innermost knows.
Whoever reads the words knows the URL already.
"""

import errno
import os
import ssl
from collections.abc import Iterator

import aiohttp

__all__ = ("reason_of",)

_LENGTH_MAX = 200


def reason_of(error: BaseException) -> str:
    """`Connection refused`, `timeout`, `the connection was cut within the file` …; "" if the network did its part."""
    causes = list(_causes(error))
    for cause in causes:
        found = _of_network(cause)
        if found:
            return found
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno is not None:
            return _of_system(cause, cause.errno)
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, the innermost first."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    return reversed(chain)


def _of_network(error: BaseException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            reason = f"certificate verify failed: {error.verify_message}"
        case ssl.SSLError():
            reason = f"TLS failed: {(error.reason or 'the handshake').lower().replace('_', ' ')}"
        case TimeoutError():
            reason = "timeout"
        case aiohttp.ServerDisconnectedError():
            reason = "the connection was closed before the answer"
        case aiohttp.ClientPayloadError():
            reason = "the connection was cut within the file"
        case aiohttp.ClientResponseError() if error.__cause__ is not None:  # the parser's
            reason = "the answer cannot be read as HTTP"
        case _:
            reason = ""
    return reason


def _of_system(error: OSError, number: int) -> str:
    # The text of a failed look-up of a name, which has a number of its own, is good, and so is a store's refusal, which
    # has one that says nothing; any other is a call and a tuple.
    if number > 0 and number != errno.EIO:
        return os.strerror(number)
    return " ".join(str(error.strerror or error).split())[:_LENGTH_MAX]
