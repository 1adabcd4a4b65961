"""Every call is answered by a message or by one gRPC code with one sentence, the same sentence as over HTTP (G5).

Requests are parsed here and not by the library, which would answer bytes that are no message with INTERNAL. A client
that cancels, or whose deadline passes, cancels the coroutine, which withdraws work that no thread has begun (G6).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import grpc
from multidict import CIMultiDict

from windlass.serving.batching.ask import ask, with_parameters
from windlass.serving.batching.execution import Execution
from windlass.serving.errors import BadRequest, ModelError, NotReady, ServingError
from windlass.serving.grpc import inference
from windlass.serving.grpc.messages import PACKAGE, DecodeError, message
from windlass.serving.http.control import refuse_parameters
from windlass.serving.metrics import Metrics
from windlass.serving.protocols import v2
from windlass.serving.repository.catalogue import Evicted
from windlass.serving.repository.repository import ModelRepository
from windlass.serving.traffic.picked import Picked
from windlass.serving.traffic.traffic import Traffic

__all__ = ("SERVICE", "Service", "code_of", "details_of")

SERVICE = f"{PACKAGE}.GRPCInferenceService"

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}

# How long a call waits for an evicted model.
_LOAD_SECONDS = 60.0

# Details travel in a header, three bytes for each byte that is not ASCII; clients take 8 KiB of headers by default.
_DETAILS_MAX_BYTES = 2000

_log = logging.getLogger(__name__)


def code_of(error: ServingError) -> grpc.StatusCode:
    """The gRPC code of an error, from its HTTP status; INTERNAL for what has no other."""
    return _CODES.get(error.status, grpc.StatusCode.INTERNAL)


def details_of(error: ServingError) -> str:
    """The error's sentence, cut to what fits into a header."""
    return str(error).encode(errors="replace")[:_DETAILS_MAX_BYTES].decode(errors="ignore")


@attrs.frozen(eq=False)
class Service:
    """The methods of the service. `not_ready_because` gives the reason why the server is not ready, or None."""

    repository: ModelRepository
    traffic: Traffic
    execution: Execution
    metrics: Metrics
    not_ready_because: Callable[[], str | None]
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
            name: grpc.unary_unary_rpc_method_handler(_answering(name, method)) for name, method in methods.items()
        }
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    async def server_live(self, _: Any, __: Any) -> dict[str, object]:
        """R1."""
        return {"live": True}

    async def server_ready(self, _: Any, __: Any) -> dict[str, object]:
        """R2: not an error but `ready: false` while the server is not ready."""
        return {"ready": self.not_ready_because() is None}

    async def model_ready(self, request: Any, _: Any) -> dict[str, object]:
        """R3: false for a model that is known and not loaded; NOT_FOUND for one that is not known."""
        try:
            self.execution.refuse_if_ailing(self.traffic.model(request.name, request.version or None))
        except NotReady:
            return {"ready": False}
        return {"ready": True}

    async def server_metadata(self, _: Any, __: Any) -> dict[str, object]:
        """R5."""
        return v2.server_metadata(control=self.control)

    async def model_metadata(self, request: Any, _: Any) -> dict[str, object]:
        """R6."""
        model = self.traffic.model(request.name, request.version or None)
        return v2.metadata(model, self.repository.versions(model.name))

    async def model_infer(self, request: Any, context: Any) -> Any:
        """The prediction."""
        name, version = request.model_name, request.model_version or None
        label = name if self.repository.knows(name) or self.traffic.knows(name) else ""
        with self.metrics.request(label, "grpc"), await self._picked(name, version, context) as to:
            if to.headers:
                context.set_trailing_metadata(tuple((key.lower(), value) for key, value in to.headers.items()))
            self.execution.refuse_if_full(to.model)
            now = asyncio.get_running_loop().time()
            wish = ask({}, now, timeout_seconds=to.model.policy.limits.timeout_seconds)
            parsed = attrs.evolve(inference.parse(request, to.model), variant=to.variant)
            wish = with_parameters(wish, parsed.parameters)
            outputs = await self.execution.run(to.model, parsed.inputs, wish)
            to.answered(parsed.inputs, outputs)
            return inference.render(to.model, parsed, outputs)

    async def _picked(self, name: str, version: str | None, context: Any) -> Picked:
        """The model that answers; one that was evicted is loaded again."""
        try:
            return self.traffic.pick(name, version, _headers(context))
        except Evicted:
            deadline = asyncio.get_running_loop().time() + _LOAD_SECONDS
            await self.repository.take(name, version, deadline=deadline)
            return self.traffic.pick(name, version, _headers(context))

    async def repository_index(self, request: Any, _: Any) -> dict[str, object]:
        """Every version known, with its state and the reason; `ready` keeps those that serve."""
        entries = [entry for entry in self.repository.index() if not request.ready or entry.state == "READY"]
        return {"models": [attrs.asdict(entry) for entry in entries]}

    async def repository_model_load(self, request: Any, _: Any) -> dict[str, object]:
        """Answered when the model serves; a failure leaves what served before (W8)."""
        name = _model_name(request)
        refuse_parameters(tuple(request.parameters), known=())
        try:
            await self.repository.load(name)
        except ModelError as error:
            raise BadRequest(str(error)) from error
        return {"model_name": name, "isLoaded": True}

    async def repository_model_unload(self, request: Any, _: Any) -> dict[str, object]:
        """Answered when no new request gets the model."""
        name = _model_name(request)
        refuse_parameters(tuple(request.parameters), known=("unload_dependents",))
        try:
            dependents = request.parameters["unload_dependents"].bool_param
            await self.repository.unload(name, dependents=dependents)
        except ModelError as error:
            raise BadRequest(str(error)) from error
        return {"model_name": name, "isUnloaded": True}


def _model_name(request: Any) -> str:
    # KServe's clients send the name in the first field, where Triton has the repository's.
    return str(request.model_name or request.repository_name)


def _answering(name: str, method: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[bytes, Any], Awaitable[bytes]]:
    request_type, response_type = message(f"{name}Request"), message(f"{name}Response")

    async def answer(raw: bytes, context: Any) -> bytes:
        try:
            response = await method(_parsed(request_type, raw), context)
            serialized: bytes = (
                response_type(**response) if isinstance(response, dict) else response
            ).SerializeToString()
        except ServingError as error:
            code, details = code_of(error), details_of(error)
            if error.status == 500:
                _log.error("%s: %s", name, error, exc_info=error)
        except Exception:
            _log.exception("%s failed", name)
            code, details = grpc.StatusCode.INTERNAL, "internal error; the server's log has the details"
        else:
            return serialized
        await context.abort(code, details)
        raise AssertionError("abort raises")

    return answer


def _headers(context: Any) -> CIMultiDict[str]:
    """The call's metadata that is text, found in any case, as HTTP's headers are."""
    return CIMultiDict((key, value) for key, value in context.invocation_metadata() or () if isinstance(value, str))


def _parsed(request_type: Any, raw: bytes) -> Any:
    try:
        return request_type.FromString(raw)
    except DecodeError as error:
        raise BadRequest(f"the bytes are not a {request_type.DESCRIPTOR.full_name}: {error}") from error
