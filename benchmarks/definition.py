"""A kind that a race needs is defined while it lasts: one that was there before stays, one that was not goes.

Others may use a kind of that name at the same time, so nothing that they have installed is replaced.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from windlass.informers.api import Api
from windlass.informers.builtins import CustomResourceDefinition
from windlass.informers.errors import AlreadyExists, NotFound
from windlass.informers.keys import Key
from windlass.informers.resources import Kind

__all__ = ("defined",)

_POLL_SECONDS = 0.1


@asynccontextmanager
async def defined(api: Api, kind: Kind, definition: Mapping[str, Any]) -> AsyncIterator[None]:
    """While entered, the server serves `kind`. Raises ApiError when it refuses the definition."""
    installed = await _install(api, kind, definition)
    try:
        yield
    finally:
        if installed:
            with suppress(NotFound):
                await api.delete(CustomResourceDefinition, Key("", definition["metadata"]["name"]))


async def _install(api: Api, kind: Kind, definition: Mapping[str, Any]) -> bool:
    try:
        await api.create(CustomResourceDefinition, definition)
    except AlreadyExists:
        return False
    while True:  # a server serves a new kind a moment after it has taken it
        with suppress(NotFound):
            await api.list(kind)
            return True
        await asyncio.sleep(_POLL_SECONDS)
