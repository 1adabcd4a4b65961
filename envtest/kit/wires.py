"""Wires that tests put before a cluster can stand one before another, and hand on answers that they have changed."""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

import attrs

from windlass.informers.client import Stream
from windlass.informers.cluster import Cluster
from windlass.informers.requests import Request
from windlass.informers.wire import Onward, Wire

__all__ = ("Replayed", "body_of", "wired")

_SILENCE_SECONDS = 60.0


def wired(cluster: Cluster, wire: Wire) -> Cluster:
    """The same cluster with `wire` before whatever stood before it already."""
    return attrs.evolve(cluster, wire=wire if cluster.wire is None else _Before(wire, cluster.wire))


@attrs.frozen
class _Before:
    outer: Wire
    inner: Wire

    def carry(self, request: Request, onward: Onward) -> AbstractAsyncContextManager[Stream]:
        return self.outer.carry(request, lambda: self.inner.carry(request, onward))


async def body_of(stream: Stream) -> bytes:
    """The whole body. Raises ConnectionFailed."""
    parts = []
    while part := await stream.read(_SILENCE_SECONDS):
        parts.append(part)
    return b"".join(parts)


class Replayed:
    """The source of an answer that has been read already."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = iter([part for part in parts if part])

    async def read(self, silence_seconds: float) -> bytes:  # noqa: ARG002 - there is none
        """The next part."""
        return next(self._parts, b"")
