"""What became of one request, gathered while it happens by whoever knows: nobody has to hand it on.

The call of the request under way is a context variable, so it reaches the place where models are run through any number
of routes. The first model that is run for a call is the call's model: what runs beside it, such as a shadow, is not
what is answered.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Protocol

from windlass.serving.tensors import Array

__all__ = ("CURRENT", "Asked", "Call")

CURRENT: ContextVar["Call | None"] = ContextVar("windlass_serving_call", default=None)


class Asked(Protocol):
    """The model that is asked."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def version(self) -> str:
        """Its version."""


class Call:
    """One request. Times are the event loop's, in seconds, and None until it has come so far."""

    __slots__ = (
        "asked",
        "began",
        "caller",
        "executed",
        "executing",
        "inputs",
        "keeps",
        "model",
        "outputs",
        "rows",
        "span",
        "trace_id",
        "version",
    )

    def __init__(self, began: float, *, trace_id: str | None = None) -> None:
        self.began = began
        self.trace_id = trace_id
        self.caller: str | None = None
        self.model = self.version = ""
        self.asked: float | None = None
        self.executing: float | None = None
        self.executed: float | None = None
        self.rows = 0
        self.keeps = False
        self.inputs: Mapping[str, Array] | None = None
        self.outputs: Mapping[str, Array] | None = None
        self.span: object = None

    def __repr__(self) -> str:
        return f"<Call model={self.model!r} version={self.version!r} trace_id={self.trace_id}>"

    def ask(self, model: Asked, inputs: Mapping[str, Array], *, now: float) -> bool:
        """A model is asked; whether for this call's answer."""
        if self.asked is not None:
            return False
        self.model, self.version, self.asked = model.name, model.version, now
        if self.keeps:
            self.inputs = inputs
        return True

    def execute(self, now: float, *, rows: int) -> None:
        """Its execution begins, with so many rows of all that share it; tried again, the first time counts."""
        if self.executing is None:
            self.executing, self.rows = now, rows

    def end(self, now: float) -> None:
        """Its execution has ended."""
        self.executed = now

    def answer(self, outputs: Mapping[str, Array]) -> None:
        """The model has answered."""
        if self.keeps:
            self.outputs = outputs
