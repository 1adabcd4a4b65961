"""A name in a gate stands for exactly one check; an unknown, doubled or broken one is an error, and an error blocks.

The registry is that of executors with another contract. An installed package offers a check by an entry point in the
group `windlass.checks` (`toxicity = "mypackage.toxicity:CHECK"`); it is imported when first asked for.
"""

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from windlass.controller.executors import ExecutorRegistry
from windlass.operators.training.gate.checks.accuracy import NON_INFERIORITY
from windlass.operators.training.gate.checks.drift import DRIFT
from windlass.operators.training.gate.checks.fgsm import FGSM
from windlass.operators.training.gate.checks.sensitivity import SENSITIVITY
from windlass.operators.training.gate.contract import Check

__all__ = ("BUILT_IN", "CONTRACT", "ENTRY_POINT_GROUP", "CheckRegistry", "check_registry")

ENTRY_POINT_GROUP: Final = "windlass.checks"
CONTRACT: Final = ("name", "measure")
BUILT_IN: Final[tuple[Check, ...]] = (FGSM, SENSITIVITY, NON_INFERIORITY, DRIFT)

CheckRegistry = ExecutorRegistry[Check]


def check_registry(
    discover: Callable[[], Iterable[EntryPoint]] = lambda: entry_points(group=ENTRY_POINT_GROUP),
) -> CheckRegistry:
    """A registry with the built-in checks, and with those of installed packages."""
    # The package offers its own by entry points too, but a checkout that is not installed has none.
    registry: CheckRegistry = ExecutorRegistry(contract=CONTRACT, discover=discover, noun="check")
    for check in BUILT_IN:
        registry.register(check.name, check)
    return registry
