"""Why there was no answer, in words of the network; none of them is the HTTP library's.

Pure. Whoever reads the words knows the server's address already, and which request it was.
"""

import os
import ssl

import aiohttp

__all__ = ("reason_of",)


def reason_of(error: BaseException) -> str:
    """What went wrong: `Connection refused`, `Connection timeout`, `the connection was cut within the answer`."""
    match error:
        case aiohttp.ClientConnectorError():
            return _of_connecting(error)
        case aiohttp.ClientHttpProxyError():
            reason = f"the proxy answered {error.status} {error.message}".rstrip()
        case aiohttp.ClientResponseError():
            reason = " ".join(f"the answer cannot be read as HTTP: {error.message}".split())
        case aiohttp.ConnectionTimeoutError():
            reason = "Connection timeout"
        case TimeoutError():
            reason = "timeout"
        case aiohttp.ServerDisconnectedError():
            reason = "the connection was closed before the answer"
        case aiohttp.ClientPayloadError():
            reason = "the connection was cut within the answer"
        case OSError():
            reason = _of_system(error)
        case _:
            reason = str(error) or type(error).__name__
    return reason


def _of_connecting(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _of_certificate(error.certificate_error)
    reason = _of_system(error.os_error)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"the proxy {error.host}:{error.port} cannot be reached: {reason}"
    return reason


def _of_certificate(error: Exception) -> str:
    why = getattr(error, "verify_message", "") or str(error)
    return f"certificate verify failed: {why}"


def _of_system(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or str(error)).lower().replace('_', ' ')}"
    # asyncio's own text is a call and a tuple; a failed look-up of a name has a number of its own and a good text.
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__
