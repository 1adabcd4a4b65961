"""Times on record are whole seconds, and nothing that is counted from them is cut short (G5)."""

from datetime import timedelta

import attrs
import pytest
from promotions import NOW, made

from windlass.operators.promotion.moves import next_second, plan_digest, whole_second


@pytest.mark.parametrize("microseconds", [0, 1, 500_000, 999_999])
def test_a_clock_never_begins_before_its_moment(microseconds):
    moment = NOW + timedelta(microseconds=microseconds)

    assert moment <= next_second(moment) < moment + timedelta(seconds=1)
    assert next_second(moment).microsecond == 0
    assert whole_second(moment) == NOW


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"steps": [(20, "0s")]}, False),
        ({"steps": [(10, "1s")]}, False),
        ({"storage": "elsewhere"}, False),
        ({"target": {"inferenceService": {"name": "other"}}}, False),
        ({"mode": "Paused"}, True),
        ({"guards": {"failureGrace": "5m"}}, True),
        ({"gate": None}, True),
    ],
    ids=["weights", "durations", "release", "target", "mode", "guards", "gate"],
)
def test_the_plan_is_target_release_and_steps(change, same):
    steps = change.pop("steps", [(10, "0s")])

    assert (plan_digest(made(steps, **change)) == plan_digest(made([(10, "0s")]))) is same


def test_a_plan_survives_the_trip_to_a_server():
    from windlass.informers.typed import structure, unstructure
    from windlass.operators.promotion import Promotion

    promotion = made([(10, "90s"), (50, "1h")])
    back = structure(unstructure(promotion), Promotion)

    assert plan_digest(attrs.evolve(back)) == plan_digest(promotion)
