"""The inference endpoint: models from a folder or from code, over HTTP, in protocols that existing clients speak."""

from windlass.serving.access.access import Access
from windlass.serving.access.reviewed import Reviewed
from windlass.serving.access.tls import TlsFiles
from windlass.serving.access.tokens import TokenFile
from windlass.serving.endpoint import Endpoint, EndpointOptions, app
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
    NotPermitted,
    NotReady,
    Overloaded,
    RuntimeMissing,
    ServingError,
    TooLarge,
    Unauthenticated,
    Unreadable,
    UnsupportedMedia,
)
from windlass.serving.http.limits import ConnectionLimits
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
from windlass.serving.telemetry.payloads import PayloadOptions
from windlass.serving.telemetry.telemetry import TelemetryOptions
from windlass.serving.tensors import DATATYPES, TensorSpec

__all__ = (
    "DATATYPES",
    "RUNTIMES",
    "Access",
    "Ailing",
    "BadRequest",
    "Batching",
    "BodyTooSlow",
    "CallableModel",
    "Closable",
    "ConnectionLimits",
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
    "NotPermitted",
    "NotReady",
    "OnnxRuntime",
    "Overloaded",
    "PayloadOptions",
    "Policy",
    "RepositoryOptions",
    "Reviewed",
    "Runtime",
    "RuntimeMissing",
    "ServingError",
    "Source",
    "TelemetryOptions",
    "TensorSpec",
    "TlsFiles",
    "TokenFile",
    "TooLarge",
    "Transformed",
    "Unauthenticated",
    "Unreadable",
    "UnsupportedMedia",
    "app",
)
