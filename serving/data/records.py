"""A block of a CSV file holds whole records, whatever is quoted in them, and memory never holds more than two blocks.

A record ends at a line feed that is not between quotes; quotes are doubled inside of quotes (RFC 4180), so a place is
between quotes exactly when an odd number of them precedes it. Lines may end in CR LF; a byte order mark at the
beginning is no part of the file's text; empty lines are passed over. This module does not know columns.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import attrs

from windlass.serving.data.errors import Unreadable

__all__ = ("Block", "blocks", "header_of", "records_of")

_BOM = b"\xef\xbb\xbf"


@attrs.frozen
class Block:
    """Whole records: `content` lies at `offset` in the file and ends at `end`."""

    offset: int
    end: int
    content: bytes = attrs.field(repr=False)


def header_of(path: Path, *, limit: int) -> tuple[bytes, int]:
    """The header's record, and where the data begins.

    Raises Unreadable for a file that cannot be opened, is empty, or has no end of its header within `limit` bytes.
    """
    for block in blocks(path, 0, limit=limit):
        offset = len(_BOM) if block.content.startswith(_BOM) else 0
        for start, record in records_of(block.content[offset:]):
            return record, offset + start + _length(block.content, offset + start, record)
    raise Unreadable(f"{path} is empty: expected a header")


def blocks(path: Path, offset: int, *, limit: int) -> Iterator[Block]:
    """The blocks from `offset`, which is where a record begins, of at most `limit` bytes each.

    Raises Unreadable for a record that is longer, or has no end because a quote has none.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if offset > size:
                raise Unreadable(f"{path} ends at byte {size}, before byte {offset}")
            file.seek(offset)
            rest = b""
            while chunk := file.read(limit - len(rest)):
                content = rest + chunk
                cut = _cut(content)
                if cut == 0 and len(content) >= limit:
                    raise Unreadable(
                        f"{path}: the record at byte {offset} is longer than {limit} bytes: a quote without end?"
                    )
                if cut:
                    yield Block(offset, offset + cut, content[:cut])
                rest, offset = content[cut:], offset + cut
            if rest:
                if rest.count(b'"') % 2:
                    raise Unreadable(f"{path}: the record at byte {offset} has a quote without end")
                yield Block(offset, offset + len(rest), rest)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror or error}") from error


def records_of(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Each record that is not empty, with its place in the content and without its end."""
    start = 0
    while start < len(content):
        end = _end(content, start)
        record = content[start:end].removesuffix(b"\n").removesuffix(b"\r")
        if record:
            yield start, record
        start = end


def _end(content: bytes, start: int) -> int:
    position = start
    while True:
        found = content.find(b"\n", position)
        if found < 0:
            return len(content)
        if content.count(b'"', start, found) % 2 == 0:
            return found + 1
        position = found + 1


def _length(content: bytes, start: int, record: bytes) -> int:
    return _end(content, start) - start if record else 0


def _cut(content: bytes) -> int:
    """After the last record that ends in the content; 0 when none does."""
    position = len(content)
    odd = content.count(b'"') % 2
    while True:
        found = content.rfind(b"\n", 0, position)
        if found < 0:
            return 0
        odd ^= content.count(b'"', found, position) % 2
        if not odd:
            return found + 1
        position = found
