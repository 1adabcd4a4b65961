"""A definition is installed when the server lists its kinds in discovery and serves their objects, not sooner.

For CustomResourceDefinitions as they lie in files; the definition of a class is installed by `windlass.manifests`.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from windlass.envtest.errors import DefinitionError
from windlass.informers.api import Api
from windlass.informers.builtins import CustomResourceDefinition
from windlass.informers.errors import AlreadyExists, ApiError, Conflict, ConnectionFailed
from windlass.informers.keys import Key
from windlass.informers.requests import raw_get

__all__ = ("install_definitions",)

_POLL_SECONDS = 0.05
_ATTEMPTS = 5


async def install_definitions(api: Api, *definitions: Mapping[str, Any], timeout_seconds: float = 30.0) -> None:
    """Create each CustomResourceDefinition (`apiextensions.k8s.io/v1`), or replace the one of its name; then wait.

    Raises:
        DefinitionError: the server did not serve one in time; the message has the conditions that say why.
        ApiError: the server refused one.
    """
    for definition in definitions:
        await _store(api, definition)
    for definition in definitions:
        try:
            async with asyncio.timeout(timeout_seconds):
                while not await _is_served(api, definition):  # noqa: ASYNC110 - discovery tells nobody that it changed
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            reason = await _why_not(api, definition)
            raise DefinitionError(
                f"{_name(definition)} was not served within {timeout_seconds:.0f} s: {reason}"
            ) from None


def _name(definition: Mapping[str, Any]) -> str:
    return str(definition["metadata"]["name"])


async def _store(api: Api, definition: Mapping[str, Any]) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            await api.create(CustomResourceDefinition, definition)
        except AlreadyExists:
            found = await api.get(CustomResourceDefinition, Key("", _name(definition)))
            metadata = {**definition["metadata"], "resourceVersion": found.resource_version}
            try:
                await api.replace(CustomResourceDefinition, {**definition, "metadata": metadata})
            except Conflict:  # its status is written when it is new
                if attempt == _ATTEMPTS:
                    raise
                continue
        return


async def _is_served(api: Api, definition: Mapping[str, Any]) -> bool:
    if (await _conditions(api, definition)).get("Established") != "True":
        return False
    spec = definition["spec"]
    for version in spec["versions"]:
        if version["served"]:
            path = f"/apis/{spec['group']}/{version['name']}"
            # In this order: a list that is answered while discovery is silent helps nobody who looks for the kind.
            if f'"name":"{spec["names"]["plural"]}"'.encode() not in await _read(api, path):
                return False
            if not await _read(api, f"{path}/{spec['names']['plural']}?limit=1"):
                return False
    return True


async def _conditions(api: Api, definition: Mapping[str, Any]) -> dict[str, str]:
    found = (await api.get(CustomResourceDefinition, Key("", _name(definition)))).to_dict()
    return {one["type"]: one["status"] for one in found.get("status", {}).get("conditions") or []}


async def _why_not(api: Api, definition: Mapping[str, Any]) -> str:
    found = (await api.get(CustomResourceDefinition, Key("", _name(definition)))).to_dict()
    conditions = found.get("status", {}).get("conditions") or []
    return "; ".join(f"{one['type']}={one['status']} ({one.get('message', '')})" for one in conditions) or "no reason"


async def _read(api: Api, path: str) -> bytes:
    try:
        return (await api.client.send(raw_get(path))).body.replace(b'": ', b'":')
    except (ApiError, ConnectionFailed):
        return b""
