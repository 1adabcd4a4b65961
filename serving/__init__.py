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
from windlass.serving.model import Ailing, Closable, Explainer, LoadedModel, Model
from windlass.serving.policy import Batching, Isolation, Limits, Policy
from windlass.serving.repository.options import RepositoryOptions
from windlass.serving.repository.repository import IndexEntry, ModelRepository
from windlass.serving.repository.settings import Latest
from windlass.serving.runtimes import (
    RUNTIMES,
    CallableModel,
    LinearModel,
    OnnxRuntime,
    Runtime,
    Source,
    Transformed,
)
from windlass.serving.tensors import DATATYPES, TensorSpec

__all__ = (
    "DATATYPES",
    "RUNTIMES",
    "Ailing",
    "BadRequest",
    "Batching",
    "BodyTooSlow",
    "CallableModel",
    "Closable",
    "DeadlineExceeded",
    "Endpoint",
    "EndpointError",
    "EndpointOptions",
    "Explainer",
    "IndexEntry",
    "Isolation",
    "Latest",
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
    "RepositoryOptions",
    "Runtime",
    "RuntimeMissing",
    "ServingError",
    "Source",
    "TensorSpec",
    "TooLarge",
    "Transformed",
    "Unreadable",
    "UnsupportedMedia",
)
