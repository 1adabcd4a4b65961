"""A diagram shows the table, all of it, whatever its states are called; and where an object has been."""

from windlass.statemachine import Machine, mermaid
from windlass.statemachine.diagram import Trail, graphviz
from windlass.statemachine.guards import BOOLEAN, when

JOB = Machine(
    "Job",
    initial="New",
    transitions=(
        ("New", "go", "Busy", when(ready=True), ("start", "tell")),
        ("Busy", "again", "Busy"),
        ("Busy", "end", "Done"),
        ("open", "fail", "Failed"),
        ("Busy", "give up", "Failed"),
    ),
    final=("Done", "Failed"),
    groups={"open": ("New", "Busy")},
    facts={"ready": BOOLEAN},
)


def test_a_diagram_shows_states_events_start_and_end():
    door = Machine(
        "Door", initial="Open", transitions=[("Open", "shut", "Shut"), ("Shut", "lock", "Locked")], final=["Locked"]
    )

    assert mermaid(door) == (
        "---\n"
        "title: 'Door'\n"
        "---\n"
        "stateDiagram-v2\n"
        '    state "Open" as s0\n'
        '    state "Shut" as s1\n'
        '    state "Locked" as s2\n'
        "    [*] --> s0\n"
        "    s0 --> s1: shut\n"
        "    s1 --> s2: lock\n"
        "    s2 --> [*]\n"
    )


def test_names_that_mermaid_would_misread_are_written_as_entity_codes():
    odd = Machine("it's", initial='a "b"', transitions=[('a "b"', "x: y; #z", "end")], final=["end"])

    drawn = mermaid(odd)

    assert "title: 'it''s'" in drawn
    assert 'state "a #34;b#34;" as s0' in drawn
    assert "s0 --> s1: x#58; y#59; #35;z" in drawn


def test_guards_effects_and_groups_are_shown():
    drawn = mermaid(JOB)

    assert 'state "open#58; New, Busy" as g0' in drawn
    assert "    s0 --> s1: go [ready] / start, tell\n" in drawn
    assert "    g0 --> s3: fail\n" in drawn
    assert "    class g0 group\n" in drawn


def test_the_way_of_an_object_is_numbered_and_coloured():
    drawn = mermaid(JOB, path=("New", "Busy", "Busy", "Done"))

    assert "s0 --> s1: 1. go [ready] / start, tell" in drawn
    assert "s1 --> s1: 2. again" in drawn
    assert "s1 --> s2: 3. end" in drawn
    assert "    class s0,s1,s2 been\n" in drawn
    assert "    class s2 here\n" in drawn


def test_a_row_of_a_group_is_taken_from_any_of_its_states_and_rows_that_may_explain_a_step_are_all_marked():
    failed = {row.event: Trail(JOB, ("New", "Failed")).taken(row) for row in JOB.transitions}
    later = {row.event: Trail(JOB, ("New", "Busy", "Failed")).taken(row) for row in JOB.transitions}

    assert failed == {"go": (), "again": (), "end": (), "fail": (1,), "give up": ()}
    assert later == {"go": (1,), "again": (), "end": (), "fail": (2,), "give up": (2,)}


def test_graphviz_shows_the_same_table_and_quotes_every_name():
    odd = Machine("it", initial='a "b"', transitions=[('a "b"', "back\\slash", "end")], final=["end"])

    assert '  "a \\"b\\"" -> "end" [label="back\\\\slash"]\n' in graphviz(odd)
    assert '  "open" [label="open: New, Busy", style="rounded,dashed"]\n' in graphviz(JOB)
    assert '"New" -> "Busy" [label="1. go [ready] / start, tell", color=' in graphviz(JOB, path=("New", "Busy"))
