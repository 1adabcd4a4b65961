"""A diagram shows the table, all of it, whatever its states are called."""

from windlass.statemachine import Machine, mermaid


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
