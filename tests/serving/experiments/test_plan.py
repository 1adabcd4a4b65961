"""A plan that cannot be meant cannot be made."""

import math

import attrs
import pytest

from windlass.serving.errors import RouteError
from windlass.serving.experiments.plan import Experiment, Fuse, Goal, Guardrail

PLAN = Experiment("e", "a", "b")


def test_every_fault_is_told_at_once():
    with pytest.raises(RouteError) as caught:
        Experiment(
            "",
            "a",
            "a",
            alpha=1.0,
            goal=Goal(effect=0.0, margin=-1.0),
            guardrails=(Guardrail(tolerance=1.0),),
            fuse=Fuse(0, 0.0, 0),
            samples_min=49,
            samples_max=97,
            duration_min_seconds=2.0,
            duration_max_seconds=1.0,
            slow_seconds=math.inf,
            step_seconds=math.nan,
            steps=(10, 5, 101),
        )
    assert caught.value.faults == (
        "experiment.name: expected a name, found nothing",
        "experiment.treatment: expected another arm than the control, found 'a' twice",
        "experiment.alpha: expected more than 0 and less than 1, found 1.0",
        "experiment.samples_min: expected at least 50, found 49",
        "experiment.samples_max: expected at least twice samples_min, found 97",
        "experiment.steps: expected rising percents from 1 to 100, found [10, 5, 101]",
        "experiment.slow_seconds: expected a finite number above 0, found inf",
        "experiment.step_seconds: expected a finite number above 0, found nan",
        "experiment.duration_min_seconds: expected 0 to duration_max_seconds, found 2.0",
        "experiment.goal.effect: expected a number from 1e-09 to 1e+09, found 0.0",
        "experiment.goal.margin: expected a number from 0 to 1e+09, found -1.0",
        "experiment.guardrails[0].tolerance: expected 0 to below 1, found 1.0",
        "experiment.fuse: expected counts of at least 1, found 0 and 0",
        "experiment.fuse.rate: expected more than 0 and at most 1, found 0.0",
    )


@pytest.mark.parametrize("tolerance", [0.0, 10.1, math.nan])
def test_a_guardrail_of_drift_says_how_far_is_too_far(tolerance):
    """T13: any new model differs, so that 0, which suits rates, would forbid every one."""
    with pytest.raises(RouteError) as caught:
        attrs.evolve(PLAN, guardrails=(Guardrail("errors"), Guardrail("drift", tolerance)))
    (fault,) = caught.value.faults
    assert fault == (
        "experiment.guardrails[1].tolerance: expected for drift an index above 0 and at most 10, such as 0.25, "
        f"found {tolerance}"
    )
    assert attrs.evolve(PLAN, guardrails=(Guardrail("drift", 0.25),)).watches_predictions


def test_guardrails_share_alpha():
    """T18."""
    three = attrs.evolve(PLAN, guardrails=(Guardrail("errors"), Guardrail("slow"), Guardrail("slow", 0.1)))
    assert three.guardrail_alpha == pytest.approx(0.05 / 3)
    assert attrs.evolve(PLAN, guardrails=()).guardrail_alpha == 0.05
