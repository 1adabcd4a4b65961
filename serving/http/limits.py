"""A client that dawdles loses its connection, and no number of clients takes up more than is allowed to all of them."""

import math

import attrs

from windlass.serving.errors import EndpointError

__all__ = ("ConnectionLimits",)


@attrs.frozen
class ConnectionLimits:
    """How long clients may take, in seconds, and how many may be connected.

    `head_seconds` is from the first byte of a request to the end of its headers, for the TLS handshake, and for what a
    client still sends after it was refused.
    `idle_seconds` is how long a connection may be open without a request; longer than the idle time of the proxies in
    common use, so that they, not we, end it (DB26). `body_seconds` is from the headers to the last byte of the body; a
    shorter deadline of the request goes before it. `stall_seconds` is how long a client may take nothing of its answer.
    `connections_max` connections are served at once over HTTP, more get 503; the limit on open files must allow it.

    Raises EndpointError naming the field that cannot be meant.
    """

    head_seconds: float = 10.0
    idle_seconds: float = 75.0
    body_seconds: float = 30.0
    stall_seconds: float = 30.0
    connections_max: int = 1000

    def __attrs_post_init__(self) -> None:
        for name in ("head_seconds", "idle_seconds", "body_seconds", "stall_seconds"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise EndpointError(f"{name}: expected a number of seconds above 0, found {value}")
        if self.connections_max < 1:
            raise EndpointError(f"connections_max: expected at least 1, found {self.connections_max}")
