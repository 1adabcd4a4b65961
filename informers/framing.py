"""Bytes come in any pieces; whole JSON documents go out: lines of a watch, items of a list.

Neither decoder looks at one byte twice without bound, whatever the pieces: a 64 MiB line costs linear work (A5), and
the items of a long list come out while it is still arriving, so nothing has to hold the loop for the whole of it (A4).

This module does not know sockets, objects or kinds.
"""

from collections.abc import Iterator

import attrs
import msgspec

from windlass.informers.errors import ProtocolError

__all__ = ("LINE_BYTES_MAX", "LineSplitter", "ListSplitter", "ListTail")

LINE_BYTES_MAX = 64 * 2**20  # etcd refuses objects beyond 1.5 MiB unless told otherwise; this is forty times that
SLICE_BYTES = 2**18


@attrs.define
class LineSplitter:
    """Splits a stream at newlines."""

    bytes_max: int = LINE_BYTES_MAX
    _parts: list[bytes] = attrs.field(factory=list, init=False)
    _held: int = attrs.field(default=0, init=False)

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes, without their newlines and without empty ones.

        Raises ProtocolError when a line grows beyond `bytes_max`.
        """
        if not self._parts and chunk.find(b"\n") == len(chunk) - 1 > 0:
            return [chunk[:-1]]  # on a quiet stream each event comes by itself
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if lines and self._parts:
            lines[0] = b"".join([*self._parts, lines[0]])
            self._parts, self._held = [], 0
        if rest:
            self._parts.append(rest)
            self._held += len(rest)
            if self._held > self.bytes_max:
                raise ProtocolError(
                    f"a line of the stream is longer than {self.bytes_max} bytes: {self._parts[0][:80]!r}"
                )
        return [line for line in lines if line]

    @property
    def rest(self) -> bytes:
        """What has come of a line that is not complete."""
        return b"".join(self._parts)


@attrs.frozen
class ListTail:
    """What a list says of itself: the version of its snapshot, the token of the next page ("" on the last)."""

    resource_version: str
    continue_token: str
    kind: str


class _ListMeta(msgspec.Struct, rename={"resource_version": "resourceVersion", "token": "continue"}):
    resource_version: str = ""
    token: str = ""


class _List(msgspec.Struct):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[msgspec.Raw] | None = None
    kind: str = ""


_LIST = msgspec.json.Decoder(_List)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_HEAD = b'"items":['


class ListSplitter:
    """Cuts a `…List` document into its items as it arrives.

    A cut is tried at `},` followed by the beginning that the first item has; the piece before it is decoded, and if it
    is no sequence of whole values the guess was inside an item, and another is made. So a cut can cost a second look,
    never a wrong item. A document written in a way that is never cut is decoded whole at its end.
    """

    def __init__(self, slice_bytes: int = SLICE_BYTES) -> None:
        self._slice_bytes = slice_bytes
        self._head = b""
        self._mark = b""
        self._buffer = bytearray()
        self._next_try = slice_bytes

    def feed(self, chunk: bytes) -> Iterator[list[msgspec.Raw]]:
        """The items that can be cut off by now, in pieces of about `slice_bytes`; exhaust it before the next call."""
        self._buffer += chunk
        while len(self._buffer) >= self._next_try:
            items = self._cut()
            if items is None:
                self._next_try *= 2  # looking again at every chunk would be quadratic
                return
            self._next_try = self._slice_bytes
            yield items

    def finish(self) -> tuple[list[msgspec.Raw], ListTail]:
        """The items left, and the list's own metadata. Raises ProtocolError when the document is not a list."""
        document = self._head + self._buffer
        try:
            last = _LIST.decode(document)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProtocolError(f"not a list of objects ({error}): {document[:120]!r}") from error
        if not last.kind.endswith("List"):
            raise ProtocolError(f"not a list of objects (kind {last.kind!r}): {document[:120]!r}")
        return last.items or [], ListTail(last.metadata.resource_version, last.metadata.token, last.kind)

    def _cut(self) -> list[msgspec.Raw] | None:
        if not self._mark and not self._find_mark():
            return None
        end = self._slice_bytes if self._next_try == self._slice_bytes else len(self._buffer)
        for _ in range(8):
            end = self._buffer.rfind(self._mark, 0, end)
            if end <= 0:
                return None
            try:
                items = _ITEMS.decode(b"[" + bytes(memoryview(self._buffer)[: end + 1]) + b"]")
            except msgspec.DecodeError:
                continue
            del self._buffer[: end + 2]
            return items
        return None

    def _find_mark(self) -> bool:
        start = self._buffer.find(_HEAD)
        if start < 0:
            return False
        start += len(_HEAD)
        first = bytes(self._buffer[start : start + 64])
        # `{"metadata":{` or `{"apiVersion":"…","kind":"…",`: what an item begins with up to its third quotation mark
        # is the same for all items and rare inside them.
        third = -1
        for _ in range(3):
            third = first.find(b'"', third + 1)
        if third < 0:
            return False
        self._mark = b"}," + first[: third + 1]
        self._head = bytes(self._buffer[:start])
        del self._buffer[:start]
        return True
