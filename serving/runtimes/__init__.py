"""The formats that a model folder may hold, and the models that need no folder."""

from windlass.serving.runtimes.base import Runtime, Source
from windlass.serving.runtimes.callables import CallableModel
from windlass.serving.runtimes.linear import LinearModel, LinearRuntime
from windlass.serving.runtimes.onnx import OnnxRuntime
from windlass.serving.runtimes.python import PythonRuntime
from windlass.serving.runtimes.registry import RUNTIMES, known_runtimes
from windlass.serving.runtimes.transformed import Transformed

__all__ = (
    "RUNTIMES",
    "CallableModel",
    "LinearModel",
    "LinearRuntime",
    "OnnxRuntime",
    "PythonRuntime",
    "Runtime",
    "Source",
    "Transformed",
    "known_runtimes",
)
