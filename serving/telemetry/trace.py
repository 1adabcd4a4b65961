"""A trace's identity passes through unchanged, or not at all: what is not W3C Trace Context counts as absent.

The form of `traceparent` is that of https://www.w3.org/TR/trace-context/ §3.2: version, trace, parent and flags in
lower-case hexadecimal digits. Later versions may add parts at the end, version `ff` and all zeros are invalid.
"""

import re

__all__ = ("HEADER", "trace_id")

HEADER = "traceparent"

_FORM = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


def trace_id(header: str | None) -> str | None:
    """The trace's 32 hexadecimal digits; None when the header is absent or not to be understood."""
    if header is None:
        return None
    found = _FORM.fullmatch(header)
    if found is None or not found[2].strip("0") or not found[3].strip("0") or (found[1] == "00" and found[4]):
        return None
    return found[2]
