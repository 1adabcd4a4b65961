"""A format of one's own: a CSV of keys and values is a model that looks words up."""

import csv
import io
from collections.abc import Mapping

import attrs
import numpy as np

from windlass.serving import Model, ModelError, Source, TensorSpec


@attrs.frozen
class Lookup:
    """Answers the value of each key, and the default for keys that are not there."""

    values: Mapping[bytes, float]
    default: float
    name: str
    version: str
    platform: str = "example_lookup"
    inputs: tuple[TensorSpec, ...] = (TensorSpec("key", "BYTES", (-1,)),)
    outputs: tuple[TensorSpec, ...] = (TensorSpec("value", "FP64", (-1,)),)

    def predict(self, inputs, /):
        """Called in a thread, by several at once: nothing is changed here."""
        return {"value": np.array([self.values.get(key, self.default) for key in inputs["key"]])}


class LookupRuntime:
    """The format `lookup`: lines of `key,value`. The default is in the description's metadata."""

    def load(self, source: Source) -> Model:
        """`source.content` is what was read once and whose digest was verified; nothing else is read here."""
        values = {}
        for number, line in enumerate(csv.reader(io.StringIO(source.content.decode())), 1):
            try:
                key, value = line
                values[key.encode()] = float(value)
            except ValueError as error:
                raise ModelError(f"{source.path.name}: line {number}: expected key,value, found {line}") from error
        return Lookup(values, float(source.metadata.get("default", "0")), source.name, source.version)
