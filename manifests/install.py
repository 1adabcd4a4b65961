"""Tells a cluster of our kinds, and returns only when it serves them.

For trying things out and for tests. In production the definitions are applied by whoever may change the cluster, from
the generated files.
"""

import asyncio
from collections.abc import Sequence

from windlass.informers.api import Api
from windlass.informers.builtins import CustomResourceDefinition
from windlass.informers.errors import AlreadyExists, Conflict, NotFound
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.resources import resource_of
from windlass.informers.typed import CustomResource
from windlass.manifests.crd import crd
from windlass.manifests.errors import NotEstablished

__all__ = ("install",)

_POLL_SECONDS = 0.1
_ATTEMPTS = 5


async def install(api: Api, kinds: Sequence[type[CustomResource]], *, timeout_seconds: float = 30.0) -> None:
    """Create the definition of each kind, or bring it up to date, and wait until its objects can be listed.

    Raises:
        NotEstablished: the cluster did not serve a kind in time; the message has the cluster's own reason.
        ApiError: the cluster refused a definition.
    """
    for kind in kinds:
        await _store(api, kind)
    for kind in kinds:
        try:
            async with asyncio.timeout(timeout_seconds):
                await _served(api, kind)
        except TimeoutError:
            raise NotEstablished(str(resource_of(kind)), await _why_not(api, kind), timeout_seconds) from None


async def _store(api: Api, kind: type[CustomResource]) -> None:
    wanted = crd(kind)
    for _ in range(_ATTEMPTS):
        try:
            await api.create(CustomResourceDefinition, wanted)
        except AlreadyExists:
            found = (await _definition(api, kind)).to_dict()
            # A whole replacement, since a merge would keep properties that the class no longer has.
            metadata = {**found["metadata"], **wanted["metadata"]}
            try:
                await api.replace(CustomResourceDefinition, {**wanted, "metadata": metadata})
            except (Conflict, NotFound):
                continue
        return


async def _served(api: Api, kind: type[CustomResource]) -> None:
    while True:
        try:
            await api.list(kind, limit=1)
        except NotFound:
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return


async def _why_not(api: Api, kind: type[CustomResource]) -> str:
    conditions = (await _definition(api, kind)).to_dict().get("status", {}).get("conditions", [])
    bad = [f"{found['type']}: {found.get('message', '')}" for found in conditions if found.get("status") != "True"]
    return "; ".join(bad) or "the server gives no reason"


async def _definition(api: Api, kind: type[CustomResource]) -> Object:
    resource = resource_of(kind)
    return await api.get(CustomResourceDefinition, Key("", f"{resource.plural}.{resource.group}"))
