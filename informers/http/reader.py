"""A reader makes one answer after another from bytes, however they are cut.

Pure. Interim answers (1xx) are skipped. An answer without a length ends where the connection ends.
"""

from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from windlass.informers.http.reasons import NoAnswer

__all__ = ("HEAD_BYTES_MAX", "Reader")

HEAD_BYTES_MAX: Final = 2**20


class Reader:
    """The answer that is coming in on one connection."""

    __slots__ = (
        "_bodiless",
        "_fed",
        "_head",
        "_keep",
        "_parser",
        "_parts",
        "complete",
        "excess",
        "fields",
        "size",
        "status",
    )

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.excess = False
        """Whether there were bytes that belong to no answer."""
        self.begin()

    def begin(self, *, bodiless: bool = False) -> None:
        """Get ready for the next answer. One to HEAD has no body, whatever its head says."""
        self._bodiless = bodiless
        self.status = 0
        """0 until the head is complete."""
        self.fields: list[tuple[bytes, bytes]] = []
        """Names and values of the head, as they came."""
        self.complete = False
        self.size = 0
        """Bytes of the body that wait to be taken."""
        self._parts: list[bytes] = []
        self._head: list[tuple[bytes, bytes]] = []
        self._fed = 0
        self._keep = False

    def feed(self, data: bytes) -> None:
        """Take bytes in. Raises NoAnswer when they are no HTTP."""
        if self.complete:
            self.excess = True
            return
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as error:
            raise NoAnswer("the answer cannot be read as HTTP: the server changes the protocol") from error
        except HttpParserError as error:
            words = " ".join(str(error).split()).rstrip(".")
            raise NoAnswer(f"the answer cannot be read as HTTP: {words}") from error
        if not self.status:
            self._fed += len(data)
            if self._fed > HEAD_BYTES_MAX:
                raise NoAnswer(f"the answer cannot be read as HTTP: its head is longer than {HEAD_BYTES_MAX} bytes")

    def end(self) -> None:
        """The server says no more: that completes an answer without a length."""
        if self.status and not any(name in _DELIMITERS for name in (name.lower() for name, _ in self.fields)):
            self.complete = True

    def take(self) -> bytes:
        """The bytes of the body that came since the last time."""
        parts = self._parts
        if not parts:
            return b""
        self._parts, self.size = [], 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    @property
    def reusable(self) -> bool:
        """Whether the connection can carry another exchange, as far as the server says."""
        return self.complete and self._keep and not self.excess

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A head begins."""
        if self.complete:
            self.excess = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """One line of a head."""
        self._head.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is over."""
        status = self._parser.get_status_code()
        if status >= 200 and not self.complete:
            self.status, self.fields = status, self._head
            self.complete = self._bodiless  # the parser waits for a body, so it is of no more use
        self._head = []

    def on_body(self, part: bytes) -> None:
        """Some bytes of the body."""
        if not self.complete:
            self._parts.append(part)
            self.size += len(part)

    def on_message_complete(self) -> None:
        """The body is over; of an interim answer, too."""
        if self.status and not self.complete:
            self.complete = True
            self._keep = self._parser.should_keep_alive()

    def __repr__(self) -> str:
        return f"<Reader status={self.status} complete={self.complete} waiting={self.size}>"


_DELIMITERS: Final = (b"content-length", b"transfer-encoding")
