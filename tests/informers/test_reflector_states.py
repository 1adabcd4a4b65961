"""The reflector's real `step`, under every event in every state that it can get into, keeps to its table."""

import attrs
import pytest
from msgspec import structs

from windlass.informers.objects import Object
from windlass.informers.phases import REFLECTOR, Cause, Failure, Policy, Stopped, initial_state, phase
from windlass.informers.reflector import step
from windlass.informers.signals import (
    BookmarkSeen,
    ErrorSeen,
    ItemsRead,
    ListFailed,
    ObjectSeen,
    PageRead,
    Skipped,
    Start,
    Stop,
    StreamEnded,
    Waited,
    WatchOpened,
    WatchRefused,
)
from windlass.statemachine.errors import IllegalTransition
from windlass.statemachine.modelcheck import Model, explore, invariants

POD = Object.parse(
    b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"5"}}'
)
FAILURES = [Failure(cause) for cause in Cause]
EVENTS = (
    Start(), Stop(), Waited(), WatchOpened(), Skipped("6"), StreamEnded(), ItemsRead((POD,)), PageRead((), "5"),
    PageRead((), "5", "more"), BookmarkSeen("7"), BookmarkSeen("7", initial_end=True),
    *(ObjectSeen(kind, POD) for kind in ("ADDED", "MODIFIED", "DELETED")),
    *(kind(failure) for kind in (ListFailed, WatchRefused, ErrorSeen, StreamEnded) for failure in FAILURES),
)  # fmt: skip


def bounded(state):
    """Counters that only grow are as good as at their bound: no decision looks further."""
    changes = {}
    if memory := getattr(state, "memory", None):
        changes["memory"] = attrs.evolve(memory, failures=min(memory.failures, 2), strikes=min(memory.strikes, 2))
    for name in ("pages", "seen"):
        if hasattr(state, name):
            changes[name] = min(getattr(state, name), 1)
    return (attrs.evolve if attrs.has(type(state)) else structs.replace)(state, **changes)


def moves(state):
    for event in EVENTS:
        try:
            after, _ = step(state, event, 0.0)
        except IllegalTransition as error:
            if "cannot happen while" not in str(error):
                raise  # a move of its own that is not in the table
        else:
            yield type(event).__name__, bounded(after)


@pytest.mark.parametrize("policy", [Policy(), Policy(streaming=False), Policy(internal_error_seconds=1.0)])
def test_no_event_in_any_state_leads_past_the_table_and_it_can_always_be_stopped(policy):
    report = explore(
        Model(
            "reflector",
            (initial_state(policy),),
            moves,
            invariants=invariants(REFLECTOR, phase),
            finished=lambda state: isinstance(state, Stopped),
            show=phase,
        )
    ).require()

    reached = {phase(state) for state in report.reached}
    assert reached == set(REFLECTOR.states) - (set() if policy.streaming else {"streaming"})


def test_every_way_in_the_table_is_one_that_the_code_goes():
    taken = set()

    def watched(state):
        for event, after in moves(state):
            taken.add((phase(state), phase(after)))
            yield event, after

    for policy in (Policy(), Policy(streaming=False)):
        explore(Model("reflector", (initial_state(policy),), watched)).require()
    assert taken == {(row.source, row.target) for row in REFLECTOR.rows}
