"""The part of the repository extension that changes what serves; it is routed only where somebody asked for it.

Whoever reaches these paths decides what serves, so they are off by default (`EndpointOptions.repository_control`).
Their errors begin as Triton's do: `failed to load 'NAME', …` is a 400.
"""

import asyncio
from collections.abc import Iterable

import attrs
import msgspec
from aiohttp import web

from windlass.serving.errors import BadRequest, ModelError
from windlass.serving.http.admission import Admission
from windlass.serving.http.middleware import answer, read_body
from windlass.serving.repository.repository import ModelRepository
from windlass.serving.tensors import parse_json

__all__ = ("ControlRoutes", "refuse_parameters")

_BODY_SECONDS = 10.0


class _Request(msgspec.Struct):
    parameters: dict[str, str | int | float | bool] | None = None


_REQUEST = msgspec.json.Decoder(_Request)


@attrs.frozen(eq=False)
class ControlRoutes:
    """The handlers."""

    repository: ModelRepository
    admission: Admission
    max_body_bytes: int

    def table(self) -> list[web.RouteDef]:
        """All routes, for `Application.add_routes`."""
        return [
            web.post("/v2/repository/models/{model}/load", self.load),
            web.post("/v2/repository/models/{model}/unload", self.unload),
        ]

    async def load(self, request: web.Request) -> web.Response:
        """Answered when the model serves; on a failure what served before serves on (W8)."""
        refuse_parameters(await self._parameters(request), known=())
        try:
            await self.repository.load(request.match_info["model"])
        except ModelError as error:
            raise BadRequest(str(error)) from error
        return answer({})

    async def unload(self, request: web.Request) -> web.Response:
        """Answered when no new request gets the model; those that have it finish on it."""
        parameters = await self._parameters(request)
        refuse_parameters(parameters, known=("unload_dependents",))
        dependents = bool(parameters.get("unload_dependents", False))
        try:
            await self.repository.unload(request.match_info["model"], dependents=dependents)
        except ModelError as error:
            raise BadRequest(str(error)) from error
        return answer({})

    async def _parameters(self, request: web.Request) -> dict[str, str | int | float | bool]:
        deadline = asyncio.get_running_loop().time() + _BODY_SECONDS
        with self.admission.request() as held:
            body = await read_body(request, self.max_body_bytes, held=held, deadline=deadline)
        asked: _Request = parse_json(body, _REQUEST, "") if body.strip() else _Request()
        return asked.parameters or {}


def refuse_parameters(names: Iterable[str], *, known: tuple[str, ...]) -> None:
    """Raise BadRequest for what would change the model's configuration or files, and for what is not known."""
    for name in names:
        if name not in known:
            raise BadRequest(f"parameters: {name!r} is not supported; a model is described by its folder alone")
