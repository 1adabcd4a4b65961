"""What an older program wrote is brought to the table of today, or refused."""

from itertools import pairwise

import pytest

from windlass.statemachine import IllegalTransition, InvalidMachine, Machine
from windlass.statemachine.versions import Versions


def line(*states, name="job"):
    rows = [(before, f"to {after}", after) for before, after in pairwise(states)]
    return Machine(name, initial=states[0], transitions=rows, final=states[-1:])


OLD, NEWER, NOW = (
    line("New", "Work", "Done"),
    line("New", "Check", "Work", "Done"),
    line("New", "Check", "Run", "Ended"),
)
JOBS = Versions((OLD, NEWER, NOW), ({"Work": "Check"}, {"Work": "Run", "Done": "Ended"}))


@pytest.mark.parametrize(
    ("state", "version", "today"),
    [("Work", 1, "Check"), ("Work", 2, "Run"), ("Done", 1, "Ended"), ("New", 1, "New"), ("Run", 3, "Run")],
)
def test_a_state_is_carried_through_every_version_in_between(state, version, today):
    assert JOBS.migrate(state, version) == today
    assert (JOBS.version, JOBS.current) == (3, NOW)


@pytest.mark.parametrize(
    ("state", "version", "message"),
    [
        ("Work", 4, "job: the state 'Work' is of version 4; known versions: 1 to 3"),
        ("Work", 0, "known versions: 1 to 3"),
        ("Check", 1, "'Check' is unknown in version 1; known states: 'New', 'Work', 'Done'"),
    ],
)
def test_what_no_version_of_the_program_has_written_is_refused(state, version, message):
    with pytest.raises(IllegalTransition, match=message):
        JOBS.migrate(state, version)


@pytest.mark.parametrize(
    ("machines", "migrations", "message"),
    [
        ((OLD, NOW), ({"Done": "Ended"},), "from 1 to 2: 'Work' becomes 'Work', which is no state of version 2"),
        ((OLD, NEWER), ({"Rest": "Check"},), "from 1 to 2: 'Rest' is no state of version 1"),
        ((OLD, NEWER), ({"Done": "Work"},), "the final state 'Done' becomes 'Work', which is not final"),
        ((OLD, NEWER), (), "expected one migration between any two of 2 machines, found 0"),
    ],
)
def test_a_migration_that_leaves_a_state_behind_is_refused_where_it_is_defined(machines, migrations, message):
    with pytest.raises(InvalidMachine, match=message):
        Versions(machines, migrations)
