"""Two models to try the endpoint with: a line, and a perceptron with a hidden layer that tells whether inputs differ.

`linear` (`x` FP64 to `prediction`, 1.5 - 0.8 x) is arithmetic in numpy. `xor` (`x` FP32 [-1, 2] to `y` FP32 [-1, 1]) is
an ONNX file beside this one: for two inputs of 0 or 1 its answer is 1 when they differ and 0 when they do not.
"""

from importlib.resources import as_file, files

from windlass.serving.repository.repository import ModelRepository
from windlass.serving.runtimes.base import Source
from windlass.serving.runtimes.linear import LinearModel
from windlass.serving.runtimes.onnx import OnnxRuntime

__all__ = ("LINEAR", "XOR", "add_examples")

LINEAR = "linear"
XOR = "xor"


def add_examples(repository: ModelRepository) -> None:
    """Serve both. Raises RuntimeMissing without ONNX Runtime, the extra `onnx`."""
    with as_file(files(__name__) / "xor.onnx") as path:
        source = Source(XOR, "1", path, path.read_bytes())
    model = OnnxRuntime().load(source)
    repository.add(LINEAR, LinearModel())
    repository.add(XOR, model)
