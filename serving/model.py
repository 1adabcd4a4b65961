"""A model is a name, a version, a description of its tensors and one synchronous function.

Every protocol is spoken over that alone.

This module does not know where a model comes from, who runs it, or which protocol asks.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias, runtime_checkable
from weakref import WeakKeyDictionary

import attrs

from windlass.serving.errors import ModelFailed, NotFound
from windlass.serving.policy import Policy
from windlass.serving.tensors import DATATYPES, Array, TensorSpec

__all__ = (
    "BATCHED_FROM_SECONDS",
    "INLINE_SECONDS",
    "Ailing",
    "Closable",
    "Composite",
    "Execute",
    "Exemplary",
    "Explainer",
    "Hold",
    "LoadedModel",
    "Model",
    "checked",
    "explaining",
    "size",
)

INLINE_SECONDS = 300e-6

# To wait for others, share and be told apart again costs a request 20 µs among many, 55 µs alone (measured).
BATCHED_FROM_SECONDS = 50e-6


@runtime_checkable
class Model(Protocol):
    """What every runtime produces.

    `predict` is synchronous, may be slow, may be called from several threads at once, and must neither keep nor
    change the arrays it gets. It receives every input of `inputs`, already checked, and returns every output of
    `outputs`.
    """

    @property
    def name(self) -> str:
        """The name given by whoever made the model; the repository may serve it under another."""

    @property
    def version(self) -> str:
        """A decimal such as `"3"`; built-in models are `"1"`."""

    @property
    def platform(self) -> str:
        """`<project>_<format>`, for example `onnx_onnxv1` (R6)."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs, all of them required."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs, in the order in which they are answered."""

    def predict(self, inputs: Mapping[str, Array], /) -> Mapping[str, Array]:
        """Compute. Any exception becomes a 500 of this request alone."""


@runtime_checkable
class Explainer(Protocol):
    """What a model has besides, when it can say why (v1's `:explain`).

    Both are as `outputs` and `predict` are, for the same inputs.
    """

    @property
    def explanations(self) -> tuple[TensorSpec, ...]:
        """What an explanation consists of."""

    def explain(self, inputs: Mapping[str, Array], /) -> Mapping[str, Array]:
        """Explain the prediction for these inputs."""


@runtime_checkable
class Exemplary(Protocol):
    """What a model has besides, when zeros and empty texts are nothing that it could answer."""

    def example(self, rows: int, /) -> Mapping[str, Array]:
        """Inputs of so many rows that it can answer, for its warm-up."""


@runtime_checkable
class Closable(Protocol):
    """What a model has besides, when more than memory must be given back."""

    def close(self) -> None:
        """Called once, in a thread, when no request can use the model any more."""


@runtime_checkable
class Ailing(Protocol):
    """What a model has besides, when it may be unable to answer for a while after it was loaded."""

    def not_ready_because(self) -> str | None:
        """The reason, None when it can answer. Must not wait."""


@runtime_checkable
class Composite(Protocol):
    """What a model has instead of `predict`, when other models compute for it; `predict` is for its warm-up."""

    async def run(self, execute: "Execute", inputs: Mapping[str, Array], *, deadline: float) -> Mapping[str, Array]:
        """The outputs. `execute` has a model computed as for any request; `deadline` is on the loop's clock."""


class Hold:
    """Lives as long as anybody, a request or the repository, may still use the model: its end is the end of the model.

    `used` is when the model was last taken for a request, in seconds on a clock that the repository chooses.
    """

    __slots__ = ("__weakref__", "used")

    def __init__(self) -> None:
        self.used = 0.0


@attrs.frozen(eq=False)
class LoadedModel:
    """A model that was warmed up and may serve.

    Frozen: a request that took it keeps the same instance until its answer is written (W8). Two are never equal, even
    if they were loaded from the same file. Those that share the model share the `hold`.
    """

    name: str
    version: str
    model: Model = attrs.field(repr=False)
    inline_elements: int = (
        -1
    )  # inputs of up to this many numbers run on the event loop; larger ones, or all at -1, in a thread
    direct: bool = False  # so fast that one who could share an execution is better off alone, up to that size
    policy: Policy = attrs.field(factory=Policy)
    alone: bool = False  # it has a thread of its own, and runs once at a time: waiting for it costs no other model
    labels: tuple[str, ...] = ()
    metadata: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    hold: Hold = attrs.field(factory=Hold, repr=False)
    # Found out once: each request asks.
    composite: Composite | None = attrs.field(init=False, repr=False)
    _ailing: Ailing | None = attrs.field(init=False, repr=False)

    @composite.default
    def _composite_or_none(self) -> Composite | None:
        return self.model if isinstance(self.model, Composite) else None

    @_ailing.default
    def _ailing_or_none(self) -> Ailing | None:
        return self.model if isinstance(self.model, Ailing) else None

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The model's inputs."""
        return self.model.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The model's outputs."""
        return self.model.outputs

    @property
    def platform(self) -> str:
        """The model's platform."""
        return self.model.platform

    def not_ready_because(self) -> str | None:
        """Why the model cannot answer just now, if it says so (`Ailing`); None when it can."""
        return self._ailing.not_ready_because() if self._ailing is not None else None


Execute: TypeAlias = Callable[[LoadedModel, Mapping[str, Array]], Awaitable[Mapping[str, Array]]]

_EXPLAINING: WeakKeyDictionary[LoadedModel, LoadedModel] = WeakKeyDictionary()


def explaining(loaded: LoadedModel) -> LoadedModel:
    """The model whose predictions are the explanations of this one's; it always runs in a thread, for nobody measured.

    Raises NotFound when the model offers none. It is the same value each time, so that one queue bounds explanations,
    and it does not batch, for nobody said that explanations count rows.
    """
    known = _EXPLAINING.get(loaded)
    if known is not None:
        return known
    if not isinstance(loaded.model, Explainer):
        raise NotFound(f"model {loaded.name!r} offers no 'explain'; it offers 'predict'")
    explainer = _Explaining(loaded.model, loaded.model)
    policy = Policy(loaded.policy.limits)
    made = attrs.evolve(loaded, model=explainer, inline_elements=-1, policy=policy, direct=False)
    return _EXPLAINING.setdefault(loaded, made)


@attrs.frozen
class _Explaining:
    _model: Model
    _explainer: Explainer

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def version(self) -> str:
        return self._model.version

    @property
    def platform(self) -> str:
        return self._model.platform

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._model.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self._explainer.explanations

    def predict(self, inputs: Mapping[str, Array], /) -> Mapping[str, Array]:
        return self._explainer.explain(inputs)


def size(inputs: Mapping[str, Array]) -> int:
    """How many elements the inputs have in all; the measure by which a request is small or not."""
    elements = 0
    for array in inputs.values():  # half the time of a generator
        elements += array.size
    return elements


def checked(model: LoadedModel, outputs: Mapping[str, Array]) -> Mapping[str, Array]:
    """The outputs, after proving that the model kept its own description; ModelFailed otherwise."""
    for spec in model.outputs:
        array = outputs.get(spec.name)
        if array is None:
            raise ModelFailed(f"model {model.name!r} did not return its output {spec.name!r}")
        if array.dtype != DATATYPES[spec.datatype]:
            raise ModelFailed(f"model {model.name!r}: output {spec.name!r} is {array.dtype}, expected {spec.datatype}")
        if not _fits(array.shape, spec.shape):
            raise ModelFailed(
                f"model {model.name!r}: output {spec.name!r} has shape {array.shape}, expected {spec.shape}"
            )
    return outputs


def _fits(found: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    if len(found) != len(expected):
        return False
    for size_found, size_expected in zip(found, expected, strict=True):  # noqa: SIM110  (twice as fast as a generator)
        if size_expected not in (-1, size_found):
            return False
    return True
