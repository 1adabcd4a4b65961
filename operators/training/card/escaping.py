"""A text that came from anywhere is shown as the text it is: no word of it becomes markup, a link or another line.

Markdown is that of CommonMark with tables. Control characters, and those that reverse the direction of reading, are
shown as U+FFFD, since they make a page say one thing and mean another. This module does not know what is shown.
"""

import re
from typing import Final

__all__ = ("NOT_PROVIDED", "inline", "prose", "visible")

NOT_PROVIDED: Final = "Not provided"

_INLINE: Final = re.compile(r"[\\`*_\[\]<>&|~!$#{}]")
_AT_START: Final = re.compile(r"^(?:[-+=:>]|(?P<number>\d{1,9})(?=[.)]))")
_BIDI: Final = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_BREAKS: Final = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def visible(text: str) -> str:
    """The text on one line, with nothing in it that cannot be seen."""
    return "".join(_shown(one) for one in _BREAKS.sub(" ", text).replace("\t", " "))


def inline(text: str) -> str:
    """The text within a line or a cell of a table; `Not provided` for one with nothing to see."""
    return _INLINE.sub(r"\\\g<0>", " ".join(visible(text).split())) or NOT_PROVIDED


def prose(text: str) -> str:
    """The text as paragraphs: its line breaks stay, its beginnings of lines start no list, heading or quote."""
    lines = [_line(line) for line in _BREAKS.split(text)]
    kept = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return kept or NOT_PROVIDED


def _line(line: str) -> str:
    words = " ".join(visible(line).split())
    if not words:
        return ""
    return _AT_START.sub(_escaped_start, inline(words))


def _escaped_start(found: "re.Match[str]") -> str:
    number = found.group("number")
    return f"{number}\\" if number else f"\\{found.group()}"


def _shown(one: str) -> str:
    code = ord(one)
    hidden = code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or one in _BIDI
    return "\ufffd" if hidden else one
