"""A text has a named format here exactly when an API server says so; formats that servers do not know fit everything.

The servers' rules are Go's: an IPv4 address has no leading zeros, base64 must be padded (S-19).

This module does not know schemas.
"""

import datetime as dt
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Final

__all__ = ("FORMATS", "fits")

_MOMENT: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"
)
# One group of four at least: no bytes at all are no base64 for a server.
_BASE64: Final = re.compile(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
# What time.ParseDuration reads.
_DURATION: Final = re.compile(r"[-+]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)


def fits(text: str, name: str) -> bool:
    """Whether the text has the format called so; True for a format that no server knows."""
    check = FORMATS.get(name)
    return check is None or check(text)


def _is_moment(text: str) -> bool:
    found = _MOMENT.fullmatch(text)
    return found is not None and _is_date(text[:10])


def _is_date(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) is not None and _parses(dt.date.fromisoformat, text)


def _is_network(text: str) -> bool:
    _, slash, length = text.partition("/")
    return bool(slash) and length.isdecimal() and _parses(lambda one: ipaddress.ip_network(one, strict=False), text)


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "byte": lambda text: _BASE64.fullmatch(text) is not None,
    "cidr": _is_network,
    "date": _is_date,
    "date-time": _is_moment,
    "duration": lambda text: _DURATION.fullmatch(text) is not None,
    "ipv4": lambda text: _parses(ipaddress.IPv4Address, text),
    "ipv6": lambda text: "%" not in text and _parses(ipaddress.IPv6Address, text),
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
}
"""The formats of texts that are checked, by name."""
