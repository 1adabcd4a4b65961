"""What state is this in, and may it go there? Pure: nothing here waits, reads a clock, draws a number or does I/O."""

from windlass.statemachine.cell import Cell, Snapshot
from windlass.statemachine.conditions import Condition, Conditions, Status
from windlass.statemachine.diagram import mermaid
from windlass.statemachine.errors import (
    IllegalTransition,
    InvalidCondition,
    InvalidMachine,
    InvalidMapping,
    JournalError,
    MachineError,
    ModelViolation,
    WindlassError,
)
from windlass.statemachine.guards import BOOLEAN, Guard, when
from windlass.statemachine.machine import Machine, Step
from windlass.statemachine.mapping import StatusMapping, status
from windlass.statemachine.modelcheck import Invariant, Model, explore, table_model
from windlass.statemachine.summary import Summary
from windlass.statemachine.transitions import Transition

__all__ = (
    "BOOLEAN",
    "Cell",
    "Condition",
    "Conditions",
    "Guard",
    "IllegalTransition",
    "InvalidCondition",
    "InvalidMachine",
    "InvalidMapping",
    "Invariant",
    "JournalError",
    "Machine",
    "MachineError",
    "Model",
    "ModelViolation",
    "Snapshot",
    "Status",
    "StatusMapping",
    "Step",
    "Summary",
    "Transition",
    "WindlassError",
    "explore",
    "mermaid",
    "status",
    "table_model",
    "when",
)
