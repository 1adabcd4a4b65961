"""The inference endpoint: models from a folder or from code, over HTTP, in protocols that existing clients speak."""

from windlass.serving.endpoint import Endpoint, EndpointOptions
from windlass.serving.errors import (
    BadRequest,
    BodyTooSlow,
    DeadlineExceeded,
    EndpointError,
    ModelError,
    ModelFailed,
    NotAllowed,
    NotFound,
    NotInJson,
    NotReady,
    Overloaded,
    RuntimeMissing,
    ServingError,
    TooLarge,
    Unreadable,
    UnsupportedMedia,
)
from windlass.serving.model import Explainer, LoadedModel, Model
from windlass.serving.policy import Batching, Limits, Policy
from windlass.serving.repository.repository import IndexEntry, ModelRepository
from windlass.serving.runtimes import RUNTIMES, LinearModel, OnnxRuntime, Runtime, Source
from windlass.serving.tensors import DATATYPES, TensorSpec

__all__ = (
    "DATATYPES",
    "RUNTIMES",
    "BadRequest",
    "Batching",
    "BodyTooSlow",
    "DeadlineExceeded",
    "Endpoint",
    "EndpointError",
    "EndpointOptions",
    "Explainer",
    "IndexEntry",
    "Limits",
    "LinearModel",
    "LoadedModel",
    "Model",
    "ModelError",
    "ModelFailed",
    "ModelRepository",
    "NotAllowed",
    "NotFound",
    "NotInJson",
    "NotReady",
    "OnnxRuntime",
    "Overloaded",
    "Policy",
    "Runtime",
    "RuntimeMissing",
    "ServingError",
    "Source",
    "TensorSpec",
    "TooLarge",
    "Unreadable",
    "UnsupportedMedia",
)
