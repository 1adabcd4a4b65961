"""The same facts are the same records; what is not known is not made up."""

import attrs
from trainings import MODEL, run, training

from windlass.operators.training.gate.types import GateStatus
from windlass.operators.training.metadata.recording import CURVE_POINTS_MAX, model_id, records_of


def of_type(batch, type_):
    return next(one for one in (*batch.artifacts, *batch.executions) if one.type == type_)


def test_equal_facts_are_equal_records():
    assert records_of(training()) == records_of(training())


def test_how_long_a_check_took_is_no_fact_about_the_model():
    gate = training().gate
    slow = attrs.evolve(gate, checks=tuple(attrs.evolve(one, duration_seconds=99.0) for one in gate.checks))

    assert records_of(training(gate=slow)) == records_of(training())


def test_what_is_not_known_is_left_out():
    made = of_type(records_of(training(run=run(seconds=None, hardware="", commit=""))), "Train")

    assert not {"seconds", "hardware", "commit", "image", "energyJoules"} & set(made.properties)
    assert made.properties["resumedFromStep"] == 120


def test_a_zero_is_known():
    assert of_type(records_of(training(run=run(energy_joules=0.0))), "Train").properties["energyJoules"] == 0.0


def test_another_run_with_the_same_bytes_made_another_model():
    assert model_id("run0", MODEL) != model_id("run1", MODEL)


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    curve = [(epoch, 1 / epoch, 0.5) for epoch in range(1, 10_001)]

    found = of_type(records_of(training(curve=curve)), "Metrics").properties["curve"]

    assert len(found) == CURVE_POINTS_MAX
    assert (found[0][0], found[-1][0]) == (1, 10_000)
    assert len({point[0] for point in found}) == CURVE_POINTS_MAX


def test_without_a_gate_there_is_no_verdict_on_record():
    assert not {one.type for one in records_of(training(gate=None)).executions} & {"Gate"}
    empty = GateStatus(MODEL, False, "GateInvalid", "no checks")
    assert of_type(records_of(training(gate=empty)), "Gate").properties["passed"] is False
