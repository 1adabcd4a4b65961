"""A model behind a pipeline takes the columns of the table that it was trained on, one value of each a row.

Its inputs are the features of the schema: FP64 for numbers, INT64 for integers, BYTES for categories. What the
pipeline makes of them is the one input of the model inside. A value that is missing (NaN, an empty text, a spelling of
the schema's) is filled as in training, or refused where training would have refused the row.
"""

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from windlass.serving.data.pipeline import Pipeline
from windlass.serving.data.schema import Column, Table
from windlass.serving.errors import BadRequest, ModelError
from windlass.serving.model import Model
from windlass.serving.tensors import DATATYPES, Array, TensorSpec

__all__ = ("Preprocessed", "preprocessed")

_DATATYPES = {"number": "FP64", "integer": "INT64", "category": "BYTES"}


@attrs.frozen(eq=False)
class Preprocessed:
    """A model that answers for columns; made by `preprocessed`."""

    pipeline: Pipeline
    model: Model
    name: str
    version: str
    platform: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def predict(self, inputs: Mapping[str, Array], /) -> Mapping[str, Array]:
        """The answer of the model inside. Raises BadRequest naming the column and the row that cannot be used."""
        table = _columns(self.pipeline, inputs)
        (inside,) = self.model.inputs
        features = self.pipeline.transform(table).astype(DATATYPES[inside.datatype], copy=False)
        return self.model.predict({inside.name: features})


def preprocessed(pipeline: Pipeline, model: Model) -> Preprocessed:
    """The model behind the pipeline.

    Raises ModelError when the model takes anything but the features: one input, FP32 or FP64, of as many columns.
    """
    wanted = len(pipeline.names)
    if (
        len(model.inputs) != 1
        or model.inputs[0].datatype not in ("FP32", "FP64")
        or model.inputs[0].shape not in ((-1, wanted), (-1, -1))
    ):
        found = ", ".join(f"{spec.name!r} {spec.datatype} {list(spec.shape)}" for spec in model.inputs)
        raise ModelError(f"its pipeline makes {wanted} features: expected one input FP32 [-1, {wanted}], found {found}")
    features = pipeline.schema.features
    inputs = tuple(TensorSpec(column.name, _DATATYPES[column.kind], (-1,)) for column in features)
    return Preprocessed(pipeline, model, model.name, model.version, model.platform, inputs, model.outputs)


def _columns(pipeline: Pipeline, inputs: Mapping[str, Array]) -> Table:
    """Tensors as the columns of a table, without missing values."""
    return {column.name: _column(column, inputs[column.name], pipeline) for column in pipeline.schema.features}


def _column(column: Column, array: Array, pipeline: Pipeline) -> npt.NDArray[Any]:
    if column.kind == "integer":
        return array
    if column.kind == "number":
        missing = np.isnan(array)
        infinite = np.isinf(array)
        if infinite.any():
            raise BadRequest(f"input {column.name!r}: row {int(infinite.argmax())}: expected a finite number")
    else:
        array = _texts(column, array)
        missing = np.isin(array.astype(str), pipeline.schema.missing) if len(array) else np.zeros(0, dtype=bool)
    if not missing.any():
        return array
    if column.fill is None:
        raise BadRequest(f"input {column.name!r}: row {int(missing.argmax())}: missing")
    filled = array.copy()
    filled[missing] = column.fill
    return filled


def _texts(column: Column, array: Array) -> npt.NDArray[Any]:
    texts = np.empty(len(array), dtype=object)
    for row, value in enumerate(array.tolist()):
        try:
            texts[row] = value.decode() if isinstance(value, bytes) else str(value)
        except UnicodeDecodeError as error:
            raise BadRequest(f"input {column.name!r}: row {row}: expected text in UTF-8") from error
    return texts
