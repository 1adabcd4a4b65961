"""What a language model must prove beside the accuracy of its tokens, as measured, or it fails (B1)."""

import attrs
import pytest
from training_jobs import condition, job_in, write

from windlass.operators.training.types import Validation
from windlass.operators.training.validation import Evaluation


def judged(found, **asked):
    job = job_in("Validating")
    validation = Validation(**{"min_accuracy": 0.5} | asked)
    return write(attrs.evolve(job, spec=attrs.evolve(job.spec, validation=validation)), evaluation=found)


@pytest.mark.parametrize(
    ("asked", "passes"),
    [
        ({}, True),
        ({"max_loss": 1.25}, True),
        ({"max_loss": 1.25 - 1e-12}, False),
        ({"min_exact_match": 0.4}, True),
        ({"min_exact_match": 0.4 + 1e-12}, False),
        ({"max_loss": 2.0, "min_exact_match": 0.1}, True),
        ({"max_loss": 2.0, "min_exact_match": 0.9}, False),
        ({"max_loss": 1.0, "min_accuracy": 0.0}, False),
        ({"max_loss": 2.0, "min_accuracy": 0.7}, False),
    ],
)
def test_every_bound_that_is_asked_for_must_be_kept(asked, passes):
    job = judged(Evaluation(0.6, 40, "sha", 1.25, 0.4), **asked)

    assert (job.status.phase == "Failed", job.status.validation.passed) == (not passes, passes)
    assert (job.status.validation.loss, job.status.validation.exact_match) == (1.25, 0.4)


@pytest.mark.parametrize("asked", [{"max_loss": 100.0}, {"min_exact_match": 0.0}])
def test_what_is_asked_for_and_was_not_measured_is_not_proved(asked):
    job = judged(Evaluation(0.6, 40, "sha"), **asked)

    assert (job.status.phase, condition(job, "Validated").reason) == ("Failed", "ValidationFailed")
    assert "measured and" in condition(job, "Validated").message


@pytest.mark.parametrize("found", [(0.6, 40, "sha", float("nan"), 0.4), (0.6, 40, "sha", 1.0, float("inf"))])
def test_a_figure_that_is_no_number_never_passes(found):
    job = judged(Evaluation(*found))

    assert (job.status.phase, condition(job, "Validated").reason) == ("Failed", "EvaluationFailed")
    assert job.status.validation is None


def test_all_figures_are_told():
    job = judged(Evaluation(0.6, 40, "sha", 1.25, 0.4), max_loss=2.0, min_exact_match=0.1)

    assert condition(job, "Validated").message == (
        "accuracy 0.6000 on 40 held-out rows, at least 0.5 was asked for, loss 1.2500, at most 2 was asked for, "
        "exact matches 0.4000, at least 0.1 was asked for"
    )
