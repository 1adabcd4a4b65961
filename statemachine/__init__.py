"""What state is this in, and may it go there? Pure: nothing here waits, reads a clock, draws a number or does I/O."""

from windlass.statemachine.conditions import Condition, Conditions, Status
from windlass.statemachine.diagram import mermaid
from windlass.statemachine.errors import (
    IllegalTransition,
    InvalidCondition,
    InvalidMachine,
    MachineError,
    WindlassError,
)
from windlass.statemachine.machine import Machine, Transition

__all__ = (
    "Condition",
    "Conditions",
    "IllegalTransition",
    "InvalidCondition",
    "InvalidMachine",
    "Machine",
    "MachineError",
    "Status",
    "Transition",
    "WindlassError",
    "mermaid",
)
