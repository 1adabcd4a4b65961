"""A stand-in is entered and left like the Manager that it has: first what it needs is made, then everything runs.

This module does not know whom it stands in for.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from windlass.controller import Manager, Settings
from windlass.informers import Api, Client, Cluster, Resource

__all__ = ("StandIn",)


class StandIn:
    """The controllers of somebody else, under one start and one stop. Used as `async with …:`; it runs once.

    Its writes are those of the field manager `name`. With `namespace` only objects there are followed.
    """

    def __init__(
        self, cluster: Cluster, name: str, *, kinds: Sequence[type[Any] | Resource], namespace: str | None = None
    ) -> None:
        self._cluster = cluster
        settings = Settings(field_manager=name, grace_seconds=5.0)
        self.manager = Manager(kinds=kinds, cluster=cluster, namespace=namespace, settings=settings)

    async def _prepare(self, api: Api) -> None:
        """Make what has to be there before anything runs. Raises ApiError."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Return when what it needs is there and everything is followed. Raises as `Manager` does, and ApiError."""
        async with Client(self._cluster) as client:
            await self._prepare(Api(client))
        await self.manager.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop in order. Everything in the cluster stays as it is."""
        await self.manager.__aexit__(kind, error, trace)
