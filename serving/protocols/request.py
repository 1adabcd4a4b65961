"""A checked request names every input of the model once, agrees with its description, and asks for outputs it has.

What the JSON form, the binary form and the gRPC form of the v2 protocol share: the same mistake gets the same sentence
in each of them (R8, R9).
"""

import random
from collections.abc import Collection, Container, Mapping
from types import MappingProxyType

import msgspec

from windlass.serving.errors import BadRequest
from windlass.serving.model import LoadedModel
from windlass.serving.tensors import Array, TensorSpec

__all__ = ("InferRequest", "check_inputs", "choose_outputs", "input_spec", "new_id", "refuse_classification")


_NONE: Mapping[str, object] = MappingProxyType({})


class InferRequest(msgspec.Struct, frozen=True):  # made for each request, and an attrs class takes ten times as long
    """A checked request.

    `outputs` are what to answer, each with whether it travels as raw bytes; none in a protocol that always answers all
    of them. `id` is None when the client gave none. `parameters` are those of the request as a whole.
    `variant` is the arm of the route that was asked, None without one; the answer tells it.
    """

    inputs: Mapping[str, Array]
    outputs: tuple[tuple[TensorSpec, bool], ...] = ()
    id: str | None = None
    parameters: Mapping[str, object] = _NONE
    variant: str | None = None


def new_id() -> str:
    """An id for a request that came without one: 128 random bits, on which nobody's safety rests. A UUID costs 2 µs."""
    return f"{random.getrandbits(128):032x}"


def input_spec(model: LoadedModel, name: str, *, datatype: str, taken: Container[str]) -> TensorSpec:
    """The description of the input; BadRequest when there is none, when it is `taken`, or of another datatype."""
    for spec in model.inputs:
        if spec.name == name:
            break
    else:
        raise BadRequest(f"input {name!r}: unknown; model {model.name!r} takes {_names(model.inputs)}")
    if name in taken:
        raise BadRequest(f"input {name!r}: given twice")
    if datatype != spec.datatype:
        raise BadRequest(f"input {name!r}: datatype {datatype!r}, expected {spec.datatype!r}")
    return spec


def check_inputs(model: LoadedModel, inputs: Mapping[str, Array]) -> None:
    """Raise BadRequest when an input is missing, or when batches differ in their number of rows."""
    counts: dict[str, int] = {}
    for spec in model.inputs:
        array = inputs.get(spec.name)
        if array is None:
            raise BadRequest(f"input {spec.name!r}: missing")
        if len(model.inputs) > 1 and spec.batched:
            counts[spec.name] = array.shape[0]
    if len(counts) > 1 and len(set(counts.values())) > 1:
        described = ", ".join(f"{name!r} has {count}" for name, count in counts.items())
        raise BadRequest(f"the inputs have different numbers of rows: {described}")


def choose_outputs(model: LoadedModel, names: Collection[str]) -> tuple[TensorSpec, ...]:
    """The outputs of these names in this order; all of the model's when there are none (R8)."""
    if not names:
        return model.outputs
    specs = {spec.name: spec for spec in model.outputs}
    chosen: dict[str, TensorSpec] = {}
    for name in names:
        if name not in specs:
            raise BadRequest(f"output {name!r}: unknown; model {model.name!r} returns {_names(model.outputs)}")
        if name in chosen:
            raise BadRequest(f"output {name!r}: asked for twice")
        chosen[name] = specs[name]
    return tuple(chosen.values()) or model.outputs


def refuse_classification(name: str, parameters: Container[str]) -> None:
    """Raise BadRequest for an output of a kind that we do not have: refused rather than ignored."""
    if "classification" in parameters:
        raise BadRequest(f"output {name!r}: the classification extension is not supported")


def _names(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(repr(spec.name) for spec in specs)
