"""Before anything waits for ever, it is asked, with a limit, whether this server answers us and lets us list.

A server that cannot be reached, or refuses our credentials, at the start is a mistake to be told within seconds; once a
manager has started, the same is an outage to be waited out.
"""

import asyncio
import logging
from collections.abc import Iterable

from windlass.controller.errors import ManagerError
from windlass.controller.faults import Faults
from windlass.informers.api import Api
from windlass.informers.errors import ApiError, ConnectionFailed, Forbidden, InformersError, NotFound, Unauthorized
from windlass.informers.resources import Resource

__all__ = ("check_access", "check_server")

_LOG = logging.getLogger("windlass.controller.manager")
_PAUSE_SECONDS = 0.5


async def check_server(api: Api, *, timeout_seconds: float) -> str:
    """The server's version. Raises ManagerError, naming the address, if it cannot be had in time."""
    server = api.client.cluster.server
    problem: BaseException | None = None
    try:
        async with asyncio.timeout(timeout_seconds):
            while True:
                try:
                    return await api.server_version()
                except (Unauthorized, Forbidden) as error:
                    raise ManagerError(f"the API server at {server} refuses these credentials: {error}") from error
                except InformersError as error:
                    problem = error
                await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError:
        reason = str(problem) if problem is not None else "no answer"
        message = f"the API server at {server} could not be used within {timeout_seconds:g} s: {reason}"
        raise ManagerError(message) from problem


async def check_access(
    api: Api, resources: Iterable[Resource], *, namespace: str | None, timeout_seconds: float
) -> None:
    """Raises ManagerError naming every kind that may not be listed, at once, or that is not served in time.

    A kind that is not served is named in the log at once; its definition may be on its way.
    """
    faults = Faults()
    absent: list[Resource] = []
    for resource in resources:
        with faults:
            if not await _may_list(api, resource, namespace):
                absent.append(resource)
    faults.raise_all(f"the API server at {api.client.cluster.server} refuses what the controllers need")
    if absent:
        await _appear(api, absent, namespace, timeout_seconds)


async def _appear(api: Api, absent: list[Resource], namespace: str | None, timeout_seconds: float) -> None:
    _LOG.warning("%s; looking for %g s", _unserved(api, absent), timeout_seconds)
    loop = asyncio.get_running_loop()
    limit = loop.time() + timeout_seconds
    while absent:
        if loop.time() >= limit:
            raise ManagerError(_unserved(api, absent))
        await asyncio.sleep(_PAUSE_SECONDS)
        absent = [resource for resource in absent if not await _may_list(api, resource, namespace)]


def _unserved(api: Api, absent: list[Resource]) -> str:
    names = ", ".join(str(resource) for resource in absent)
    return (
        f"the API server at {api.client.cluster.server} does not serve {names}: is the CustomResourceDefinition "
        "missing? `windlass crd generate MODULE:CLASS | kubectl apply -f -` brings it"
    )


async def _may_list(api: Api, resource: Resource, namespace: str | None) -> bool:
    """False for a kind that is not served; True as well when this cannot be told now. Raises ManagerError."""
    pages = api.pages(resource, namespace=namespace, limit=1)
    try:
        await anext(pages)
    except (Unauthorized, Forbidden) as error:
        server = api.client.cluster.server
        where = f"in the namespace {namespace}" if namespace else "in all namespaces"
        raise ManagerError(f"{resource} cannot be listed {where} at {server}: {error}") from error
    except NotFound:
        return False
    except (ApiError, ConnectionFailed):
        pass  # the informer tries again, and its time is limited too
    finally:
        await pages.aclose()  # type: ignore[attr-defined]  # an async generator, which its type does not say
    return True
