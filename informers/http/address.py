"""An address is where a server or a proxy listens, read from a URL once and checked there.

Pure.
"""

import re
from base64 import b64encode
from typing import Self
from urllib.parse import unquote, urlsplit

import attrs

__all__ = ("Address", "spelled")

_PORTS = {"http": 80, "https": 443}
_PATH = re.compile(r"[!-~]*")


@attrs.frozen
class Address:
    """`scheme://host:port/prefix`; the host as names and certificates have it, so IPv6 without brackets."""

    scheme: str
    host: str
    port: int
    prefix: str = ""
    user: str | None = attrs.field(default=None, repr=False)
    """`name:password`, for proxies."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """The address that a URL names. Raises ValueError, saying what was expected."""
        if not url.isprintable() or " " in url:  # some of it would be dropped in silence
            raise ValueError(f"expected http(s)://HOST[:PORT][/PATH] without blanks, found {_shown(url)!r}")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:  # a port or an IPv6 address that is none
            raise ValueError(f"expected http(s)://HOST[:PORT][/PATH], found {_shown(url)!r}: {error}") from None
        if parts.scheme not in _PORTS or not host or parts.query or parts.fragment:
            raise ValueError(f"expected http(s)://HOST[:PORT][/PATH], found {_shown(url)!r}")
        host = spelled(host)
        if not _PATH.fullmatch(parts.path):
            raise ValueError(f"expected a path of printable ASCII, found {parts.path!r}")
        name = unquote(parts.username or "")
        user = f"{name}:{unquote(parts.password or '')}" if parts.username is not None else None
        port = _PORTS[parts.scheme] if port is None else port
        return cls(parts.scheme, host, port, parts.path.rstrip("/"), user)

    @property
    def tls(self) -> bool:
        """Whether one speaks TLS to it."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """`host:port`, as in the line of a CONNECT and in what users are told."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """`scheme://host:port`."""
        return f"{self.scheme}://{self.authority}"

    @property
    def host_header(self) -> str:
        """The authority, without a port that goes without saying (RFC 9110, 7.2)."""
        return self.authority.rpartition(":")[0] if self.port == _PORTS[self.scheme] else self.authority

    @property
    def basic(self) -> str | None:
        """The header value that shows `user` (RFC 7617)."""
        return None if self.user is None else f"Basic {b64encode(self.user.encode()).decode('ascii')}"

    def __str__(self) -> str:
        return f"{self.origin}{self.prefix}"


def spelled(host: str) -> str:
    """The name as the DNS and certificates have it. Raises ValueError for what can be the name of no host."""
    try:
        spelt = host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"the host {host!r} is no name: {error}") from None
    return host if host.isascii() else spelt


def _shown(url: str) -> str:
    """The URL without what only its owner may know."""
    return re.sub(r"//[^/@]*@", "//…@", url)
