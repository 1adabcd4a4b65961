"""Credentials tell before every request which Authorization header is good now.

Nothing is read once and kept for ever: token files are read again every minute, exec plugins run again before their
answer expires, and both at once when the server has refused the present header with a 401. There is no background task.

This module does not know kubeconfig files; `cluster` picks the kind of credentials from them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import attrs

from windlass.informers.converter import parse_time
from windlass.informers.errors import ConfigError

__all__ = ("Anonymous", "Credentials", "ExecPlugin", "StaticHeader", "TokenFile", "token_fault")

TOKEN_FILE_SECONDS = 60.0  # the kubelet replaces a projected token long before it expires; client-go's period
EXPIRY_MARGIN = timedelta(minutes=5)
PLUGIN_SECONDS = 60.0


def token_fault(token: object) -> str | None:
    """Why a token cannot stand in a header; it is a secret, so no more than the offending character is told."""
    if not isinstance(token, str):
        return f"expected text, found {type(token).__name__}"
    text = token.strip()
    wrong = next((place for place, one in enumerate(text) if not one.isprintable()), None)
    if wrong is None:
        return None
    return f"expected a token without control characters, found {text[wrong]!r} at character {wrong + 1}"


class Credentials(Protocol):
    """The way to be recognised by the server."""

    async def header(self, *, refused: str | None = None) -> str | None:
        """The Authorization header to send, None for none. `refused` is a value the server has just answered 401 to."""

    @property
    def certificate(self) -> tuple[str, str] | None:
        """Files of a client certificate and its key that an exec plugin has issued; None for none."""


class _NoCertificate:
    @property
    def certificate(self) -> tuple[str, str] | None:
        """None."""
        return None


@attrs.frozen
class Anonymous(_NoCertificate):
    """No Authorization header: an open server, or a client certificate."""

    async def header(self, *, refused: str | None = None) -> str | None:  # noqa: ARG002
        """None."""
        return None


@attrs.frozen
class StaticHeader(_NoCertificate):
    """A header that never changes: an inline token or a password."""

    value: str = attrs.field(repr=False)

    async def header(self, *, refused: str | None = None) -> str | None:  # noqa: ARG002
        """The header, refused or not: there is no other."""
        return self.value


@attrs.define(eq=False)
class TokenFile(_NoCertificate):
    """A bearer token in a file that somebody else keeps fresh."""

    path: Path
    _header: str | None = attrs.field(default=None, init=False, repr=False)
    _read_at: float = attrs.field(default=0.0, init=False, repr=False)

    async def header(self, *, refused: str | None = None) -> str | None:
        """The token as it was in the file at most 60 s ago. Raises ConfigError if there never was one."""
        now = asyncio.get_running_loop().time()
        if self._header is not None and refused != self._header and now - self._read_at < TOKEN_FILE_SECONDS:
            return self._header
        try:
            token = (await asyncio.to_thread(self.path.read_text, "utf-8")).strip()  # a stray newline breaks the header
        except OSError as error:
            if self._header is None:
                raise ConfigError(f"token file {self.path}: {error.strerror or error}") from error
            token = ""
        fault = token_fault(token) if token else "it is empty"
        if fault is None:
            self._header = f"Bearer {token}"
        elif self._header is None:
            raise ConfigError(f"token file {self.path}: {fault}")
        self._read_at = now
        return self._header


@attrs.define(eq=False)
class ExecPlugin:
    """Credentials from a command. `run` gives the `status` of its ExecCredential; `store` turns a PEM into a file."""

    run: Callable[[], Awaitable[Mapping[str, Any]]]
    store: Callable[[str], str]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _header: str | None = attrs.field(default=None, init=False, repr=False)
    _certificate: tuple[str, str] | None = attrs.field(default=None, init=False, repr=False)
    _expires: datetime | None = attrs.field(default=None, init=False)
    _known: bool = attrs.field(default=False, init=False)
    _lock: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False, repr=False)

    @property
    def certificate(self) -> tuple[str, str] | None:
        """The certificate of the last answer."""
        return self._certificate

    async def header(self, *, refused: str | None = None) -> str | None:
        """The header of the last answer, asked for again 5 minutes before it expires or when refused."""
        if self._is_good(refused):
            return self._header
        async with self._lock:  # many requests may find it expired at once; the command runs for the first of them
            if not self._is_good(refused):
                await self._ask()
        return self._header

    def _is_good(self, refused: str | None) -> bool:
        if not self._known or (refused is not None and refused == self._header):
            return False
        return self._expires is None or self.clock() < self._expires - EXPIRY_MARGIN

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(PLUGIN_SECONDS):
                status = await self.run()
        except TimeoutError as error:
            raise ConfigError(f"exec plugin: no answer within {PLUGIN_SECONDS:.0f} s") from error
        except OSError as error:
            raise ConfigError(f"exec plugin: cannot be started: {error}") from error
        token, certificate = status.get("token"), status.get("clientCertificateData")
        key, expires = status.get("clientKeyData"), status.get("expirationTimestamp")
        if not token and not (certificate and key):
            raise ConfigError(
                "exec plugin: expected a token, or clientCertificateData with clientKeyData; found neither"
            )
        self._header = f"Bearer {token}" if token else None
        self._certificate = (self.store(certificate), self.store(key)) if certificate and key else None
        self._expires = parse_time(expires) if expires else None
        self._known = True
