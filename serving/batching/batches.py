"""The rows of a request come back to that request, or nobody gets any.

Joins the inputs of several requests into one, and splits the outputs again. It knows arrays and rows, not who asked.
"""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from windlass.serving.errors import ModelFailed
from windlass.serving.model import LoadedModel
from windlass.serving.tensors import Array, TensorSpec

__all__ = ("group", "join", "not_batchable_because", "rows", "size_bytes", "split")


def not_batchable_because(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> str | None:
    """None when every tensor counts rows in its first dimension, otherwise which does not."""
    for spec in (*inputs, *outputs):
        if not spec.batched:
            return f"{spec.name!r} has shape {list(spec.shape)}, and batching needs -1 first"
    return None


def group(model: LoadedModel, inputs: Mapping[str, Array]) -> Hashable:
    """Equal for inputs that can be joined: all dimensions but the first are the same (DB6).

    Names and datatypes are those of the model, as every protocol has checked.
    """
    return tuple(inputs[spec.name].shape[1:] for spec in model.inputs)


def rows(model: LoadedModel, inputs: Mapping[str, Array]) -> int:
    """The rows of a request; 1 for a model that takes no batches."""
    for spec in model.inputs:
        if spec.batched:
            return len(inputs[spec.name])
    return 1


def size_bytes(inputs: Mapping[str, Array]) -> int:
    """The memory of the inputs; a BYTES element counts as its pointer and its bytes."""
    return sum(
        array.nbytes + (sum(map(len, array.ravel().tolist())) if array.dtype.hasobject else 0)
        for array in inputs.values()
    )


def join(model: LoadedModel, requests: Sequence[Mapping[str, Array]]) -> Mapping[str, Array]:
    """One batch of all the rows, in the order of the requests."""
    if len(requests) == 1:
        return requests[0]
    return {spec.name: np.concatenate([one[spec.name] for one in requests]) for spec in model.inputs}


def split(model: LoadedModel, outputs: Mapping[str, Array], counts: Sequence[int]) -> list[Mapping[str, Array]]:
    """Each request's rows of every output, given how many rows each request has.

    Raises ModelFailed when an output has not as many rows as all of them together (DB13).
    """
    expected = sum(counts)
    for spec in model.outputs:
        if len(outputs[spec.name]) != expected:
            raise ModelFailed(
                f"model {model.name!r}: output {spec.name!r} has {len(outputs[spec.name])} rows for {expected}"
            )
    if len(counts) == 1:
        return [outputs]
    parts: list[Mapping[str, Array]] = []
    start = 0
    for count in counts:
        parts.append({spec.name: outputs[spec.name][start : start + count] for spec in model.outputs})
        start += count
    return parts
