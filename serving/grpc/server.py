"""A gRPC server that is inert until started, listens alone on its port, and finishes what is under way when it stops.

This module knows addresses and life cycles; what a call answers is `service.py`.
"""

import asyncio

import attrs
import grpc

from windlass.serving.access.tls import Pems, ServerTls
from windlass.serving.errors import EndpointError
from windlass.serving.grpc.service import Service

__all__ = ("Address", "GrpcServer")


@attrs.frozen
class Address:
    """Where to listen: a host, a port (0 for a free one), and the certificate, or None for no TLS."""

    host: str
    port: int
    tls: ServerTls | None = None


class GrpcServer:
    """The service on a port. It starts once.

    `max_message_bytes` bounds a request, decompressed; a longer one is refused with RESOURCE_EXHAUSTED unread.
    """

    def __init__(self, service: Service, address: Address, *, max_message_bytes: int) -> None:
        self.service = service
        self.address = address
        self.max_message_bytes = max_message_bytes
        self._server: grpc.aio.Server | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listen; the real port. Raises EndpointError naming an address that cannot be listened on."""
        limits = self.service.limits
        options = [
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.max_send_message_length", -1),
            # Otherwise a second server on the same port would share its connections instead of being refused.
            ("grpc.so_reuseport", 0),
            ("grpc.server_handshake_timeout_ms", _milliseconds(limits.head_seconds)),
            ("grpc.max_connection_idle_ms", _milliseconds(limits.idle_seconds)),
            # A peer that is gone without a word is noticed, and what was computed for it withdrawn.
            ("grpc.keepalive_time_ms", _milliseconds(limits.idle_seconds)),
            ("grpc.keepalive_timeout_ms", _milliseconds(limits.stall_seconds)),
            ("grpc.max_concurrent_streams", self.service.admission.requests_max),
        ]
        server = grpc.aio.server(options=options)
        server.add_generic_rpc_handlers((self.service.handler(),))
        address = self.address
        place = f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"
        try:
            if address.tls is None:
                port: int = server.add_insecure_port(place)
            else:
                port = server.add_secure_port(place, _credentials(address.tls))
        except RuntimeError as error:
            raise EndpointError(f"cannot listen for gRPC on {address.host}:{address.port}") from error
        await server.start()
        self._server = server
        return port

    def drain(self, seconds: float) -> None:
        """Refuse new calls from now on; those under way have this long to finish."""
        if self._server is not None and self._stopping is None:
            self.service.draining.set()
            self._stopping = asyncio.create_task(self._server.stop(seconds), name="windlass-serving-grpc-drain")

    async def stop(self) -> None:
        """Wait until nothing is left of it; calls still under way that `drain` gave no time are cut off."""
        self.drain(0)
        if self._stopping is not None:
            await self._stopping


def _credentials(tls: ServerTls) -> grpc.ServerCredentials:
    """Credentials that look at the files at each handshake, in a thread of the library's."""
    used = tls.pems

    def fresh() -> grpc.ServerCertificateConfiguration | None:
        # None keeps the former ones. Another listener may have noticed the change first, so what counts is what we had.
        nonlocal used
        tls.refresh()
        if tls.pems is used:
            return None
        used = tls.pems
        return _configuration(used)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(used), fresh, require_client_authentication=used.client_ca is not None
    )


def _configuration(pems: Pems) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pems.key, pems.certificate)], root_certificates=pems.client_ca)


def _milliseconds(seconds: float) -> int:
    return min(max(1, round(seconds * 1000)), 2**31 - 1)
