"""Routes are changed by whoever has read them: a change that does not name the state it was made for is refused.

    GET    /v2/traffic                      the routes, as a document that could be a file
    GET    /v2/traffic/{route}              the route, the weights in force, and an ETag of both
    PUT    /v2/traffic/{route}              with If-Match: ETAG, or If-None-Match: * for a new one
    DELETE /v2/traffic/{route}              with If-Match: ETAG
    GET    /v2/traffic/{route}/experiment   what its experiment has seen and decided
    POST   /v2/traffic/{route}/rewards      {"rewards": [{"unit": "…", "reward": 1.0}]}

A PUT of what is there already changes nothing. Off unless `TrafficOptions.api` is on.
"""

import asyncio
from typing import Annotated

import msgspec
from aiohttp import web

from windlass.serving.errors import NoPrecondition, NotFound, RoutesChanged, RoutesFixed, RoutesNotKept
from windlass.serving.experiments.plan import LARGE
from windlass.serving.http.admission import Admission
from windlass.serving.http.middleware import JSON, answer, read_body
from windlass.serving.tensors import parse_json
from windlass.serving.traffic.document import read_route, route_to_dict, routes_to_dict
from windlass.serving.traffic.keeping import Kept
from windlass.serving.traffic.route import Route, Routes
from windlass.serving.traffic.source import FileSource
from windlass.serving.traffic.traffic import Live, Traffic

__all__ = ("TrafficApi",)

_BODY_BYTES_MAX = 1024 * 1024
_BODY_SECONDS = 10.0


class _Reward(msgspec.Struct, forbid_unknown_fields=True):
    unit: Annotated[str, msgspec.Meta(min_length=1)]
    reward: Annotated[float, msgspec.Meta(ge=-LARGE, le=LARGE)]


class _Rewards(msgspec.Struct, forbid_unknown_fields=True):
    rewards: list[_Reward]


_REWARDS = msgspec.json.Decoder(_Rewards)
_ANYTHING = msgspec.json.Decoder(object)


class TrafficApi:
    """The handlers. With a `source`, routes can be read here and rewards reported, but nothing changed.

    With `kept`, a change that cannot be kept is refused.
    """

    def __init__(
        self, traffic: Traffic, admission: Admission, *, source: FileSource | None = None, kept: Kept | None = None
    ) -> None:
        self._traffic = traffic
        self._admission = admission
        self._source = source
        self._kept = kept

    def table(self) -> list[web.RouteDef]:
        """All routes, for `Application.add_routes`."""
        one = "/v2/traffic/{route}"
        return [
            web.get("/v2/traffic", self.list),
            web.get(one, self.read),
            web.put(one, self.write),
            web.delete(one, self.remove),
            web.get(f"{one}/experiment", self.experiment),
            web.post(f"{one}/rewards", self.rewards),
        ]

    async def list(self, _: web.Request) -> web.Response:
        """The document of all routes, and what is wrong with the file, if anything is."""
        problem = self._source.problem if self._source is not None else None
        return answer({**routes_to_dict(self._traffic.routes), **({"problem": problem} if problem else {})})

    async def read(self, request: web.Request) -> web.Response:
        """One route."""
        return _shown(self._traffic.live(request.match_info["route"]))

    async def write(self, request: web.Request) -> web.Response:
        """Put a route in, or replace it."""
        self._refuse_if_fixed()
        body = await self._body(request)
        name = request.match_info["route"]
        route = read_route(name, parse_json(body, _ANYTHING, ""))
        created = self._check(request, name, put=route)
        self._replace(self._traffic.routes.having(route))
        return _shown(self._traffic.live(name), status=201 if created else 200)

    async def remove(self, request: web.Request) -> web.Response:
        """Take a route away; its name is then a model's, or nobody's."""
        self._refuse_if_fixed()
        name = request.match_info["route"]
        self._traffic.live(name)
        self._check(request, name)
        self._replace(self._traffic.routes.without(name))
        return web.Response(status=204)

    async def experiment(self, request: web.Request) -> web.Response:
        """The experiment of a route."""
        name = request.match_info["route"]
        found = self._traffic.experiment(name)
        if found is None:
            raise NotFound(f"route {name!r} has no experiment")
        return answer(found)

    async def rewards(self, request: web.Request) -> web.Response:
        """Count rewards; `{"counted": N}` says how many were of units that were assigned and had none yet."""
        name = request.match_info["route"]
        self._traffic.live(name)
        found: _Rewards = parse_json(await self._body(request), _REWARDS, "")
        counted = sum(self._traffic.reward(name, one.unit, one.reward) for one in found.rewards)
        return answer({"counted": counted})

    def _replace(self, routes: Routes) -> None:
        before = self._traffic.routes
        self._traffic.replace(routes)
        if self._kept is None:
            return
        try:
            self._kept.write(routes)
        except OSError as error:
            # Nobody has been answered yet: what would be forgotten with the process must not be in force.
            self._traffic.replace(before)
            raise RoutesNotKept(f"the routes cannot be written: {error.strerror or error}") from error

    def _refuse_if_fixed(self) -> None:
        if self._source is not None:
            raise RoutesFixed(f"the routes come from the file {self._source.path.name!r}; change that")

    def _check(self, request: web.Request, name: str, *, put: Route | None = None) -> bool:
        """Whether the route is a new one. Raises NoPrecondition and RoutesChanged."""
        match, none_match = request.headers.get("If-Match"), request.headers.get("If-None-Match")
        exists = self._traffic.knows(name)
        if match is None and none_match is None:
            raise NoPrecondition("a change needs If-Match with the route's ETag, or If-None-Match: * for a new one")
        if none_match is not None and (none_match != "*" or exists):
            raise RoutesChanged(f"route {name!r} is there already" if exists else "If-None-Match: expected *")
        if match is not None and (not exists or match.strip('"') not in ("*", self._traffic.live(name).etag)):
            raise RoutesChanged(f"route {name!r} is not the one that the change was made for; read it again")
        return put is not None and not exists

    async def _body(self, request: web.Request) -> bytes:
        deadline = asyncio.get_running_loop().time() + _BODY_SECONDS
        with self._admission.request() as held:
            return await read_body(request, _BODY_BYTES_MAX, held=held, deadline=deadline)


def _shown(live: Live, *, status: int = 200) -> web.Response:
    content = {"name": live.declared.name, "route": route_to_dict(live.declared), "weights": live.weights}
    return web.Response(body=msgspec.json.encode(content), status=status, headers={**JSON, "ETag": f'"{live.etag}"'})
