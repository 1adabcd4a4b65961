"""The state follows from what is observed, by rules that leave no state out."""

import pytest

from windlass.statemachine import Condition, Conditions, InvalidMachine, Machine
from windlass.statemachine.derivation import Derivation, has_reason, is_false, is_true

JOB = Machine(
    "job",
    initial="New",
    transitions=(("New", "start", "Running"), ("Running", "end", "Done"), ("Running", "fail", "Failed")),
    final=("Done", "Failed"),
)
RULES = (("Done", is_true("Done")), ("Failed", is_false("Done")), ("Running", has_reason("Done", "Working")))


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        ((), "New"),
        ((Condition("Done", "Unknown", "Working"),), "Running"),
        ((Condition("Done", "True", "Working"),), "Done"),
        ((Condition("Done", "False", "Broken"),), "Failed"),
        ((Condition("Other", "False", "Broken"),), "New"),
    ],
)
def test_the_furthest_state_of_which_there_are_signs_is_the_state(conditions, state):
    assert Derivation(JOB, RULES).state_of(Conditions.of(conditions)) == state


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (RULES[:1], "derivation of 'job': no rule says when the state is 'Running', 'Failed'"),
        ((*RULES, ("Paused", is_true("Paused"))), "'Paused' is no state"),
        ((*RULES, RULES[0]), "'Done' has two rules"),
    ],
)
def test_rules_that_do_not_fit_the_table_are_refused(rules, message):
    with pytest.raises(InvalidMachine, match=message):
        Derivation(JOB, rules)
