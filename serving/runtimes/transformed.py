"""What a model is asked and what it answers may be changed on the way, and the model itself need not know.

The steps run where the model runs: off the loop when it does, and once for a whole batch.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from windlass.serving.model import Ailing, Closable, Model
from windlass.serving.runtimes.callables import named
from windlass.serving.tensors import Array, TensorSpec

__all__ = ("Transformed",)


@attrs.frozen(eq=False)
class Transformed:
    """`model` with a step before it, after it, or both.

    `before` is called with the request's inputs by name and returns the model's inputs; `after` is called with the
    model's outputs by name and returns the outputs of the answer: mappings, or values as those of `CallableModel`.
    `inputs` and `outputs` describe what a client sees, and are the model's own where they are None.
    """

    model: Model
    before: Callable[..., Any] | None = None
    after: Callable[..., Any] | None = None
    inputs: tuple[TensorSpec, ...] = attrs.field(default=None, kw_only=True)
    outputs: tuple[TensorSpec, ...] = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        for name in ("inputs", "outputs"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(self.model, name))

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def version(self) -> str:
        """The model's version."""
        return self.model.version

    @property
    def platform(self) -> str:
        """The model's platform."""
        return self.model.platform

    def predict(self, inputs: Mapping[str, Array], /) -> Mapping[str, Array]:
        """Before, the model, after."""
        if self.before is not None:
            inputs = named(self.before(**inputs), self.model.inputs)
        outputs = self.model.predict(inputs)
        return outputs if self.after is None else named(self.after(**outputs), self.outputs)

    def not_ready_because(self) -> str | None:
        """What the model says."""
        return self.model.not_ready_because() if isinstance(self.model, Ailing) else None

    def close(self) -> None:
        """Close the model."""
        if isinstance(self.model, Closable):
            self.model.close()
