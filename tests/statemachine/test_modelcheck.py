"""What can happen is looked at completely, and a fault comes with the shortest way to it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.statemachine import Machine, ModelViolation
from windlass.statemachine.modelcheck import Invariant, Model, explore, table_model

JOB = Machine(
    "job",
    initial="Pending",
    transitions=(("Pending", "start", "Running"), ("Running", "finish", "Done"), ("Pending", "fail", "Failed"),
                 ("Running", "fail", "Failed")),
    final=("Done", "Failed"),
)  # fmt: skip


def graph(edges, *, initial="a", **fields):
    return Model("graph", (initial,), lambda state: [(f"{state}{to}", to) for to in edges.get(state, "")], **fields)


def never(state):
    return Invariant(f"never {state}", lambda before, after: f"{after} was reached" if after == state else None)


def test_a_table_is_explored_completely():
    report = explore(table_model(JOB)).require()

    assert (report.reached, report.moves, report.depth, report.complete) == (frozenset(JOB.states), 4, 2, True)


def test_the_trace_is_the_shortest_and_reads_as_a_story():
    edges = {"a": "bc", "b": "d", "c": "f", "d": "e", "e": "f"}
    found = explore(graph(edges, invariants=(never("f"),))).violation

    assert [label for label, _ in found.trace] == ["", "ac", "cf"]
    assert re.sub(r" +", " ", str(found)) == "graph: never f: f was reached\n 0 start a\n 1 ac c\n 2 cf f"


def test_a_move_into_a_known_state_is_held_against_the_invariants_too():
    """The fault is in the move, not in where it leads: the state has been seen before, by an innocent way."""
    back = Invariant("never back", lambda before, after: "went back" if after < before else None)
    found = explore(graph({"a": "bc", "b": "c", "c": "b"}, invariants=(back,))).violation

    assert [state for _, state in found.trace] == ["a", "c", "b"]


def test_a_beginning_that_breaks_an_invariant_is_found():
    assert explore(graph({}, invariants=(never("a"),))).violation.trace == (("", "a"),)


def test_a_state_that_cannot_finish_is_found_and_it_is_the_nearest():
    edges = {"a": "bz", "b": "c", "c": "b"}
    report = explore(graph(edges, finished=lambda state: state == "z"))

    assert (report.violation.invariant, report.violation.trace) == ("can finish", (("", "a"), ("ab", "b")))
    with pytest.raises(ModelViolation, match="graph: can finish"):
        report.require()


def test_what_was_left_out_is_said_and_is_no_pass():
    report = explore(
        Model("endless", (0,), lambda state: [("more", state + 1)], finished=lambda state: False), states_max=50
    )

    assert (len(report.reached), report.complete, report.violation) == (50, False, None)
    with pytest.raises(ModelViolation, match="endless: only 50 states were looked at"):
        report.require()


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdef")), max_size=6))
def test_every_reachable_state_and_no_other_is_reached(edges):
    report = explore(graph(edges))
    reachable = {"a"}
    for _ in range(6):
        reachable |= {to for state in reachable for to in edges.get(state, ())}

    assert report.reached == reachable
    assert report.moves == sum(len(edges.get(state, ())) for state in reachable)
