"""Every learner that a configuration may name, by that name."""

from collections.abc import Mapping
from typing import Any, Final

from windlass.operators.training import mlp, softmax

__all__ = ("LEARNERS",)

LEARNERS: Final[Mapping[str, type[Any]]] = {one.name: one for one in (softmax.Settings, mlp.Settings)}
