"""Certificates, keys and authorities may be replaced while the server runs; the next handshake has the new ones.

Files that do not fit together, as in the moment between the replacement of one and of the other, leave the former ones
in use. Connections that are open stay as they are.
"""

import logging
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from windlass.serving.access.changes import Changes
from windlass.serving.errors import EndpointError

__all__ = ("Pems", "ServerTls", "TlsFiles", "common_name")

_log = logging.getLogger(__name__)


@attrs.frozen
class TlsFiles:
    """PEM files: the server's certificate with what leads to its root, its key, and the authority of clients.

    With `client_ca` a client must show a certificate that it vouches for; without, none is asked for.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


@attrs.frozen
class Pems:
    """What the files hold."""

    certificate: bytes
    key: bytes = attrs.field(repr=False)
    client_ca: bytes | None


class ServerTls:
    """The files, read anew when they change. Raises EndpointError naming the files if they cannot be used."""

    def __init__(self, files: TlsFiles, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.files = files
        paths = (files.certificate, files.key, *(() if files.client_ca is None else (files.client_ca,)))
        self._changes = Changes(paths, clock=clock)
        self._context = self._load()
        self.pems = self._read()

    def __repr__(self) -> str:
        return f"<ServerTls {self.files.certificate} client_ca={self.files.client_ca}>"

    def refresh(self) -> bool:
        """Look at the files, if a second has passed since the last look; whether they are new."""
        if not self._changes.seen():
            return False
        try:
            # Both, before either is used: half a change is none.
            context, pems = self._load(), self._read()
        except EndpointError as error:
            _log.error("the former certificate stays in use: %s", error)
            return False
        self._context, self.pems = context, pems
        return True

    def context(self) -> ssl.SSLContext:
        """The one for the next handshake."""
        self.refresh()
        return self._context

    def server_context(self) -> ssl.SSLContext:
        """A context for a listener that is never made anew: each handshake has what the files hold then."""
        current = _Current(ssl.PROTOCOL_TLS_SERVER)
        current.of = self
        return current

    def _load(self) -> ssl.SSLContext:
        files = self.files
        try:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(files.certificate, files.key, password=_no_password)
        except (OSError, ValueError) as error:
            raise EndpointError(
                f"the certificate {files.certificate} with the key {files.key} cannot be used: {_why(error)}"
            ) from error
        if files.client_ca is not None:
            try:
                context.load_verify_locations(files.client_ca)
            except (OSError, ValueError) as error:
                raise EndpointError(f"the authority {files.client_ca} cannot be used: {_why(error)}") from error
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _read(self) -> Pems:
        files = self.files
        try:
            authority = None if files.client_ca is None else files.client_ca.read_bytes()
            return Pems(files.certificate.read_bytes(), files.key.read_bytes(), authority)
        except OSError as error:
            raise EndpointError(f"the certificate {files.certificate} cannot be read: {_why(error)}") from error


class _Current(ssl.SSLContext):
    """Hands each handshake to the context that is current then; an authority cannot be taken out of a context."""

    of: ServerTls

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        return self.of.context().wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def common_name(certificate: Mapping[str, Any]) -> str | None:
    """The last common name in the subject of a verified certificate, as Python's `getpeercert` describes it."""
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return names[-1] if names else None


def _no_password() -> str:
    # Without this an encrypted key would be asked for on the terminal.
    raise ValueError("the key is encrypted")


def _why(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split()).lower()
