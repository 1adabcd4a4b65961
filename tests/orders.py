"""A sample machine and programs around it, right ones and three with a defect that the model check must find."""

import attrs

from windlass.statemachine.machine import Machine
from windlass.statemachine.modelcheck import Invariant, invariants
from windlass.statemachine.world import Act, Bounds, Program, Put, Setting

ORDER = Machine(
    "order",
    initial="New",
    transitions=(("New", "reserve", "Reserved"), ("Reserved", "ship", "Shipped"), ("Shipped", "close", "Closed")),
    final=("Closed",),
    order=("New", "Reserved", "Shipped", "Closed"),
)


@attrs.frozen
class Order:
    """A record: its state, and the types of the conditions that are true."""

    state: str = "New"
    conditions: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.state} {{{','.join(sorted(self.conditions))}}}"


def move(order, event):
    return Put(attrs.evolve(order, state=ORDER.next(order.state, event)))


def careful(order, outside):
    """Intent on record before the parcel leaves, and one row a write."""
    match order.state:
        case "New":
            return (move(order, "reserve"),)
        case "Reserved":
            return (Act("sends the parcel", lambda sent: sent | {"parcel"}), move(order, "ship"))
        case "Shipped":
            return (move(order, "close"),)
    return ()


def blind(order, outside):
    """As `careful`, but its writes carry no version."""
    return tuple(
        attrs.evolve(one, conditional=False) if isinstance(one, Put) else one for one in careful(order, outside)
    )


def hasty(order, outside):
    """Writes where things stand by what it sees outside, past the table."""
    if order.state == "New" and "parcel" in outside:
        return (Put(attrs.evolve(order, state="Shipped")),)
    return careful(order, outside)


def marking(condition, *, conditional):
    """Sets its own condition in the list that it has seen."""

    def decide(order, outside):
        if condition in order.conditions:
            return ()
        return (Put(attrs.evolve(order, conditions=order.conditions | {condition}), conditional=conditional),)

    return Program(condition, decide)


def lost(before, after):
    gone = before.record.conditions - after.record.conditions
    return f"the condition {sorted(gone)[0]!r} was set and is gone" if gone else None


NO_LOST_CONDITION = Invariant("no lost condition", lost)
TERMINAL, NO_SKIP = invariants(ORDER, lambda world: world.record.state)


def parcel_found(order, outside):
    """Somebody may find a parcel that was sent for an order nobody has reserved."""
    if "parcel" not in outside:
        yield "a parcel is found", order, outside | {"parcel"}


def life(*programs, environment=None, held=(TERMINAL, NO_SKIP, NO_LOST_CONDITION), stale=2):
    """Two crashes and some stale deliveries around an order, from New until it is Closed."""
    setting = Setting(
        programs=programs,
        record=Order(),
        outside=frozenset(),
        bounds=Bounds(crashes=2, stale=stale),
        environment=environment,
    )
    return setting.model("order", invariants=held, finished=lambda world: world.record.state == "Closed")
