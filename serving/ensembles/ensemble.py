"""An ensemble computes each step as soon as what it wants is there, by the model that serves then, within one deadline.

Steps that do not wait for each other run at the same time, each in the lane of its model, where it is batched and
bounded like every other request. A member may be reloaded at any time; whether it still fits is looked at again then.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Protocol

import attrs

from windlass.serving.batching.lane import compute
from windlass.serving.ensembles.graph import Graph, Looks, Step, faults, graph_of
from windlass.serving.errors import BadRequest, ModelError, ModelFailed, NotFound, NotReady, ServingError
from windlass.serving.model import Execute, LoadedModel, Model
from windlass.serving.runtimes.base import Source
from windlass.serving.tensors import Array, TensorSpec, check_shape

__all__ = ("Ensemble", "EnsembleRuntime", "Members")


class Members(Protocol):
    """Where the models of an ensemble are: a ModelRepository."""

    def can_serve(self, name: str, version: str | None = None) -> bool:
        """Whether a request for it would be answered now."""

    def get(self, name: str, version: str | None = None) -> LoadedModel:
        """The model. Raises NotFound or NotReady."""

    def take(self, name: str, version: str | None = None, *, deadline: float) -> Awaitable[LoadedModel]:
        """The same; one that was evicted is loaded again."""


@attrs.frozen(eq=False)
class Ensemble:
    """A graph over the models of a repository, as a model. Raises NotReady when one of them is not there."""

    name: str
    version: str
    graph: Graph
    _members: Members = attrs.field(repr=False)
    inputs: tuple[TensorSpec, ...] = attrs.field(init=False, repr=False)
    outputs: tuple[TensorSpec, ...] = attrs.field(init=False, repr=False)
    platform: str = attrs.field(default="windlass_ensemble", init=False)

    @inputs.default
    def _inputs_of_the_graph(self) -> tuple[TensorSpec, ...]:
        return self.graph.inputs

    @outputs.default
    def _outputs_of_the_graph(self) -> tuple[TensorSpec, ...]:
        return self.graph.outputs

    def members(self) -> frozenset[str]:
        """The names of the models that it asks."""
        return frozenset(step.model for step in self.graph.steps)

    def not_ready_because(self) -> str | None:
        """The first step whose model does not serve, None when all do (R3)."""
        for step in self.graph.steps:
            if not self._members.can_serve(step.model, step.version):
                return f"step {step.name!r}: model {step.model!r} cannot answer"
        return None

    async def run(self, execute: Execute, inputs: Mapping[str, Array], *, deadline: float) -> Mapping[str, Array]:
        """The outputs, each step computed by `execute`. Raises what the step at fault raises."""
        tasks: dict[str, asyncio.Task[Mapping[str, Array]]] = {}

        async def one(step: Step) -> Mapping[str, Array]:
            for source in step.inputs.values():
                if source not in inputs:
                    await asyncio.wait({tasks[source.partition(".")[0]]})
            known = _known(inputs, {name: task.result() for name, task in tasks.items() if task.done()})
            member = await self._taken(step, deadline)
            return await execute(member, self._fed(step, member, known))

        try:
            async with asyncio.TaskGroup() as group:
                for step in self.graph.steps:  # in their order: those that a step waits for are there before it
                    tasks[step.name] = group.create_task(one(step), name=f"windlass-ensemble-{self.name}-{step.name}")
        except BaseExceptionGroup as errors:
            raise _first(errors) from errors
        return self._answer(_known(inputs, {name: task.result() for name, task in tasks.items()}))

    def predict(self, inputs: Mapping[str, Array], /) -> Mapping[str, Array]:
        """The outputs, one step after the other in this thread: what warm-up asks."""
        done: dict[str, Mapping[str, Array]] = {}
        for step in self.graph.steps:
            member = self._members.get(step.model, step.version)
            done[step.name] = compute(member, self._fed(step, member, _known(inputs, done)))
        return self._answer(_known(inputs, done))

    async def _taken(self, step: Step, deadline: float) -> LoadedModel:
        try:
            return await self._members.take(step.model, step.version, deadline=deadline)
        except (NotFound, NotReady) as error:
            raise NotReady(f"ensemble {self.name!r}, step {step.name!r}: {error}") from error

    def _fed(self, step: Step, member: LoadedModel, known: Mapping[str, Array]) -> dict[str, Array]:
        """The inputs of a step, held against what its model takes now: it may have been reloaded since the check."""
        fed: dict[str, Array] = {}
        for spec in member.inputs:
            where = f"ensemble {self.name!r}, step {step.name!r}, input {spec.name!r}"
            source = step.inputs.get(spec.name)
            if source is None or source not in known:
                raise ModelFailed(f"{where}: nothing is given for it")
            array = known[source]
            if array.dtype != spec.dtype:
                raise ModelFailed(f"{where}: {source!r} is {array.dtype}, expected {spec.datatype}")
            try:
                check_shape(spec.shape, array.shape, where)
            except BadRequest as error:
                raise ModelFailed(str(error)) from error
            fed[spec.name] = array
        return fed

    def _answer(self, known: Mapping[str, Array]) -> dict[str, Array]:
        sources = self.graph.sources
        return {spec.name: known[sources[spec.name]] for spec in self.graph.outputs if sources[spec.name] in known}


def _known(inputs: Mapping[str, Array], done: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    known = dict(inputs)
    for name, outputs in done.items():
        known |= {f"{name}.{output}": array for output, array in outputs.items()}
    return known


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error of the step that failed; those that waited for it were cancelled, or had no result to wait for."""
    for error in errors.exceptions:
        if isinstance(error, ServingError):
            return error
    return errors.exceptions[0]


class EnsembleRuntime:
    """The format `ensemble`, over the models of one repository."""

    def __init__(self, members: Members) -> None:
        self._members = members

    def __repr__(self) -> str:
        return f"<EnsembleRuntime over {self._members!r}>"

    def load(self, source: Source) -> Model:
        """See Runtime.load. Raises NotReady while a model is missing that may yet come."""
        graph = graph_of(source.content, source.path.name)
        missing: list[str] = []

        def describe(step: Step) -> Looks | str:
            if step.model == source.name:
                return f"model {step.model!r} asks {source.name!r} itself"
            try:
                member = self._members.get(step.model, step.version)
            except (NotFound, NotReady) as error:
                # Without the reason: that of two which wait for each other would grow with every attempt.
                why = str(error) if isinstance(error, NotFound) else f"model {step.model!r} is not ready"
                missing.append(f"step {step.name!r}: {why}")
                return why
            if source.name in _all_members(member, self._members):
                return f"model {step.model!r} asks {source.name!r} itself"
            return Looks(member.inputs, member.outputs)

        found = faults(graph, describe)
        if any(one not in missing for one in found):
            raise ModelError(f"{source.path.name}: {'; '.join(found)}")
        if missing:
            raise NotReady(f"{source.path.name}: {'; '.join(found)}")
        return Ensemble(source.name, source.version, graph, self._members)


def _all_members(model: LoadedModel, members: Members) -> frozenset[str]:
    """The model, and those that it asks, and those that these ask."""
    if not isinstance(model.model, Ensemble):
        return frozenset((model.name,))
    found = {model.name}
    for name in model.model.members() - found:
        try:
            found |= _all_members(members.get(name), members)
        except (NotFound, NotReady):
            found.add(name)
    return frozenset(found)
