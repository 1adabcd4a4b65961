"""A model behind a pipeline takes what it was trained on: the columns of a table, or images as they are in files.

Columns: an input for each feature of the schema, FP64 for numbers, INT64 for integers, BYTES for categories; one value
a row. A value that is missing (NaN, an empty text, a spelling of the schema's) is filled as in training, or refused
where training would have refused the row. Images: one input `image`, BYTES, a PNG or JPEG a row.

What the pipeline makes of them is the one input of the model inside.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import attrs
import numpy as np
import numpy.typing as npt

from windlass.serving.data.errors import Unreadable
from windlass.serving.data.imagepipeline import ImagePipeline
from windlass.serving.data.pipeline import Pipeline
from windlass.serving.data.schema import Column
from windlass.serving.errors import BadRequest, ModelError
from windlass.serving.model import Ailing, Closable, Model
from windlass.serving.tensors import DATATYPES, Array, TensorSpec

__all__ = ("Preprocessed", "preprocessed")

_DATATYPES = {"number": "FP64", "integer": "INT64", "category": "BYTES"}
_IMAGE = "image"


class _Before(Protocol):
    """What lies before the model."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    def features(self, inputs: Mapping[str, Array]) -> npt.NDArray[np.float32]: ...

    def example(self, rows: int) -> dict[str, Array]: ...


@attrs.frozen(eq=False)
class Preprocessed:
    """A model that answers for columns or images; made by `preprocessed`."""

    model: Model
    before: _Before
    name: str
    version: str
    platform: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def not_ready_because(self) -> str | None:
        """What the model inside says of itself."""
        return self.model.not_ready_because() if isinstance(self.model, Ailing) else None

    def close(self) -> None:
        """Close the model inside."""
        if isinstance(self.model, Closable):
            self.model.close()

    def predict(self, inputs: Mapping[str, Array], /) -> Mapping[str, Array]:
        """The answer of the model inside. Raises BadRequest naming the input and the row that cannot be used."""
        (inside,) = self.model.inputs
        features = self.before.features(inputs)
        return self.model.predict({inside.name: features.astype(DATATYPES[inside.datatype], copy=False)})

    def example(self, rows: int, /) -> Mapping[str, Array]:
        """What the pipeline was fitted on holds rows that can be answered."""
        return self.before.example(rows)


def preprocessed(pipeline: Pipeline | ImagePipeline, model: Model) -> Preprocessed:
    """The model behind the pipeline.

    Raises ModelError when the model takes anything but what the pipeline makes: one input, FP32 or FP64, of its shape.
    """
    before: _Before = _Columns(pipeline) if isinstance(pipeline, Pipeline) else _Images(pipeline)
    if (
        len(model.inputs) != 1
        or model.inputs[0].datatype not in ("FP32", "FP64")
        or not _takes(model.inputs[0].shape, before.shape)
    ):
        found = ", ".join(f"{spec.name!r} {spec.datatype} {list(spec.shape)}" for spec in model.inputs)
        raise ModelError(f"its pipeline makes one tensor: expected an input FP32 {list(before.shape)}, found {found}")
    return Preprocessed(model, before, model.name, model.version, model.platform, before.inputs, model.outputs)


def _takes(declared: tuple[int, ...], made: tuple[int, ...]) -> bool:
    return (
        len(declared) == len(made)
        and declared[0] == -1
        and all(one in (-1, other) for one, other in zip(declared, made, strict=True))
    )


@attrs.frozen
class _Images:
    pipeline: ImagePipeline
    inputs: tuple[TensorSpec, ...] = (TensorSpec(_IMAGE, "BYTES", (-1,)),)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.pipeline.shape

    def features(self, inputs: Mapping[str, Array]) -> npt.NDArray[np.float32]:
        files = [one if isinstance(one, bytes) else str(one).encode() for one in inputs[_IMAGE].tolist()]
        try:
            return self.pipeline.transform(self.pipeline.decode(files))
        except Unreadable as error:
            raise BadRequest(f"input {_IMAGE!r}: {error}") from error

    def example(self, rows: int) -> dict[str, Array]:
        files = np.empty(rows, dtype=object)
        files[:] = [self.pipeline.example()] * rows
        return {_IMAGE: files}


@attrs.frozen
class _Columns:
    pipeline: Pipeline

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        features = self.pipeline.schema.features
        return tuple(TensorSpec(column.name, _DATATYPES[column.kind], (-1,)) for column in features)

    @property
    def shape(self) -> tuple[int, ...]:
        return (-1, len(self.pipeline.names))

    def features(self, inputs: Mapping[str, Array]) -> npt.NDArray[np.float32]:
        columns = self.pipeline.schema.features
        return self.pipeline.transform({one.name: self._column(one, inputs[one.name]) for one in columns})

    def example(self, rows: int) -> dict[str, Array]:
        return {name: np.repeat(values[:1], rows) for name, values in self.pipeline.example().items()}

    def _column(self, column: Column, array: Array) -> npt.NDArray[Any]:
        if column.kind == "integer":
            return array
        if column.kind == "number":
            missing = np.isnan(array)
            infinite = np.isinf(array)
            if infinite.any():
                raise BadRequest(f"input {column.name!r}: row {int(infinite.argmax())}: expected a finite number")
        else:
            array = _texts(column, array)
            spellings = set(self.pipeline.schema.missing)
            missing = np.array([value in spellings for value in array.tolist()], dtype=bool)
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
