"""A head is the beginning of a request as it goes on the wire; whatever would break out of its line is refused.

Pure.
"""

import re
from functools import lru_cache

from windlass.informers.http.address import Address

__all__ = ("Heads",)

_TARGET = re.compile(r"[!-~]+")
_VALUE = re.compile(r"[\t -~\x80-\xff]*")


class Heads:
    """Makes the heads of all requests to one server. `proxy` is one that passes plain requests on."""

    def __init__(self, address: Address, user_agent: str, *, proxy: Address | None = None) -> None:
        own = [("Host", address.host_header), ("User-Agent", user_agent)]
        # Inflating costs more than a cluster's network does, and on the loop.
        own.append(("Accept-Encoding", "identity"))
        if proxy is not None and proxy.basic is not None:
            own.append(("Proxy-Authorization", proxy.basic))
        self._own = _lines(*own)
        self._prefix = f"{address.origin}{address.prefix}" if proxy is not None else address.prefix

    def head(self, method: str, target: str, *fields: tuple[str, str], length: int | None = None) -> bytes:
        """The bytes, where `length` bytes of a body follow. Raises ValueError for what cannot stand in a head."""
        if not _TARGET.fullmatch(target) or not method.isalpha():
            raise ValueError(f"expected a method and a path of printable ASCII, found {method!r} {target!r}")
        body = "" if length is None else f"Content-Length: {length}\r\n"
        head = f"{method} {self._prefix}{target} HTTP/1.1\r\n{self._own}{_lines(*fields)}{body}\r\n"
        return head.encode("latin-1")


@lru_cache(maxsize=256)  # a client sends the same few again and again
def _lines(*fields: tuple[str, str]) -> str:
    for name, value in fields:
        if not _VALUE.fullmatch(value):  # the value itself may be a secret
            odd = next(letter for letter in value if not _VALUE.fullmatch(letter))
            raise ValueError(f"{name}: expected one line of text in latin-1, found {odd!r} in it")
    return "".join([f"{name}: {value}\r\n" for name, value in fields])
