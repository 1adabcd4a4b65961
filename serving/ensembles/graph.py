"""A graph that passes its checks can be run: every tensor that a step wants has one source, and there is no circle.

The file of the format `ensemble` says what a client sees, and which model computes what from what:

    {"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 64]}],
     "outputs": [{"name": "label", "datatype": "INT64", "shape": [-1], "from": "vote.label"}],
     "steps": [{"name": "left", "model": "digits", "version": "3", "inputs": {"x": "x"}},
               {"name": "vote", "model": "vote", "inputs": {"a": "left.label", "b": "left.probabilities"}}]}

A source is an input of the ensemble, or `step.output`. Without a version a step asks the version that serves. Pure:
what the models look like is given to `faults`.
"""

from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TypeAlias

import attrs
import msgspec

from windlass.serving.errors import BadRequest, ModelError
from windlass.serving.runtimes.callables import Described, tensors_of
from windlass.serving.tensors import TensorSpec, parse_json

__all__ = ("Graph", "Looks", "Step", "faults", "graph_of")


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model of the graph; `inputs` says where each of its inputs comes from."""

    name: str
    model: str
    inputs: dict[str, str]
    version: str | None = None


class _Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    datatype: str
    shape: tuple[int, ...]
    source: str = msgspec.field(name="from")


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    inputs: tuple[Described, ...]
    outputs: tuple[_Output, ...]
    steps: tuple[Step, ...]


_FILE = msgspec.json.Decoder(_File)


@attrs.frozen
class Looks:
    """What a model takes and returns."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


Describe: TypeAlias = Callable[[Step], Looks | str]


@attrs.frozen
class Graph:
    """The steps, each after those whose outputs it wants; `sources` says where each output comes from."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    sources: Mapping[str, str]
    steps: tuple[Step, ...]


def graph_of(content: bytes, where: str) -> Graph:
    """From the file's content. Raises ModelError naming the field, the circle, or the source that is not there."""
    try:
        file: _File = parse_json(content, _FILE, where)
    except BadRequest as error:
        raise ModelError(str(error)) from error
    inputs = tensors_of(file.inputs, "input")
    outputs = tensors_of([Described(one.name, one.datatype, one.shape) for one in file.outputs], "output")
    if not outputs or not file.steps:
        raise ModelError(f"{where}: expected at least one step and one output")
    graph = Graph(inputs, outputs, {one.name: one.source for one in file.outputs}, file.steps)
    return attrs.evolve(graph, steps=_in_order(graph, where))


def faults(graph: Graph, describe: Describe) -> list[str]:
    """What is wrong between the graph and its models, all of it; empty when nothing is.

    `describe` gives what a step's model looks like, or why it cannot be used.
    """
    found: list[str] = []
    known: dict[str, TensorSpec] = {spec.name: spec for spec in graph.inputs}
    usable: set[str] = set()
    for step in graph.steps:
        looks = describe(step)
        if isinstance(looks, str):
            found.append(f"step {step.name!r}: {looks}")
            continue
        usable.add(step.name)
        found += _faults_of(step, looks, known)
        known |= {f"{step.name}.{spec.name}": spec for spec in looks.outputs}
    for spec in graph.outputs:
        source = graph.sources[spec.name]
        if source in known:
            found += _mismatch(f"output {spec.name!r}", spec, source, known[source])
        elif source.partition(".")[0] in usable:
            found.append(f"output {spec.name!r}: there is no {source!r}")
    return found


def _faults_of(step: Step, looks: Looks, known: Mapping[str, TensorSpec]) -> Iterator[str]:
    wanted = {spec.name: spec for spec in looks.inputs}
    for name in sorted(wanted.keys() - step.inputs.keys()):
        yield f"step {step.name!r}: nothing is given for input {name!r} of model {step.model!r}"
    for name, source in step.inputs.items():
        if name not in wanted:
            taken = ", ".join(repr(one) for one in wanted)
            yield f"step {step.name!r}: model {step.model!r} has no input {name!r}; it takes {taken}"
        elif source in known:
            yield from _mismatch(f"step {step.name!r}, input {name!r}", wanted[name], source, known[source])
        elif "." in source and any(one.startswith(f"{source.partition('.')[0]}.") for one in known):
            yield f"step {step.name!r}, input {name!r}: there is no {source!r}"


def _mismatch(where: str, wanted: TensorSpec, source: str, given: TensorSpec) -> Iterator[str]:
    fits = len(wanted.shape) == len(given.shape) and all(
        -1 in pair or pair[0] == pair[1] for pair in zip(wanted.shape, given.shape, strict=True)
    )
    if wanted.datatype != given.datatype or not fits:
        yield (
            f"{where} is {wanted.datatype} {list(wanted.shape)}, but {source!r} is {given.datatype} {list(given.shape)}"
        )


def _in_order(graph: Graph, where: str) -> tuple[Step, ...]:
    steps = {step.name: step for step in graph.steps}
    names = [step.name for step in graph.steps]
    for name in names:
        if names.count(name) > 1:
            raise ModelError(f"{where}: two steps are called {name!r}")
        if not name or "." in name:
            raise ModelError(f"{where}: a step cannot be called {name!r}: a dot divides it from its output")
    inputs = {spec.name for spec in graph.inputs}
    for name, sources in [
        *(
            (f"step {step.name!r}, input {name!r}", [source])
            for step in graph.steps
            for name, source in step.inputs.items()
        ),
        *((f"output {name!r}", [source]) for name, source in graph.sources.items()),
    ]:
        for source in sources:
            if source not in inputs and source.partition(".")[0] not in steps:
                raise ModelError(f"{where}: {name}: {source!r} is neither an input nor the output of a step")
    try:
        ordered = list(
            TopologicalSorter({step.name: sorted(_before(step, inputs)) for step in graph.steps}).static_order()
        )
    except CycleError as error:
        circle = " -> ".join(repr(one) for one in reversed(error.args[1]))
        raise ModelError(f"{where}: the steps go in a circle: {circle}") from error
    return tuple(steps[name] for name in ordered)


def _before(step: Step, inputs: set[str]) -> set[str]:
    return {source.partition(".")[0] for source in step.inputs.values() if source not in inputs}
