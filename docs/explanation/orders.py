"""An order, two programs that write its conditions, and what the model check finds: python orders.py."""

import attrs

from windlass.statemachine import Invariant, Machine, explore
from windlass.statemachine.guards import BOOLEAN, when
from windlass.statemachine.modelcheck import invariants
from windlass.statemachine.world import Program, Put, Setting, World

ORDER = Machine(
    "order",
    initial="New",
    transitions=(
        ("New", "reserve", "Reserved", when(in_stock=True), ("take from stock",)),
        ("New", "reserve", "Waiting", when(in_stock=False)),
        ("Waiting", "restock", "Reserved", when(), ("take from stock",)),
        ("Reserved", "ship", "Shipped", when(), ("send the parcel",)),
        ("open", "cancel", "Cancelled"),
    ),
    final=("Shipped", "Cancelled"),
    groups={"open": ("New", "Waiting", "Reserved")},
    facts={"in_stock": BOOLEAN},
    order=("New", "Reserved", "Shipped"),
)


@attrs.frozen
class Order:
    """What the API server has: the state, and the types of the conditions that are true."""

    state: str = "New"
    conditions: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.state} {{{', '.join(sorted(self.conditions))}}}"


def marks(condition: str, *, conditional: bool) -> Program:
    """A program that adds its condition to the list it has read, and writes the whole list."""

    def decide(order: Order, _: object) -> tuple[Put, ...]:
        if condition in order.conditions:
            return ()
        return (Put(attrs.evolve(order, conditions=order.conditions | {condition}), conditional),)

    return Program(condition, decide)


def lost(before: World, after: World) -> str | None:
    gone = before.record.conditions - after.record.conditions
    return f"{', '.join(sorted(gone))} was set and is gone" if gone else None


def check(*, conditional: bool) -> None:
    """Print the shortest way to a fault, or how much was looked at."""
    setting = Setting(
        programs=(marks("Paid", conditional=conditional), marks("Checked", conditional=conditional)), record=Order()
    )
    table: tuple[Invariant[World], ...] = invariants(ORDER, lambda world: world.record.state)
    model = setting.model(
        "order",
        invariants=(*table, Invariant("no lost condition", lost)),
        finished=lambda world: len(world.record.conditions) == 2,
    )
    report = explore(model)
    print(report.violation or f"order: {len(report.reached)} states, no fault")


if __name__ == "__main__":
    check(conditional=False)
    check(conditional=True)
