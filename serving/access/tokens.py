"""A token is compared with every known one in the same time, and the file may be replaced while the server runs.

A line is a name, a token and any number of groups, separated by blanks; what follows a `#` at a line's beginning is a
remark. Only digests are kept. A file that cannot be read any more, or is wrong, leaves the former tokens valid and is
told in the log.
"""

import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from windlass.serving.access.callers import Known
from windlass.serving.access.changes import Changes
from windlass.serving.errors import EndpointError

__all__ = ("TokenFile",)

# Shorter ones could be guessed over the network within a reasonable time.
_TOKEN_MIN_CHARACTERS = 16

_log = logging.getLogger(__name__)


class TokenFile:
    """An authenticator over a file, which is looked at again every second that somebody asks.

    Raises EndpointError naming the file and the line that is wrong; never a token.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._changes = Changes((path,), clock=clock)
        self._callers = self._read()

    def __repr__(self) -> str:
        return f"<TokenFile {self._path} callers={len(self._callers)}>"

    async def caller(self, token: str) -> Known | None:
        """Whose the token is."""
        if self._changes.seen():
            try:
                self._callers = self._read()
            except EndpointError as error:
                _log.error("the former tokens stay valid: %s", error)
        found = None
        asked = _digest(token)
        for digest, caller in self._callers:
            # No early end: how long it takes says nothing.
            if hmac.compare_digest(digest, asked):
                found = caller
        return found

    def _read(self) -> tuple[tuple[bytes, Known], ...]:
        try:
            text = self._path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise EndpointError(f"the token file {self._path} cannot be read: {error}") from error
        found = tuple(self._lines(text))
        if not found:
            raise EndpointError(f"the token file {self._path} holds no token")
        if len({digest for digest, _ in found}) < len(found):
            raise EndpointError(f"the token file {self._path} has the same token twice")
        return found

    def _lines(self, text: str) -> Iterator[tuple[bytes, Known]]:
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if len(words) < 2 or len(words[1]) < _TOKEN_MIN_CHARACTERS:
                raise EndpointError(
                    f"the token file {self._path}, line {number}: expected a name and a token of at least "
                    f"{_TOKEN_MIN_CHARACTERS} characters"
                )
            name, token, *groups = words
            yield _digest(token), Known(name, tuple(groups))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
