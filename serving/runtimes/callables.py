"""Any function over arrays is a model once its tensors are described; what it returns is held to that description."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import msgspec
import numpy as np

from windlass.serving.errors import ModelError
from windlass.serving.tensors import DATATYPES, Array, TensorSpec

__all__ = ("CallableModel", "Described", "named", "tensors_of")


class Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tensor, as a model folder's file describes it."""

    name: str
    datatype: str
    shape: tuple[int, ...]


def tensors_of(described: Sequence[Described], where: str) -> tuple[TensorSpec, ...]:
    """The descriptions. Raises ModelError for a name that is there twice, and for an unknown datatype."""
    names = [one.name for one in described]
    for one in described:
        if one.datatype not in DATATYPES:
            raise ModelError(f"{where} {one.name!r}: datatype {one.datatype!r}, expected one of {', '.join(DATATYPES)}")
        if names.count(one.name) > 1:
            raise ModelError(f"{where} {one.name!r}: described twice")
    return tuple(TensorSpec(one.name, one.datatype, one.shape) for one in described)


@attrs.frozen
class CallableModel:
    """`function` as a model: it is called with the inputs by name, and returns the outputs.

    It returns a mapping, a tuple in the order of `outputs`, or the array itself where there is one output; lists and
    numbers become arrays, and numbers of another precision are converted (`int64` to INT32, `float64` to FP32). It may
    be called from several threads at once.
    """

    function: Callable[..., Any]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    name: str = "callable"
    version: str = "1"
    platform: str = attrs.field(default="python_callable", kw_only=True)

    def predict(self, inputs: Mapping[str, Array], /) -> Mapping[str, Array]:
        """One call."""
        return named(self.function(**inputs), self.outputs)


def named(returned: Any, specs: tuple[TensorSpec, ...]) -> dict[str, Array]:
    """What a function returned, by the names of the outputs. Raises TypeError when it cannot be told apart."""
    if not isinstance(returned, Mapping):
        values = returned if isinstance(returned, tuple) else (returned,)
        if len(values) != len(specs):
            wanted = ", ".join(spec.name for spec in specs)
            raise TypeError(f"it returned {len(values)} values, expected {len(specs)}: {wanted}")
        returned = {spec.name: value for spec, value in zip(specs, values, strict=True)}
    return {spec.name: _array(returned[spec.name], spec) for spec in specs if spec.name in returned}


def _array(value: Any, spec: TensorSpec) -> Array:
    wanted = DATATYPES[spec.datatype]
    array = np.asarray(value, dtype=object if spec.datatype == "BYTES" else None)
    # A real number never becomes an integer by accident.
    return array.astype(wanted) if array.dtype != wanted and np.can_cast(array.dtype, wanted, "same_kind") else array
