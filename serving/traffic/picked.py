"""What a request was given is the same until it is answered: its model, its arm, its place in an experiment."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol, Self

import attrs

from windlass.serving.errors import ServingError
from windlass.serving.experiments.drift import prediction
from windlass.serving.model import LoadedModel
from windlass.serving.tensors import Array
from windlass.serving.traffic.route import HEADER, Route
from windlass.serving.traffic.router import Choice
from windlass.serving.traffic.running import Running

__all__ = ("Answers", "Assignment", "OfRoute", "Picked")

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@attrs.frozen(eq=False)
class Assignment:
    """The route as it was when the request came, what it chose, and the experiment that the request counts for."""

    route: Route
    choice: Choice
    running: Running | None
    began: float


class Answers(Protocol):
    """Who wants to know how a request of a route went."""

    def ended(self, assignment: Assignment, error: BaseException | None, *, prediction: float | None = None) -> None:
        """It was answered, or will not be; `prediction` is what its experiment watches, if it watches that."""

    def shadow(self, assignment: Assignment, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        """Its arm has computed."""


class Picked:
    """The model that answers a request: a context that lasts until the answer is made.

    As it is here, of no route: nothing is counted, and nothing is copied.
    """

    __slots__ = ("model",)

    def __init__(self, model: LoadedModel) -> None:
        self.model = model

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """The request is answered."""

    @property
    def variant(self) -> str | None:
        """The arm that answers; None when no route was asked."""
        return None

    @property
    def headers(self) -> Mapping[str, str]:
        """What the response says of the arm (T8)."""
        return _NO_HEADERS

    def answered(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        """The model has answered; shadows may now."""


class OfRoute(Picked):
    """The model of an arm."""

    __slots__ = ("_answers", "_assignment", "_prediction")

    def __init__(self, model: LoadedModel, answers: Answers, assignment: Assignment) -> None:
        super().__init__(model)
        self._answers, self._assignment = answers, assignment
        self._prediction: float | None = None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """The request is answered."""
        if isinstance(error, ServingError):
            error.variant = self.variant
        self._answers.ended(self._assignment, error, prediction=self._prediction if error is None else None)

    @property
    def variant(self) -> str | None:
        """See Picked."""
        return self._assignment.choice.arm.name

    @property
    def headers(self) -> Mapping[str, str]:
        """See Picked."""
        return {HEADER: self._assignment.choice.arm.name}

    def answered(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        """See Picked."""
        running = self._assignment.running
        if running is not None and running.plan.watches_predictions:
            self._prediction = prediction(self.model, outputs)
        if self._assignment.route.shadows:
            self._answers.shadow(self._assignment, inputs, outputs)
