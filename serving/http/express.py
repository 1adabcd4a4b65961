"""What can be answered without waiting for anything is answered in the turn of the loop in which it arrived.

For a small model the way through aiohttp costs more than the answer: a task, a request, a response, and some turns of
the loop between them. So a connection offers a request that is complete to this module first. Whatever is not plainly
of the commonest kind is left to the application, untouched and uncounted. Both answer the same, to the byte.
"""

import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import lru_cache, partial
from http import HTTPStatus
from re import compile as pattern
from typing import TypeAlias

import attrs
from aiohttp.http import SERVER_SOFTWARE, HttpVersion11, RawRequestMessage

from windlass.serving.batching.ask import ask, with_parameters
from windlass.serving.batching.execution import Execution, at_once, may_be_at_once
from windlass.serving.errors import ServingError
from windlass.serving.http.admission import Admission
from windlass.serving.http.middleware import check_content_type, refusal
from windlass.serving.metrics import Answered, Metrics
from windlass.serving.model import LoadedModel
from windlass.serving.protocols.dialects import PREDICT, V1, V2, Dialect
from windlass.serving.repository.repository import ModelRepository
from windlass.serving.telemetry.trace import HEADER as TRACE_HEADER
from windlass.serving.telemetry.trace import trace_id
from windlass.serving.traffic.traffic import Traffic

__all__ = ("Express", "Offer")

Offer: TypeAlias = Callable[[bytes], bytes | None]
"""Takes the body and gives the whole response; None when the application has to answer after all."""

_VERSION = r"(?:/versions/([\w.-]+))?"
_PATHS = (
    (pattern(rf"/v2/models/([\w.-]+){_VERSION}/infer"), V2),
    (pattern(rf"/v1/models/([\w.-]+){_VERSION}:predict"), V1),
)

# The longest number that clients commonly write, and what is around the numbers. A body that is longer than the model's
# largest small input can be is not worth parsing here.
_ELEMENT_BYTES = 24
_ENVELOPE_BYTES = 1024

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


@attrs.frozen(eq=False)
class Express:
    """`draining` is whether connections are to be closed, which is the application's to do."""

    repository: ModelRepository
    traffic: Traffic
    execution: Execution
    admission: Admission
    metrics: Metrics
    plain_model: str
    max_body_bytes: int
    draining: Callable[[], bool]

    def offer(self, message: RawRequestMessage, size: int) -> Offer | None:
        """How to answer a request whose body of so many bytes is here; None when the application has to."""
        target = _target(message.path) if _is_plain(message) else None
        if target is None or size > self.max_body_bytes or self.draining() or not self.admission.has_room(size):
            return None
        dialect, name, version = target
        name = name or self.plain_model
        if version is None and self.traffic.knows(name):
            return None
        try:
            model = self.repository.get(name, version)
            self.execution.refuse_if_full(model)
        except ServingError:
            return None
        if not may_be_at_once(model) or size > _ENVELOPE_BYTES + _ELEMENT_BYTES * model.inline_elements:
            return None
        return partial(self._answer, dialect, model, message)

    def _answer(self, dialect: Dialect, model: LoadedModel, message: RawRequestMessage, body: bytes) -> bytes | None:
        began, headers, version, status = time.perf_counter(), message.headers, "", 200
        try:
            check_content_type(headers)
            # Nothing waits, so that no wish can be granted; one that is not understood is refused as everywhere.
            wish = ask(headers, 0.0, timeout_seconds=0.0)
            asked = dialect.parse(body, model, headers)
            if asked.parameters:
                with_parameters(wish, asked.parameters)
            version = model.version
            outputs = at_once(model, asked.inputs)
            if outputs is None:
                return None
            rendered = dialect.render(model, asked, outputs)
            response = _response(200, rendered.headers, rendered.body)
        except Exception as error:
            refused = refusal(error, message.method, message.path)
            status, response = refused.status, _response(refused.status, refused.headers, refused.body)
        answered = Answered(model.name, version, dialect.name, status, trace_id(headers.get(TRACE_HEADER)))
        self.metrics.count(answered, time.perf_counter() - began)
        return response


def _is_plain(message: RawRequestMessage) -> bool:
    """Whether aiohttp would do no more with the request than to hand it on."""
    return (
        message.method == "POST"
        and message.version == HttpVersion11
        and not (message.should_close or message.compression or message.upgrade or message.chunked)
        and "Expect" not in message.headers
    )


@lru_cache(maxsize=1024)
def _target(path: str) -> tuple[Dialect, str, str | None] | None:
    """The protocol, the name ("" in `/predict`) and the version that a path is for; None for any other path."""
    if path == "/predict":
        return PREDICT, "", None
    for form, dialect in _PATHS:
        found = form.fullmatch(path)
        if found is not None:
            return dialect, found[1], found[2]
    return None


def _response(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    head = (
        f"{_STATUS_LINES[status]}{lines}Content-Length: {len(body)}\r\n"
        f"Date: {_date(int(time.time()))}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n"
    )
    return head.encode() + body


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
