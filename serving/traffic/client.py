"""A change reaches the routes of an endpoint whole or not at all, and never undoes what somebody else changed since.

What a controller applies routes with: it says what should be, and asks again later. This module knows the API of
`api.py`; no error of the HTTP library leaves it.
"""

from collections.abc import Callable
from typing import Any

import aiohttp
import attrs
import msgspec

from windlass.serving.errors import EndpointError, NoPrecondition, NotFound, RouteError, RoutesChanged, RoutesFixed
from windlass.serving.traffic.document import read_route, route_to_dict
from windlass.serving.traffic.route import Route

__all__ = ("Remote", "TrafficClient")

_ERRORS: dict[int, Callable[[str], Exception]] = {
    400: lambda why: RouteError([why]),
    404: NotFound,
    409: RoutesFixed,
    412: RoutesChanged,
    428: NoPrecondition,
}


@attrs.frozen
class Remote:
    """A route as an endpoint has it: as it was declared, the weights in force by arm, and the tag of both."""

    route: Route
    weights: dict[str, int]
    etag: str


class TrafficClient:
    """The API of one endpoint at `url`, through a session that the caller owns.

    `timeout_seconds` bounds each request. Every method raises EndpointError when the endpoint cannot be reached or
    answers something else, and NotFound when it has no such route or the API is off.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, *, timeout_seconds: float = 10.0) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)

    def __repr__(self) -> str:
        return f"<TrafficClient {self._url}>"

    async def get(self, name: str) -> Remote:
        """The route. Raises NotFound."""
        return _remote(name, await self._request("GET", name))

    async def apply(self, route: Route) -> bool:
        """Make the route what is given; whether that changed anything.

        Raises RoutesChanged when somebody else changed it at the same time: read, decide and apply again. Raises
        RouteError for a route that the endpoint refuses, RoutesFixed when its routes come from a file.
        """
        try:
            found = await self.get(route.name)
        except NotFound:
            await self._request("PUT", route.name, route=route, headers={"If-None-Match": "*"})
            return True
        if found.route == route:
            return False
        await self.replace(route, etag=found.etag)
        return True

    async def replace(self, route: Route, *, etag: str) -> Remote:
        """Replace the route if it still has this tag. Raises RoutesChanged when it has not."""
        return _remote(route.name, await self._request("PUT", route.name, route=route, headers={"If-Match": etag}))

    async def delete(self, name: str, *, etag: str) -> None:
        """Take the route away if it still has this tag. Raises RoutesChanged when it has not."""
        await self._request("DELETE", name, headers={"If-Match": etag})

    async def experiment(self, name: str) -> dict[str, Any]:
        """What the route's experiment has seen and decided. Raises NotFound when it has none."""
        return (await self._request("GET", f"{name}/experiment"))[0]

    async def _request(
        self, method: str, path: str, *, route: Route | None = None, headers: dict[str, str] | None = None
    ) -> tuple[dict[str, Any], str]:
        url = f"{self._url}/v2/traffic/{path}"
        data = msgspec.json.encode(route_to_dict(route)) if route is not None else None
        headers = {**(headers or {}), **({"Content-Type": "application/json"} if data else {})}
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, timeout=self._timeout
            ) as response:
                body = await response.read()
                status, etag = response.status, response.headers.get("ETag", "").strip('"')
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EndpointError(f"{method} {url}: {str(error) or type(error).__name__}") from error
        try:
            content = msgspec.json.decode(body) if body else {}
        except msgspec.DecodeError as error:
            raise EndpointError(f"{method} {url}: {status}, and no JSON: {body[:80]!r}") from error
        if status < 300 and isinstance(content, dict):
            return content, etag
        why = str(content.get("error", content)) if isinstance(content, dict) else str(content)
        if status in _ERRORS:
            raise _ERRORS[status](why)
        raise EndpointError(f"{method} {url}: {status}: {why}")


def _remote(name: str, found: tuple[dict[str, Any], str]) -> Remote:
    content, etag = found
    try:
        return Remote(read_route(name, content["route"]), dict(content["weights"]), etag)
    except (KeyError, TypeError, RouteError) as error:
        raise EndpointError(f"the endpoint's route {name!r} is not one that is understood here: {error}") from error
