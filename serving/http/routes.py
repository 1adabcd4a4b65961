"""Which path answers what: each handler reads a request, calls one protocol over one model, and answers.

Decisions are made elsewhere.

A model is taken from the repository once per request, so that no request sees two versions (W8).
"""

import asyncio
from collections.abc import Callable, Mapping
from urllib.parse import unquote

import attrs
import msgspec.structs
from aiohttp import web
from prometheus_client.exposition import choose_encoder

from windlass.serving.access.access import Area
from windlass.serving.batching.ask import Ask, ask, with_parameters
from windlass.serving.batching.execution import Execution
from windlass.serving.errors import NotAllowed, NotFound, NotReady
from windlass.serving.http import openapi
from windlass.serving.http.admission import Admission, Held
from windlass.serving.http.middleware import JSON, answer, read_body
from windlass.serving.metrics import Metrics
from windlass.serving.model import LoadedModel, explaining
from windlass.serving.protocols import v2
from windlass.serving.protocols.dialects import EXPLAIN, PREDICT, V1, V2, Dialect
from windlass.serving.repository.catalogue import Evicted
from windlass.serving.repository.repository import ModelRepository
from windlass.serving.tensors import parse_json
from windlass.serving.traffic.picked import Picked
from windlass.serving.traffic.traffic import Traffic

__all__ = ("Routes",)

_INDEX_SECONDS = 10.0

# How long a request waits for an evicted model, unless it asks for less: what its model gives is not known yet.
_LOAD_SECONDS = 60.0


class _IndexRequest(msgspec.Struct):
    ready: bool | None = None


_INDEX_REQUEST = msgspec.json.Decoder(_IndexRequest)


@attrs.frozen(eq=False)
class Routes:
    """The handlers. `not_ready_because` gives the reason why the server is not ready, or None.

    `page` is whether the document is to describe the page for people, whose handlers are in `serving/page`;
    `traffic_api` is the same for the API of routes, in `serving/traffic`.
    """

    repository: ModelRepository
    traffic: Traffic
    execution: Execution
    admission: Admission
    metrics: Metrics
    not_ready_because: Callable[[], str | None]
    plain_model: str
    max_body_bytes: int
    page: bool
    traffic_api: bool = False
    control: bool = False  # whether the paths of control.py are routed as well
    body_seconds: float = 30.0
    _areas: Mapping[object, Area] = attrs.field(init=False)

    @_areas.default
    def _make_areas(self) -> Mapping[object, Area]:
        return {self.alive: "health", self.live: "health", self.ready: "health", self.scrape: "metrics"}

    def table(self) -> list[web.RouteDef]:
        """All routes, for `Application.add_routes`."""
        get, post = web.get, web.post
        routes = [
            get("/", self.alive),
            get("/healthz", self.live),
            get("/readyz", self.ready),
            get("/metrics", self.scrape),
            get("/openapi.json", self.openapi),
            post("/predict", self.predict),
            get("/v1/models", self.list_models),
            get("/v1/models/{target}", self.v1_model),
            post("/v1/models/{target}", self.v1_predict),
            web.route("*", "/v1/models/{target}", self.v1_other),
            get("/v1/models/{model}/versions/{target}", self.v1_model),
            post("/v1/models/{model}/versions/{target}", self.v1_predict),
            web.route("*", "/v1/models/{model}/versions/{target}", self.v1_other),
            get("/v2", self.server_metadata),
            get("/v2/", self.server_metadata),  # the YAML of the specification writes the slash (D6)
            get("/v2/health/live", self.live),
            get("/v2/health/ready", self.ready),
            post("/v2/repository/index", self.index),
        ]
        for prefix in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
            routes += [
                post(f"{prefix}/infer", self.infer),  # first, because paths with parts are tried in this order
                get(f"{prefix}/ready", self.model_ready),
                get(prefix, self.model_metadata),
            ]
        # Last, because every path of a model begins with it and is looked for in this order.
        return [*routes, get("/v2/models", self.list_models)]

    def area(self, request: web.Request) -> Area:
        """What kind of path the request is for; what has no route is not open to anybody either."""
        if self.page and request.path == "/page":
            return "page"
        return self._areas.get(request.match_info.handler, "models")

    async def alive(self, _: web.Request) -> web.Response:
        """`GET /` (V1-5)."""
        return answer({"status": "alive"})

    async def live(self, _: web.Request) -> web.Response:
        """Always 200: it says that the event loop turns, nothing about models (R1)."""
        return answer({"live": True})

    async def ready(self, _: web.Request) -> web.Response:
        """200 or 503 with the reason (R2, D1, D2)."""
        reason = self.not_ready_because()
        if reason is not None:
            return answer({"ready": False, "error": reason}, status=503)
        return answer({"ready": True})

    async def scrape(self, request: web.Request) -> web.Response:
        """The metrics, as text or OpenMetrics, whichever the scraper accepts."""
        encoder, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encoder(self.metrics.registry), headers={"Content-Type": content_type})

    async def openapi(self, _: web.Request) -> web.Response:
        """The description of all of these paths, for tools."""
        body = openapi.rendered(page=self.page, routes=self.traffic_api, control=self.control)
        return web.Response(body=body, headers=JSON)

    async def server_metadata(self, _: web.Request) -> web.Response:
        """`GET /v2` (R5)."""
        return answer(v2.server_metadata(control=self.control))

    async def list_models(self, _: web.Request) -> web.Response:
        """The names that are answered for, of models and routes (V1-1; under /v2 not part of the specification)."""
        names = {model.name for model in self.repository.models()} | self.traffic.routes.by_name.keys()
        return answer({"models": sorted(names)})

    async def index(self, request: web.Request) -> web.Response:
        """Every version known, with its state and the reason; `{"ready": true}` keeps those that serve."""
        with self.admission.request() as held:
            deadline = _now() + min(_INDEX_SECONDS, self.body_seconds)
            body = await read_body(request, self.max_body_bytes, held=held, deadline=deadline)
        wanted: _IndexRequest = parse_json(body, _INDEX_REQUEST, "") if body.strip() else _IndexRequest()
        entries = self.repository.index()
        if wanted.ready is not None:
            entries = [entry for entry in entries if (entry.state == "READY") == wanted.ready]
        return answer([attrs.asdict(entry) for entry in entries])

    async def model_metadata(self, request: web.Request) -> web.Response:
        """R6."""
        return answer(v2.metadata(self._model(request), self.repository.versions(request.match_info["model"])))

    async def model_ready(self, request: web.Request) -> web.Response:
        """R3."""
        model = self._model(request)
        self.execution.refuse_if_ailing(model)
        return answer({"name": model.name, "ready": True})

    async def infer(self, request: web.Request) -> web.Response:
        """The v2 prediction."""
        found = request.match_info
        return await self._answer(request, V2, found["model"], version=found.get("version"))

    async def v1_model(self, request: web.Request) -> web.Response:
        """`GET /v1/models/{m}` (V1-1)."""
        name, version, verb = _target(request)
        if verb is not None:
            _check_verb(verb)
            raise NotAllowed(request.method, request.path, allowed=("POST",))
        model = self.traffic.model(name, version)
        self.execution.refuse_if_ailing(model)
        return answer({"name": model.name, "ready": True})

    async def v1_other(self, request: web.Request) -> web.Response:
        """Any other method. One route answers two kinds of paths, so the router's own list would be that of both."""
        _, _, verb = _target(request)
        if verb is None:
            raise NotAllowed(request.method, request.path, allowed=("GET", "HEAD"))
        _check_verb(verb)
        raise NotAllowed(request.method, request.path, allowed=("POST",))

    async def v1_predict(self, request: web.Request) -> web.Response:
        """The v1 prediction, `{m}:predict`, and the explanation of one, `{m}:explain` (V1-2, V1-4)."""
        name, version, verb = _target(request)
        if verb is None:
            raise NotAllowed(request.method, request.path, allowed=("GET", "HEAD"))
        _check_verb(verb)
        return await self._answer(request, V1 if verb == "predict" else EXPLAIN, name, version=version)

    async def predict(self, request: web.Request) -> web.Response:
        """The plain prediction of the one model that is configured for it."""
        if not self._label(self.plain_model):
            with self.metrics.request("", PREDICT.name), self.admission.request():
                raise NotReady(f"model {self.plain_model!r}, which answers here, is not loaded")
        return await self._answer(request, PREDICT, self.plain_model)

    async def _answer(
        self, request: web.Request, dialect: Dialect, name: str, *, version: str | None = None
    ) -> web.Response:
        """What a request for a prediction goes through, in whichever protocol."""
        with (
            self.metrics.request(self._label(name), dialect.name),
            self.admission.request() as held,
            await self._picked(request, name, version=version) as to,
        ):
            model = explaining(to.model) if dialect.explains else to.model
            body, wish = await self._accepted(request, model, held)
            asked = dialect.parse(body, model, request.headers)
            if asked.parameters:
                wish = with_parameters(wish, asked.parameters)
            if to.variant is not None:
                asked = msgspec.structs.replace(asked, variant=to.variant)
            outputs = await self.execution.run(model, asked.inputs, wish)
            if not dialect.explains:
                to.answered(asked.inputs, outputs)
            rendered = dialect.render(model, asked, outputs)
        headers = {**rendered.headers, **to.headers} if to.headers else rendered.headers
        return web.Response(body=rendered.body, headers=headers)

    async def _accepted(self, request: web.Request, model: LoadedModel, held: Held) -> tuple[bytes, Ask]:
        """The body and the wishes of a request that the model may accept; one it cannot is refused unread (DB15)."""
        now = _now()
        wish = ask(request.headers, now, timeout_seconds=model.policy.limits.timeout_seconds)
        self.execution.refuse_if_full(model)
        deadline = min(wish.deadline, now + self.body_seconds)
        return await read_body(request, self.max_body_bytes, held=held, deadline=deadline), wish

    async def _picked(self, request: web.Request, name: str, *, version: str | None = None) -> Picked:
        """The model that answers; one that was evicted is loaded again, within the request's time."""
        try:
            return self.traffic.pick(name, version, request.headers)
        except Evicted:
            wish = ask(request.headers, _now(), timeout_seconds=_LOAD_SECONDS)
            await self.repository.take(name, version, deadline=wish.deadline)
            return self.traffic.pick(name, version, request.headers)

    def _model(self, request: web.Request) -> LoadedModel:
        return self.traffic.model(request.match_info["model"], request.match_info.get("version"))

    def _label(self, name: str) -> str:
        return name if self.repository.knows(name) or self.traffic.knows(name) else ""


def _check_verb(verb: str) -> None:
    if verb not in ("predict", "explain"):
        raise NotFound(f"there is no {verb!r}; models offer 'predict', some 'explain'")


def _now() -> float:
    return asyncio.get_running_loop().time()


def _target(request: web.Request) -> tuple[str, str | None, str | None]:
    """The name, version and verb of `/v1/models/{name}:{verb}` and `/v1/models/{name}/versions/{version}:{verb}`.

    Some clients send the colon as `%3A`, a few encode twice over a proxy, so the segment is decoded before it is split.
    """
    head, colon, verb = unquote(request.match_info["target"]).partition(":")
    name = request.match_info.get("model")
    target = (head, None) if name is None else (name, head)
    return *target, (verb if colon else None)
