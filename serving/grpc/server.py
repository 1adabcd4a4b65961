"""A gRPC server that is inert until started, listens alone on its port, and finishes what is under way when it stops.

This module knows addresses and life cycles; what a call answers is `service.py`.
"""

import asyncio

import grpc

from windlass.serving.errors import EndpointError
from windlass.serving.grpc.service import Service

__all__ = ("GrpcServer",)


class GrpcServer:
    """The service on a port. It starts once.

    `max_message_bytes` bounds a request; a longer one is refused with RESOURCE_EXHAUSTED before it is read.
    """

    def __init__(self, service: Service, *, host: str, port: int, max_message_bytes: int) -> None:
        self.service = service
        self.host = host
        self.port = port
        self.max_message_bytes = max_message_bytes
        self._server: grpc.aio.Server | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listen; the real port. Raises EndpointError naming an address that cannot be listened on."""
        options = [
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.max_send_message_length", -1),
            # Otherwise a second server on the same port would share its connections instead of being refused.
            ("grpc.so_reuseport", 0),
        ]
        server = grpc.aio.server(options=options)
        server.add_generic_rpc_handlers((self.service.handler(),))
        host = f"[{self.host}]" if ":" in self.host else self.host
        try:
            port: int = server.add_insecure_port(f"{host}:{self.port}")
        except RuntimeError as error:
            raise EndpointError(f"cannot listen for gRPC on {self.host}:{self.port}") from error
        await server.start()
        self._server = server
        return port

    def drain(self, seconds: float) -> None:
        """Refuse new calls from now on; those under way have this long to finish."""
        if self._server is not None and self._stopping is None:
            self._stopping = asyncio.create_task(self._server.stop(seconds), name="windlass-serving-grpc-drain")

    async def stop(self) -> None:
        """Wait until nothing is left of it; calls still under way that `drain` gave no time are cut off."""
        self.drain(0)
        if self._stopping is not None:
            await self._stopping
