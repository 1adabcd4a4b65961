"""The formats that a model folder may hold, by name; a new runtime is one module and one line here."""

from collections.abc import Mapping

from windlass.serving.runtimes.base import Runtime, Source
from windlass.serving.runtimes.linear import LinearModel, LinearRuntime
from windlass.serving.runtimes.onnx import OnnxRuntime

__all__ = ("RUNTIMES", "LinearModel", "LinearRuntime", "OnnxRuntime", "Runtime", "Source")

RUNTIMES: Mapping[str, Runtime] = {"linear": LinearRuntime(), "onnx": OnnxRuntime()}
