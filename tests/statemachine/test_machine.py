"""The table is checked where it is defined, and nothing leaves it afterwards."""

import copy

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.statemachine import IllegalTransition, InvalidMachine, Machine, MachineError, Transition, WindlassError

JOB = Machine(
    "Job",
    initial="Pending",
    transitions=[
        Transition("Pending", "start", "Running"),
        Transition("Pending", "fail", "Failed"),
        Transition("Running", "finish", "Succeeded"),
        Transition("Running", "fail", "Failed"),
    ],
    final=["Succeeded", "Failed"],
)


def test_next_follows_the_table():
    assert JOB.next("Pending", "start") == "Running"
    assert JOB.next("Running", "finish") == "Succeeded"


def test_an_event_without_a_row_raises_and_says_what_is_allowed():
    with pytest.raises(IllegalTransition) as caught:
        JOB.next("Pending", "finish")

    assert str(caught.value) == "Job: the event 'finish' is not allowed in state 'Pending'; allowed: 'start', 'fail'"


def test_an_event_in_a_final_state_raises_and_says_that_the_state_is_final():
    with pytest.raises(IllegalTransition, match="'fail' is not allowed in state 'Succeeded'; the state is final"):
        JOB.next("Succeeded", "fail")


def test_a_state_from_another_version_of_the_program_raises_and_lists_the_known_ones():
    with pytest.raises(IllegalTransition, match="the state 'Paused' is unknown; known states: 'Pending', 'Running'"):
        JOB.next("Paused", "start")


def test_questions_about_the_table_have_answers_for_unknown_states_too():
    assert JOB.states == ("Pending", "Running", "Failed", "Succeeded")
    assert JOB.events("Running") == ("finish", "fail")
    assert JOB.events("Failed") == JOB.events("Paused") == ()
    assert JOB.allows("Pending", "start")
    assert not JOB.allows("Pending", "finish")
    assert not JOB.allows("Paused", "start")
    assert JOB.is_final("Failed")
    assert not JOB.is_final("Running")
    assert not JOB.is_final("Paused")


def test_a_machine_is_immutable_and_compares_by_its_table():
    twin = Machine("Job", initial="Pending", transitions=[tuple(row) for row in JOB.transitions], final=JOB.final)

    assert twin == JOB
    assert hash(twin) == hash(JOB)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        JOB.initial = "Running"


def test_a_machine_shows_its_size():
    assert repr(JOB) == "<Machine Job states=4 transitions=4>"


def test_a_machine_without_final_states_may_run_for_ever():
    lamp = Machine("Lamp", initial="Off", transitions=[("Off", "press", "On"), ("On", "press", "Off")])

    assert lamp.next(lamp.next("Off", "press"), "press") == "Off"


def test_one_event_may_lead_from_a_state_to_itself():
    job = Machine("Job", initial="A", transitions=[("A", "tick", "A"), ("A", "end", "B")], final=["B"])

    assert job.next("A", "tick") == "A"


def test_a_machine_of_one_final_state_is_legal():
    assert Machine("Stone", initial="Lying", transitions=[], final=["Lying"]).states == ("Lying",)


@pytest.mark.parametrize(
    ("initial", "transitions", "final", "message"),
    [
        pytest.param("A", [("A", "go", "B")], ["B", "C"], "the final state 'C' is unknown", id="unknown final"),
        pytest.param(
            "A", [("A", "go", "B"), ("C", "go", "B")], ["B"], "'C' cannot be reached from 'A'", id="unreachable"
        ),
        pytest.param("A", [("A", "go", "B")], [], "'B' is a dead end", id="dead end"),
        pytest.param("A", [], [], "'A' is a dead end", id="initial dead end"),
        pytest.param(
            "A",
            [("A", "go", "B"), ("A", "slip", "C"), ("C", "turn", "C")],
            ["B"],
            "'C' is a trap: no final state can be reached from it",
            id="trap",
        ),
        pytest.param(
            "A",
            [("A", "go", "B"), ("B", "back", "A")],
            ["B"],
            r"the final state 'B' has a way out \('back'\)",
            id="final with exit",
        ),
        pytest.param("A", [("A", "go", "B"), ("B", "stay", "B")], ["B"], "'B' has a way out", id="final with loop"),
        pytest.param(
            "A",
            [("A", "go", "B"), ("A", "go", "C")],
            ["B", "C"],
            "the transition A --go--> C contradicts A --go--> B; one state and event have one target",
            id="two targets",
        ),
        pytest.param("A", [("A", "go", "B")] * 2, ["B"], "A --go--> B is written twice", id="written twice"),
        pytest.param("A", [("A", "", "B")], ["B"], "'' is not a name", id="empty event"),
        pytest.param("A", [("A", "go", "B\nC")], ["B\nC"], "is not a name", id="two lines"),
        pytest.param("A", [("A", 1, "B")], ["B"], "1 is not a name", id="not a string"),
    ],
)
def test_a_wrong_table_is_refused_where_it_is_defined(initial, transitions, final, message):
    with pytest.raises(InvalidMachine, match=f"^machine 'M': .*{message}") as caught:
        Machine("M", initial=initial, transitions=transitions, final=final)

    assert isinstance(caught.value, MachineError)
    assert isinstance(caught.value, WindlassError)


def test_all_broken_rules_are_reported_at_once():
    with pytest.raises(InvalidMachine) as caught:
        Machine("M", initial="A", transitions=[("A", "go", "B"), ("C", "go", "D")], final=["D"])

    assert "'B' is a dead end" in str(caught.value)
    assert "'C' cannot be reached" in str(caught.value)


# --- properties -------------------------------------------------------------------------------------------------------

STATES = "ABCDE"
EVENTS = "xyz"


@st.composite
def tables(draw):
    """Random tables over five states, deterministic or not, legal or not."""
    rows = draw(
        st.lists(st.tuples(st.sampled_from(STATES), st.sampled_from(EVENTS), st.sampled_from(STATES)), max_size=12)
    )
    return draw(st.sampled_from(STATES)), rows, draw(st.lists(st.sampled_from(STATES), unique=True, max_size=3))


@st.composite
def machines(draw):
    """Random legal machines: the rows of a random table that can be walked from A; dead ends are final."""
    wanted = draw(st.dictionaries(st.tuples(st.sampled_from(STATES), st.sampled_from(EVENTS)), st.sampled_from(STATES)))
    reached, frontier = {"A"}, ["A"]
    while frontier:
        here = frontier.pop()
        fresh = {target for (source, _), target in wanted.items() if source == here} - reached
        reached |= fresh
        frontier.extend(sorted(fresh))
    rows = [(source, event, target) for (source, event), target in wanted.items() if source in reached]
    ends = sorted(reached - {source for source, _, _ in rows})
    # A loop that cannot be left is legal only in a machine without final states, so each state gets an exit.
    exits = [(state, "exit", "End") for state in sorted(reached - set(ends))]
    return Machine("Random", initial="A", transitions=[*rows, *exits], final=[*ends, *(["End"] if exits else [])])


def reaches(rows, start, goals):
    """Independent check, by following the rows for as many steps as there are states."""
    here = {start}
    for _ in range(len(STATES) + 1):
        here |= {target for source, _, target in rows if source in here}
    return bool(here & set(goals))


def expected_legal(initial, rows, final):
    states = {initial, *(row[0] for row in rows), *(row[2] for row in rows)}
    deterministic = len({row[:2] for row in rows}) == len(rows)
    exits = {state: [row for row in rows if row[0] == state] for state in states}
    return (
        deterministic
        and all(reaches(rows, initial, [state]) for state in states)
        and all(state in states and not exits[state] for state in final)
        and all(state in final or exits[state] for state in states)
        and (not final or all(reaches(rows, state, final) for state in states))
    )


@given(tables())
def test_a_table_is_accepted_exactly_when_it_obeys_every_rule(table):
    initial, rows, final = table
    if expected_legal(initial, rows, final):
        Machine("M", initial=initial, transitions=rows, final=final)
    else:
        with pytest.raises(InvalidMachine):
            Machine("M", initial=initial, transitions=rows, final=final)


@given(machines(), st.lists(st.sampled_from([*EVENTS, "exit", "nonsense"]), max_size=30))
def test_no_walk_ever_leaves_the_table(machine, events):
    rows = {(row.source, row.event): row.target for row in machine.transitions}
    before = copy.deepcopy(machine)
    state = machine.initial
    for event in events:
        if (state, event) in rows:
            assert machine.allows(state, event)
            state = machine.next(state, event)
            assert state in machine.states
        else:
            assert not machine.allows(state, event)
            with pytest.raises(IllegalTransition):
                machine.next(state, event)
    assert machine == before


@given(machines())
def test_final_states_and_only_those_allow_no_event(machine):
    for state in machine.states:
        assert machine.is_final(state) == (machine.events(state) == ())
