"""A pattern is accepted only if Go's RE2 and Python's ``re`` both read it, and read it alike (S-10).

RE2 lacks what needs backtracking (look-around, back-references, possessive quantifiers) and a few of Python's
spellings; Python lacks some of RE2's. What is left is nearly everything anybody writes.

This module does not know where a pattern is used.
"""

import functools
import re
import warnings
from typing import Final

__all__ = ("as_in_go", "re2_fault")

REPEAT_MAX: Final = 1000  # RE2 refuses larger counts

_ENDS: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", re.DOTALL)
_REPEAT: Final = re.compile(r"\{(\d*)(?:(,)(\d*))?\}")
_GROUP: Final = re.compile(r"\(\?(?:P<|:|[ims-]+[:)])")
_GROUPS_RE2_LACKS: Final = {
    "(?=": "a look-ahead",
    "(?!": "a look-ahead",
    "(?<": "a look-behind",
    "(?>": "an atomic group",
    "(?P=": "a back-reference",
    "(?(": "a conditional group",
    "(?#": "a comment",
}
# What Python accepts after a backslash, and RE2 does not or takes for something else.
_ESCAPES_RE2_LACKS: Final = {
    **dict.fromkeys("123456789", "a back-reference"),
    "Z": r"\Z (write $)",
    "u": r"\u (write the character itself)",
    "U": r"\U (write the character itself)",
    "N": r"\N (write the character itself)",
}


def re2_fault(pattern: str) -> str | None:
    """Return what is wrong with the pattern in a few words, or None if it is right for both engines."""
    try:
        # Python warns about spellings whose meaning may change; `[[:alpha:]]`, which only RE2 knows, is one of them.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
    except (re.error, FutureWarning, DeprecationWarning) as problem:
        return f"Python says: {problem}"
    return _Scan(pattern).fault()


@functools.cache
def as_in_go(pattern: str) -> re.Pattern[str]:
    """Compile an expression so that it matches what it matches in Go: ``$`` is the end, and classes are ASCII."""
    if "(?m" in pattern:
        return re.compile(pattern, re.ASCII)
    # An escape, a class in brackets, or the end, which in Python may be before a last line break as well.
    ends = _ENDS.sub(lambda found: r"\Z" if found.group() == "$" else found.group(), pattern)
    return re.compile(ends, re.ASCII)


class _Scan:
    """One pass over a pattern that Python has accepted, so brackets balance and no escape is cut off."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._in_class = False
        self._after_quantifier = False

    def fault(self) -> str | None:
        while self._at < len(self._pattern):
            problem = self._class_step() if self._in_class else self._step()
            if problem is not None:
                return f"{problem} at position {self._at} is unknown to Go"
        return None

    def _escape(self) -> str | None:
        follower = self._pattern[self._at + 1]
        if follower in _ESCAPES_RE2_LACKS:
            return _ESCAPES_RE2_LACKS[follower]
        if follower == "b" and self._in_class:
            return r"\b inside brackets"
        self._at += 2
        return None

    def _class_step(self) -> str | None:
        if self._pattern[self._at] == "\\":
            return self._escape()
        self._in_class = self._pattern[self._at] != "]"
        self._at += 1
        return None

    def _step(self) -> str | None:
        character, quantified = self._pattern[self._at], self._after_quantifier
        self._after_quantifier = False
        if character == "\\":
            return self._escape()
        if character == "[":
            self._in_class = True
            # A bracket that comes first, or first after the caret, stands for itself.
            self._at += 1 + self._pattern.startswith("^", self._at + 1)
            self._at += self._pattern.startswith("]", self._at)
            return None
        if character == "+" and quantified:
            return "a possessive quantifier"
        if self._pattern.startswith("(?", self._at):
            return self._group()
        if character == "{" and (repeat := _REPEAT.match(self._pattern, self._at)):
            return self._repeat(repeat)
        self._after_quantifier = character in "*+?"
        self._at += 1
        return None

    def _group(self) -> str | None:
        opened = _GROUP.match(self._pattern, self._at)
        if opened is None:
            lacking = (what for start, what in _GROUPS_RE2_LACKS.items() if self._pattern.startswith(start, self._at))
            return next(lacking, f"the group {self._pattern[self._at : self._at + 4]!r}")
        self._at = opened.end()
        return None

    def _repeat(self, repeat: re.Match[str]) -> str | None:
        low, comma, high = repeat.groups()
        if not low and (comma or high):
            return "a repeat without a lower bound (write {0,n})"
        if any(int(count) > REPEAT_MAX for count in (low, high) if count):
            return f"a repeat of more than {REPEAT_MAX}"
        self._after_quantifier = bool(low)
        self._at = repeat.end()
        return None
