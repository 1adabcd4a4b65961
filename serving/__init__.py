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
from windlass.serving.model import Explainer, LoadedModel, Model
from windlass.serving.policy import Batching, Limits, Policy
from windlass.serving.repository.repository import IndexEntry, ModelRepository
from windlass.serving.runtimes import RUNTIMES, LinearModel, OnnxRuntime, Runtime, Source
from windlass.serving.telemetry.payloads import PayloadOptions
from windlass.serving.telemetry.telemetry import TelemetryOptions
from windlass.serving.tensors import DATATYPES, TensorSpec

__all__ = (
    "DATATYPES",
    "RUNTIMES",
    "Access",
    "BadRequest",
    "Batching",
    "BodyTooSlow",
    "ConnectionLimits",
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
    "NotPermitted",
    "NotReady",
    "OnnxRuntime",
    "Overloaded",
    "PayloadOptions",
    "Policy",
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
    "Unauthenticated",
    "Unreadable",
    "UnsupportedMedia",
    "app",
)
