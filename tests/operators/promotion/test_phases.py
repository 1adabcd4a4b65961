"""The conditions of a phase say that phase, whatever was before."""

import pytest

from windlass.operators.promotion.phases import MACHINE, conditions_in, phase_of
from windlass.statemachine.conditions import Conditions
from windlass.statemachine.modelcheck import explore, table_model
from windlass.statemachine.transitions import route


def ways():
    for state in MACHINE.states:
        rows = route(MACHINE.rows, MACHINE.initial, state)
        yield pytest.param(rows, id=state)
    for row in MACHINE.rows:
        first = route(MACHINE.rows, MACHINE.initial, row.source)
        yield pytest.param((*first, row), id=f"{row.source}-{row.event}")


@pytest.mark.parametrize("rows", list(ways()))
def test_along_every_row_the_conditions_say_where_it_leads(rows):
    from promotions import NOW

    conditions = Conditions()
    for row in rows:
        for one in conditions_in(row.target, conditions, "SomeReason", "why"):
            conditions = conditions.set(one, now=NOW)
        assert phase_of(conditions) == row.target


def test_every_phase_can_end_and_no_end_is_left():
    report = explore(table_model(MACHINE)).require()

    assert report.reached == set(MACHINE.states)


@pytest.mark.parametrize("phase", ["RolledBack", "Interrupted", "Failed"])
def test_a_bad_end_is_stalled_for_its_own_reason(phase):
    found = {one.type: one for one in conditions_in(phase, Conditions(), "NotReady", "the canary")}

    assert (found["Stalled"].status, found["Stalled"].reason) == ("True", "NotReady")
    assert (found["Promoted"].status, found["Promoted"].message) == ("False", "the canary")
    assert found["Reconciling"].status == "False"
