"""What Windlass operates by itself: one folder for each operator, each a composition of the rooms below it."""

from windlass.operators.errors import OperatorsError

__all__ = ("OperatorsError",)
