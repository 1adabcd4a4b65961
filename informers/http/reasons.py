"""Why there was no answer, in words of the network.

Pure. Whoever reads the words knows the server's address already, and which request it was.
"""

import os
import re
import ssl

__all__ = ("NoAnswer", "reason_of")

_ERRNO = re.compile(r"\[Errno (\d+)\]")


class NoAnswer(Exception):
    """The words; `sent` is False when the server cannot have heard of the request."""

    def __init__(self, reason: str, *, sent: bool = True) -> None:
        super().__init__(reason)
        self.sent = sent


def reason_of(error: BaseException) -> str:
    """What went wrong: `Connection refused`, `certificate verify failed: unable to get local issuer certificate`."""
    match error:
        case ssl.SSLCertVerificationError():
            reason = f"certificate verify failed: {error.verify_message or error}"
        case ssl.SSLError():
            reason = f"TLS failed: {(error.reason or str(error)).lower().replace('_', ' ')}"
        case TimeoutError() if error.errno is None:  # ours; the system's has a number
            reason = "timeout"
        case OSError():
            reason = _of_system(error)
        case _:
            reason = str(error) or type(error).__name__
    return reason


def _of_system(error: OSError) -> str:
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)  # asyncio's own text is a call and a tuple
    if number := _ERRNO.search(str(error)):
        return os.strerror(int(number[1]))  # of a name with several addresses, each of which was tried
    # A failed look-up of a name has a number of its own and a good text.
    return error.strerror or str(error) or type(error).__name__
