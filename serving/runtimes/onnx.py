"""ONNX files on ONNX Runtime's CPU provider; the tensors' description is the session's own.

The library is imported when the first such model is loaded, so that an endpoint without ONNX models does not need it.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from windlass.serving.errors import ModelError, RuntimeMissing
from windlass.serving.model import Model
from windlass.serving.runtimes.base import Source
from windlass.serving.tensors import Array, TensorSpec

__all__ = ("OnnxModel", "OnnxRuntime")

_DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
}


class _Argument(Protocol):
    name: str
    type: str
    shape: Sequence[int | str | None]


class _Session(Protocol):
    def run(self, names: Sequence[str], inputs: Mapping[str, Array]) -> list[Array]: ...
    def get_inputs(self) -> Sequence[_Argument]: ...
    def get_outputs(self) -> Sequence[_Argument]: ...


@attrs.frozen
class OnnxModel:
    """A model over an inference session. `session.run` releases the GIL and may be called from several threads."""

    name: str
    version: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    _session: _Session = attrs.field(repr=False)
    platform: str = attrs.field(default="onnx_onnxv1", init=False)
    _names: tuple[str, ...] = attrs.field(init=False, repr=False)

    @_names.default
    def _output_names(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.outputs)

    def predict(self, inputs: Mapping[str, Array], /) -> Mapping[str, Array]:
        """One run of the session."""
        return dict(zip(self._names, self._session.run(self._names, inputs), strict=True))


@attrs.frozen
class OnnxRuntime:
    """The format `onnx`.

    `threads` is the number of threads one run may use: 1 by default, so that models share the cores by requests.
    """

    threads: int = 1

    def load(self, source: Source) -> Model:
        """See Runtime.load."""
        try:
            import onnxruntime  # noqa: PLC0415  (an extra, and slow to import)
        except ImportError as error:
            raise RuntimeMissing("onnx", extra="onnx") from error
        options = onnxruntime.SessionOptions()
        # Without a limit each session starts one spinning thread per core of the host, not of the container's quota.
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            session: _Session = onnxruntime.InferenceSession(
                source.content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            # onnxruntime's exceptions share no root but Exception
            raise ModelError(
                f"{source.path.name} is not a model that ONNX Runtime can load: {_first_line(error)}"
            ) from error
        inputs = tuple(_spec(argument, source) for argument in session.get_inputs())
        outputs = tuple(_spec(argument, source) for argument in session.get_outputs())
        return OnnxModel(source.name, source.version, inputs, outputs, session)


def _spec(argument: _Argument, source: Source) -> TensorSpec:
    datatype = _DATATYPES.get(argument.type)
    if datatype is None:
        raise ModelError(
            f"{source.path.name}: {argument.name!r} is {argument.type}, which the protocol has no name for"
        )
    # A symbolic dimension is a name, or None when it has none.
    shape = tuple(dimension if isinstance(dimension, int) else -1 for dimension in argument.shape)
    return TensorSpec(argument.name, datatype, shape)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
