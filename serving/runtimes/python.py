"""Code that a model folder names runs only where the server's own settings allow it; this runtime is known only there.

The format `python`: a JSON file that names an importable object. With `inputs` and `outputs` it is a function over
arrays (see `CallableModel`); without them a Model, or something that returns one when it is called with the Source.

    {"object": "shop.models:score", "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
     "outputs": [{"name": "score", "datatype": "FP32", "shape": [-1]}]}

The digest in `model.json` covers this file and not the code, which comes with the server's environment.
"""

import importlib
from typing import Any

import msgspec

from windlass.serving.errors import BadRequest, ModelError
from windlass.serving.model import Model
from windlass.serving.runtimes.base import Source
from windlass.serving.runtimes.callables import CallableModel, Described, tensors_of
from windlass.serving.tensors import parse_json

__all__ = ("PythonRuntime", "imported")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    object: str
    inputs: tuple[Described, ...] | None = None
    outputs: tuple[Described, ...] | None = None


_FILE = msgspec.json.Decoder(_File)


class PythonRuntime:
    """The format `python`."""

    def load(self, source: Source) -> Model:
        """See Runtime.load."""
        try:
            file: _File = parse_json(source.content, _FILE, source.path.name)
        except BadRequest as error:
            raise ModelError(str(error)) from error
        if (file.inputs is None) != (file.outputs is None):
            raise ModelError(f"{source.path.name}: inputs and outputs are described together, or not at all")
        found = imported(file.object, source.path.name)
        if file.inputs is not None and file.outputs is not None:
            inputs, outputs = tensors_of(file.inputs, "input"), tensors_of(file.outputs, "output")
            return CallableModel(found, inputs, outputs, source.name, source.version)
        if not isinstance(found, type) and isinstance(found, Model):
            return found
        made = found(source)
        if not isinstance(made, Model):
            raise ModelError(f"{source.path.name}: object: {file.object} made {type(made).__name__}, which is no model")
        return made


def imported(name: str, where: str) -> Any:
    """The object that `module:object` names. Raises ModelError when it cannot be imported, or cannot be called."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise ModelError(f"{where}: object: expected 'module:object', found {name!r}")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise ModelError(f"{where}: object: {name} cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(found) and not isinstance(found, Model):
        raise ModelError(f"{where}: object: {name} is a {type(found).__name__}, expected a function or a model")
    return found
