"""Every call is answered by a message or by one gRPC code with one sentence, the same sentence as over HTTP (G5).

Requests are parsed here and not by the library, which would answer bytes that are no message with INTERNAL. A client
that cancels, or whose deadline passes, cancels the coroutine, which withdraws work that no thread has begun (G6).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from urllib.parse import unquote

import attrs
import grpc
import msgspec.structs
from multidict import CIMultiDict

from windlass.serving.access.access import Access, Action, Area
from windlass.serving.access.callers import Caller
from windlass.serving.batching.ask import with_parameters
from windlass.serving.batching.execution import Execution
from windlass.serving.errors import BadRequest, ModelError, NotReady, ServingError
from windlass.serving.grpc import calls, inference
from windlass.serving.grpc.messages import PACKAGE, DecodeError, message
from windlass.serving.http.admission import Admission
from windlass.serving.http.control import refuse_parameters
from windlass.serving.http.limits import ConnectionLimits
from windlass.serving.metrics import Metrics
from windlass.serving.protocols import v2
from windlass.serving.repository.catalogue import Evicted
from windlass.serving.repository.repository import ModelRepository
from windlass.serving.telemetry.accesslog import Seen
from windlass.serving.telemetry.call import Call as ObservedCall
from windlass.serving.telemetry.telemetry import Telemetry
from windlass.serving.traffic.picked import Picked
from windlass.serving.traffic.traffic import Traffic

__all__ = ("SERVICE", "Call", "Service", "code_of", "details_of")

SERVICE = f"{PACKAGE}.GRPCInferenceService"

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}

# How long a call waits for an evicted model.
_LOAD_SECONDS = 60.0

# Details travel in a header, three bytes for each byte that is not ASCII; clients take 8 KiB of headers by default.
_DETAILS_MAX_BYTES = 2000

_STREAM = message("ModelStreamInferResponse")
_INFER = message("ModelInferRequest")
# Probes ask these; they answer under any load, and to whomever the health paths of HTTP answer.
_HEALTH = frozenset(("ServerLive", "ServerReady"))

_log = logging.getLogger(__name__)


def code_of(error: ServingError) -> grpc.StatusCode:
    """The gRPC code of an error, from its HTTP status; INTERNAL for what has no other."""
    return _CODES.get(error.status, grpc.StatusCode.INTERNAL)


def details_of(error: ServingError) -> str:
    """The error's sentence, cut to what fits into a header."""
    return str(error).encode(errors="replace")[:_DETAILS_MAX_BYTES].decode(errors="ignore")


@attrs.frozen(eq=False)
class Call:
    """What a method may know of its call."""

    context: Any
    headers: CIMultiDict[str]
    caller: Caller | None


@attrs.define(eq=False)
class _Watched:
    """What is told of a call when it has ended; `sizes` are those of its messages in bytes."""

    headers: CIMultiDict[str]
    call: ObservedCall
    status: str = grpc.StatusCode.OK.name
    sizes: tuple[int, int] | tuple[None, None] = (None, None)

    def seen(self, name: str, peer: str) -> Seen:
        """The method's name for people, and the path that is on the wire."""
        agent = self.headers.get("user-agent")
        return Seen("grpc", name, f"/{SERVICE}/{name}", self.status, _address(peer), agent, *self.sizes)


@attrs.frozen(eq=False, kw_only=True)
class Service:
    """The methods of the service.

    `not_ready_because` gives the reason why the server is not ready, or None. Once `draining` is set, streams end when
    their next request would be waited for.
    """

    repository: ModelRepository
    traffic: Traffic
    execution: Execution
    admission: Admission
    metrics: Metrics
    telemetry: Telemetry
    not_ready_because: Callable[[], str | None]
    access: Access | None = None
    limits: ConnectionLimits = attrs.field(factory=ConnectionLimits)
    draining: asyncio.Event = attrs.field(factory=asyncio.Event)
    control: bool = False

    def handler(self) -> grpc.GenericRpcHandler:
        """What a server registers."""
        methods = {
            "ServerLive": self.server_live,
            "ServerReady": self.server_ready,
            "ModelReady": self.model_ready,
            "ServerMetadata": self.server_metadata,
            "ModelMetadata": self.model_metadata,
            "ModelInfer": self.model_infer,
            "RepositoryIndex": self.repository_index,
        }
        if self.control:
            methods |= {
                "RepositoryModelLoad": self.repository_model_load,
                "RepositoryModelUnload": self.repository_model_unload,
            }
        handlers = {
            name: grpc.stream_unary_rpc_method_handler(self._answering(name, method))
            for name, method in methods.items()
        }
        handlers["ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(self.model_stream_infer)
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    async def server_live(self, _: Any, call: Call) -> dict[str, object]:
        """R1."""
        await self._permit(call, "/v2/health/live")
        return {"live": True}

    async def server_ready(self, _: Any, call: Call) -> dict[str, object]:
        """R2: not an error but `ready: false` while the server is not ready."""
        await self._permit(call, "/v2/health/ready")
        return {"ready": self.not_ready_because() is None}

    async def model_ready(self, request: Any, call: Call) -> dict[str, object]:
        """R3: false for a model that is known and not loaded; NOT_FOUND for one that is not known."""
        await self._permit(call, f"{_path(request.name, request.version)}/ready")
        try:
            self.execution.refuse_if_ailing(self.traffic.model(request.name, request.version or None))
        except NotReady:
            return {"ready": False}
        return {"ready": True}

    async def server_metadata(self, _: Any, call: Call) -> dict[str, object]:
        """R5."""
        await self._permit(call, "/v2")
        return v2.server_metadata(control=self.control)

    async def model_metadata(self, request: Any, call: Call) -> dict[str, object]:
        """R6."""
        await self._permit(call, _path(request.name, request.version))
        model = self.traffic.model(request.name, request.version or None)
        return v2.metadata(model, self.repository.versions(model.name))

    async def model_infer(self, request: Any, call: Call) -> Any:
        """The prediction."""
        name, version = request.model_name, request.model_version or None
        await self._permit(call, f"{_path(name, request.model_version)}/infer", verb="post")
        label = name if self.repository.knows(name) or self.traffic.knows(name) else ""
        with self.metrics.request(label, "grpc"), await self._picked(name, version, call) as to:
            if to.headers:
                call.context.set_trailing_metadata(tuple((key.lower(), value) for key, value in to.headers.items()))
            wish = calls.wish(call.context, call.headers, timeout_seconds=to.model.policy.limits.timeout_seconds)
            self.execution.refuse_if_full(to.model)
            parsed = msgspec.structs.replace(inference.parse(request, to.model), variant=to.variant)
            wish = with_parameters(wish, parsed.parameters)
            outputs = await self.execution.run(to.model, parsed.inputs, wish)
            to.answered(parsed.inputs, outputs)
            return inference.render(to.model, parsed, outputs)

    async def _picked(self, name: str, version: str | None, call: Call) -> Picked:
        """The model that answers; one that was evicted is loaded again, within the call's time."""
        try:
            return self.traffic.pick(name, version, call.headers)
        except Evicted:
            wish = calls.wish(call.context, call.headers, timeout_seconds=_LOAD_SECONDS)
            await self.repository.take(name, version, deadline=wish.deadline)
            return self.traffic.pick(name, version, call.headers)

    async def repository_index(self, request: Any, call: Call) -> dict[str, object]:
        """Every version known, with its state and the reason; `ready` keeps those that serve."""
        await self._permit(call, "/v2/repository/index", verb="post")
        entries = [entry for entry in self.repository.index() if not request.ready or entry.state == "READY"]
        return {"models": [attrs.asdict(entry) for entry in entries]}

    async def repository_model_load(self, request: Any, call: Call) -> dict[str, object]:
        """Answered when the model serves; a failure leaves what served before (W8)."""
        name = _model_name(request)
        await self._permit(call, f"/v2/repository/models/{name}/load", verb="post")
        refuse_parameters(tuple(request.parameters), known=())
        try:
            await self.repository.load(name)
        except ModelError as error:
            raise BadRequest(str(error)) from error
        return {"model_name": name, "isLoaded": True}

    async def repository_model_unload(self, request: Any, call: Call) -> dict[str, object]:
        """Answered when no new request gets the model."""
        name = _model_name(request)
        await self._permit(call, f"/v2/repository/models/{name}/unload", verb="post")
        refuse_parameters(tuple(request.parameters), known=("unload_dependents",))
        try:
            dependents = request.parameters["unload_dependents"].bool_param
            await self.repository.unload(name, dependents=dependents)
        except ModelError as error:
            raise BadRequest(str(error)) from error
        return {"model_name": name, "isUnloaded": True}

    async def model_stream_infer(self, _: object, context: Any) -> AsyncIterator[bytes]:
        """Predictions one after the other on one call; an error is an answer, and the stream goes on.

        A stream without a request for `idle_seconds`, or while the server drains, ends with UNAVAILABLE.
        """
        with self._watched("ModelStreamInfer", context) as watched:
            try:
                call = Call(context, watched.headers, await self._caller(context, watched, "models"))
            except ServingError as error:
                watched.status = code_of(error).name
                await context.abort(code_of(error), details_of(error))
        while (raw := await self._next(context)) is not grpc.aio.EOF:
            with self._watched("ModelStreamInfer", context) as watched:
                watched.call.caller = None if call.caller is None else call.caller.name
                answer = await self._streamed(raw, call, watched)
                watched.sizes = (len(raw), answer.ByteSize())
            yield answer.SerializeToString()

    async def _next(self, context: Any) -> Any:
        """The stream's next message, or EOF."""
        reading = asyncio.ensure_future(context.read())
        draining = asyncio.ensure_future(self.draining.wait())
        try:
            await asyncio.wait(
                {reading, draining}, timeout=self.limits.idle_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if reading.done():
                return reading.result()
        finally:
            reading.cancel()
            draining.cancel()
        why = "the server is draining" if self.draining.is_set() else "no request came for a while"
        return await context.abort(grpc.StatusCode.UNAVAILABLE, f"{why}; open the stream anew")

    async def _streamed(self, raw: bytes, call: Call, watched: "_Watched") -> Any:
        identifier = ""
        try:
            with self.admission.request() as held:
                held.reserve(len(raw))
                request = _parsed(_INFER, raw)
                identifier = request.id
                return _STREAM(infer_response=await self.model_infer(request, call))
        except ServingError as error:
            watched.status, details = code_of(error).name, details_of(error)
            _log_failure("ModelStreamInfer", error)
        except Exception:
            watched.status, details = grpc.StatusCode.INTERNAL.name, _INTERNAL
            _log.exception("ModelStreamInfer failed")
        return _STREAM(error_message=details, infer_response={"id": identifier})

    @contextmanager
    def _watched(self, name: str, context: Any) -> Iterator["_Watched"]:
        """A call, or a message of a stream, that is told of when it ends."""
        headers = calls.metadata(context)
        watched = _Watched(headers, self.telemetry.begin(headers))
        try:
            yield watched
        except asyncio.CancelledError:
            watched.status = grpc.StatusCode.CANCELLED.name
            raise
        finally:
            if self.telemetry.watches:
                self.telemetry.end(watched.call, watched.seen(name, context.peer()))

    async def _caller(self, context: Any, watched: "_Watched", area: Area) -> Caller | None:
        """The caller, known before the message is read. Raises Unauthenticated, and NotReady."""
        if self.access is None:
            return None
        caller = await self.access.identify(calls.presented(context, watched.headers), area)
        watched.call.caller = None if caller is None else caller.name
        return caller

    async def _permit(self, call: Call, path: str, verb: str = "get") -> None:
        if self.access is not None and call.caller is not None:
            await self.access.permit(call.caller, Action(verb, path))

    def _answering(
        self, name: str, method: Callable[[Any, Call], Awaitable[Any]]
    ) -> Callable[[object, Any], Awaitable[bytes]]:
        request_type, response_type = message(f"{name}Request"), message(f"{name}Response")

        async def answered(context: Any, watched: _Watched) -> bytes:
            caller = await self._caller(context, watched, "health" if name in _HEALTH else "models")
            with nullcontext() if name in _HEALTH else self.admission.request() as held:
                raw = await calls.read(context, seconds=self.limits.body_seconds)
                if held is not None:
                    held.reserve(len(raw))
                response = await method(_parsed(request_type, raw), Call(context, watched.headers, caller))
                answer = response_type(**response) if isinstance(response, dict) else response
                serialized: bytes = answer.SerializeToString()
                watched.sizes = (len(raw), len(serialized))
                return serialized

        async def answer(_: object, context: Any) -> bytes:
            with self._watched(name, context) as watched:
                traceparent = self.telemetry.traceparent(watched.call)
                if traceparent is not None:
                    await context.send_initial_metadata((("traceparent", traceparent),))
                try:
                    return await answered(context, watched)
                except ServingError as error:
                    code, details = code_of(error), details_of(error)
                    _log_failure(name, error)
                except Exception:
                    _log.exception("%s failed", name)
                    code, details = grpc.StatusCode.INTERNAL, _INTERNAL
                watched.status = code.name
                await context.abort(code, details)
                raise AssertionError("abort raises")

        return answer


_INTERNAL = "internal error; the server's log has the details"


def _address(peer: str) -> str:
    """`ipv4:127.0.0.1:50000` and `ipv6:%5B::1%5D:50000` without family and port."""
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")


def _path(model: str, version: str) -> str:
    """What the model is called over HTTP, so that one rule about who may ask it holds for both."""
    return f"/v2/models/{model}/versions/{version}" if version else f"/v2/models/{model}"


def _parsed(request_type: Any, raw: bytes) -> Any:
    try:
        return request_type.FromString(raw)
    except DecodeError as error:
        raise BadRequest(f"the bytes are not a {request_type.DESCRIPTOR.full_name}: {error}") from error


def _log_failure(name: str, error: ServingError) -> None:
    if error.status == 500:
        _log.error("%s: %s", name, error, exc_info=error)


def _model_name(request: Any) -> str:
    # KServe's clients send the name in the first field, where Triton has the repository's.
    return str(request.model_name or request.repository_name)
