"""The kinds of outside controllers lie as CustomResourceDefinitions beside their stand-ins, in `definitions.yaml`."""

import asyncio
import contextlib
from collections.abc import Sequence
from importlib.resources import files

import yaml

from windlass.envtest.workloads.objects import Json
from windlass.informers import Api, CustomResourceDefinition, Resource
from windlass.informers.errors import AlreadyExists, NotFound

__all__ = ("definitions_in", "serve")

_SERVED_SECONDS = 30.0


def definitions_in(package: str) -> tuple[Json, ...]:
    """Those of a package."""
    text = files(package).joinpath("definitions.yaml").read_text("utf-8")
    return tuple(yaml.safe_load_all(text))


async def serve(api: Api, definitions: Sequence[Json], kinds: Sequence[Resource]) -> None:
    """Create what is not there, and return once every kind is served. Raises ApiError, or TimeoutError after 30 s."""
    for definition in definitions:
        with contextlib.suppress(AlreadyExists):
            await api.create(CustomResourceDefinition, definition)
    async with asyncio.timeout(_SERVED_SECONDS):
        for kind in kinds:
            await _until_served(api, kind)


async def _until_served(api: Api, kind: Resource) -> None:
    while True:
        try:
            await api.list(kind, limit=1)
        except NotFound:
            await asyncio.sleep(0.1)
        else:
            return
