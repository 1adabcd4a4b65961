"""The protocols of HTTP are four ways to say the same: a body asks a model, and another body answers.

What a request goes through is the same in each of them (`http/routes.py`, `http/express.py`); here is what differs.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

from windlass.serving.model import LoadedModel
from windlass.serving.protocols import predict, v1, v2
from windlass.serving.protocols.request import InferRequest
from windlass.serving.protocols.v2 import Rendered
from windlass.serving.tensors import Array

__all__ = ("EXPLAIN", "PREDICT", "V1", "V2", "Dialect")

_Headers: TypeAlias = Mapping[str, str]
_Outputs: TypeAlias = Mapping[str, Array]


@attrs.frozen
class Dialect:
    """`name` is the protocol's in the metrics.

    `parse` raises BadRequest; `render` raises BadRequest or ModelFailed for what the answer cannot carry. With
    `explains` it is the model's explanations that are asked for, which are another model's predictions
    (`model.explaining`).
    """

    name: str
    parse: Callable[[bytes, LoadedModel, _Headers], InferRequest]
    render: Callable[[LoadedModel, InferRequest, _Outputs], Rendered]
    explains: bool = False


def _parse_predict(body: bytes, model: LoadedModel, _: _Headers) -> InferRequest:
    return InferRequest(predict.parse(body, model))


def _render_predict(model: LoadedModel, _: InferRequest, outputs: _Outputs) -> Rendered:
    return Rendered(predict.render(model, outputs))


def _parse_v1(body: bytes, model: LoadedModel, _: _Headers) -> InferRequest:
    return InferRequest(v1.parse(body, model))


def _render_v1(model: LoadedModel, request: InferRequest, outputs: _Outputs) -> Rendered:
    return Rendered(v1.render(model, request.inputs, outputs=outputs))


def _render_explanations(model: LoadedModel, request: InferRequest, outputs: _Outputs) -> Rendered:
    return Rendered(v1.render(model, request.inputs, outputs=outputs, key="explanations"))


def _parse_v2(body: bytes, model: LoadedModel, headers: _Headers) -> InferRequest:
    return v2.parse(body, model, headers.get(v2.HEADER_LENGTH))


PREDICT = Dialect("predict", _parse_predict, _render_predict)
V1 = Dialect("v1", _parse_v1, _render_v1)
EXPLAIN = Dialect("v1", _parse_v1, _render_explanations, explains=True)
V2 = Dialect("v2", _parse_v2, v2.render)
