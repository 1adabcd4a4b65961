"""Guards, entry conditions, groups, effects and order: what a table can say beyond rows, and how it goes wrong."""

import pytest

from windlass.statemachine import IllegalTransition, InvalidMachine, Machine
from windlass.statemachine.guards import BOOLEAN, when
from windlass.statemachine.transitions import Transition, members

DEPLOY = Machine(
    "deploy",
    initial="Idle",
    transitions=(
        ("Idle", "begin", "Canary", when(healthy=True), ("shift 5 %",)),
        ("Idle", "begin", "Blocked", when(healthy=False)),
        ("Blocked", "retry", "Idle"),
        ("Canary", "judge", "Full", when(verdict="good"), ("shift 100 %", "tell")),
        ("Canary", "judge", "Canary", when(verdict="open")),
        ("live", "abort", "Back", when(), ("shift 0 %",)),
        ("Canary", "abort", "Idle"),
        ("Full", "close", "Done"),
    ),
    final=("Done", "Back"),
    groups={"live": ("Canary", "Full")},
    facts={"healthy": BOOLEAN, "verdict": ("good", "bad", "open")},
    entry={"Full": when(healthy=True)},
    order=("Idle", "Canary", "Full", "Done"),
)


def test_the_row_whose_guard_holds_is_taken_and_brings_its_effects():
    assert DEPLOY.step("Idle", "begin", {"healthy": True})[:2] == ("Canary", ("shift 5 %",))
    assert DEPLOY.step("Idle", "begin", {"healthy": False})[:2] == ("Blocked", ())
    assert DEPLOY.step("Canary", "judge", {"verdict": "good", "healthy": True}).effects == ("shift 100 %", "tell")


@pytest.mark.parametrize(
    ("state", "event", "facts", "message"),
    [
        ("Canary", "judge", {"verdict": "bad", "healthy": True},
         r"not allowed in state 'Canary' while verdict=bad; it needs \(verdict=good\) or \(verdict=open\)"),
        ("Canary", "judge", {"verdict": "good", "healthy": False},
         "'judge' is not allowed in state 'Canary': 'Full' is entered only if healthy"),
        ("Idle", "begin", {}, "the event 'begin' needs the fact 'healthy'"),
        ("Idle", "begin", {"healthy": "yes"}, "the fact 'healthy' is 'yes', expected one of False, True"),
    ],
)  # fmt: skip
def test_what_the_facts_do_not_allow_is_refused_with_what_would_be_needed(state, event, facts, message):
    before = dict(facts)

    with pytest.raises(IllegalTransition, match=message):
        DEPLOY.step(state, event, facts)
    assert facts == before
    assert not DEPLOY.allows(state, event, facts)


def test_a_row_of_a_group_is_one_of_each_state_except_where_a_state_has_its_own():
    assert DEPLOY.step("Full", "abort")[:2] == ("Back", ("shift 0 %",))
    assert DEPLOY.next("Canary", "abort") == "Idle"
    assert DEPLOY.is_in("Canary", "live")
    assert not DEPLOY.is_in("Idle", "live")
    assert DEPLOY.is_in("Idle", "Idle")


def test_of_groups_within_groups_the_narrowest_row_wins():
    machine = Machine(
        "nested",
        initial="A",
        transitions=(("A", "go", "B"), ("B", "go", "C"), ("C", "go", "A"),
                     ("outer", "stop", "End"), ("inner", "stop", "A")),
        final=("End",),
        groups={"outer": ("A", "inner"), "inner": ("B", "C")},
    )  # fmt: skip

    assert [machine.next(state, "stop") for state in "ABC"] == ["End", "A", "A"]
    assert members("outer", dict(machine.groups)) == ("A", "B", "C")


def test_a_way_through_the_table_is_a_shortest_one():
    assert [row.event for row in DEPLOY.path("Idle", "Done")] == ["begin", "judge", "close"]
    assert DEPLOY.path("Done", "Idle") is None
    assert DEPLOY.path("Idle", "Idle") == ()


def table(**changes):
    fields = {
        "initial": "A",
        "transitions": (("A", "go", "B"), ("B", "go", "C")),
        "final": ("C",),
        "facts": {"warm": BOOLEAN, "size": ("small", "large")},
        **changes,
    }
    return Machine("M", **fields)


def with_rows(*rows):
    return {"transitions": (("A", "go", "B"), ("B", "go", "C"), *rows)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            with_rows(("A", "try", "B", when(warm=True)), ("A", "try", "C", when(size="small"))),
            r"A --try \[size=small\]--> C overlaps A --try \[warm\]--> B: both hold when warm and size=small",
            id="overlapping guards",
        ),
        pytest.param(
            with_rows(("A", "try", "B", when(warm=True)), ("A", "try", "C")),
            r"A --try--> C overlaps A --try \[warm\]--> B: both hold when warm",
            id="a guard beside none",
        ),
        pytest.param(
            with_rows(("A", "try", "B", when(cold=True))), "asks for the fact 'cold', which is not declared", id="fact"
        ),
        pytest.param(
            with_rows(("A", "try", "B", when(size="huge"))), "asks for size=huge, which is none of its", id="value"
        ),
        pytest.param(
            {**with_rows(("A", "try", "B", when(warm=False))), "entry": {"B": when(warm=True)}},
            r"A --try \[not warm\]--> B can never be taken: 'B' is entered only if warm",
            id="against its entry condition",
        ),
        pytest.param({"entry": {"Z": when(warm=True)}}, "entry condition of 'Z' is of an unknown state", id="entry"),
        pytest.param({"facts": {"warm": (True,)}}, "'warm' has the values True: expected at least two", id="domain"),
        pytest.param({"groups": {"g": ()}}, "the group 'g' is empty", id="empty group"),
        pytest.param({"groups": {"g": ("Z",)}}, "the group 'g' contains 'Z', which is neither", id="unknown member"),
        pytest.param({"groups": {"g": ("A", "h"), "h": ("g",)}}, "the group 'g' contains itself", id="circular groups"),
        pytest.param({**with_rows(("B", "up", "g")), "groups": {"g": ("A",)}}, "up--> g leads to a group", id="target"),
        pytest.param({"order": ("A", "Z")}, "the order names 'Z', which is no state", id="unknown in the order"),
        pytest.param(
            {**with_rows(("A", "jump", "C")), "order": ("A", "B", "C")},
            r"'C' can be reached without 'B', which the order puts before it \(A --jump--> C\)",
            id="a skipped state",
        ),
    ],
)  # fmt: skip
def test_a_table_that_goes_wrong_is_refused_with_the_row_at_fault(changes, message):
    with pytest.raises(InvalidMachine, match=f"^machine 'M': .*{message}"):
        table(**changes)


def test_guards_that_exclude_each_other_are_no_contradiction():
    rows = with_rows(("A", "try", "B", when(size="small")), ("A", "try", "C", when(size="large")))

    assert table(**rows).next("A", "try", {"size": "large"}) == "C"


def test_a_row_shows_its_guard():
    assert str(Transition("A", "go", "B", when(warm=True))) == "A --go [warm]--> B"
