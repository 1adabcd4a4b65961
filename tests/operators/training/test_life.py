"""What begins a life of a job, and what only steers it (G3, C-25)."""

from datetime import timedelta

import attrs
import pytest
from training_jobs import RUN, edited, job_in, new_job, with_new_spec, write

from windlass.informers.typed import structure, unstructure
from windlass.operators.training.life import STEERING, same_life, work_digest
from windlass.operators.training.types import Output, Retries, TrainingJob, TrainingJobSpec, Validation

STEERED = {
    "suspend": True,
    "cancel": True,
    "active_deadline_seconds": 60,
    "queue": "night",
    "priority": 3,
    "ttl_seconds_after_finished": 60,
    "retry_generation": 0,
    "retries": Retries(limit=0, base=timedelta(0)),
}
WORK = {
    "executor": "mlp",
    "seed": 8,
    "hyperparameters": {"epochs": 3},
    "output": Output("other"),
    "validation": Validation(0.3),
}


@pytest.mark.parametrize("field", sorted(STEERED))
def test_steering_a_finished_job_does_not_begin_it_anew(field):
    job = job_in("Succeeded")

    assert same_life(edited(job, **{field: STEERED[field]}))
    assert work_digest(job.spec) == work_digest(attrs.evolve(job.spec, **{field: STEERED[field]}))


def test_every_field_that_steers_is_one_of_the_spec_and_is_tried_here():
    assert set(STEERED) == STEERING
    assert {field.name for field in attrs.fields(TrainingJobSpec)} >= STEERING


@pytest.mark.parametrize("field", sorted(WORK))
def test_other_work_is_another_life(field):
    assert not same_life(edited(job_in("Succeeded"), **{field: WORK[field]}))


def test_a_retry_generation_that_is_lowered_begins_nothing_and_the_next_rise_does():
    """G3: a manifest that was put back is no wish to train again."""
    again = write(edited(job_in("Succeeded"), retry_generation=2), discarded=frozenset({RUN}))
    assert (again.status.phase, again.status.retry_generation) == ("VerifyingData", 2)

    lowered = edited(again, retry_generation=1)
    assert same_life(lowered)
    seen = write(lowered)
    assert (seen.status.phase, seen.status.retry_generation) == ("VerifyingData", 1)

    assert same_life(edited(seen, retry_generation=1))
    assert not same_life(edited(seen, retry_generation=2))


def test_a_default_that_is_spelt_out_is_the_same_work():
    """A newer version of the kind has more fields, and may not begin finished jobs anew."""
    job = new_job()
    written = unstructure(job)
    written["spec"] |= {"retryGeneration": 0, "card": {}, "gate": None}
    written["spec"]["validation"] |= {"minAccuracy": job.spec.validation.min_accuracy}

    assert work_digest(job.spec) == work_digest(structure(written, TrainingJob).spec)


def test_an_unchanged_generation_is_the_same_life_whatever_the_digest_was_made_of():
    job = job_in("Succeeded")

    assert same_life(attrs.evolve(job, status=attrs.evolve(job.status, work_digest="of an older version")))


def test_a_job_that_nobody_has_looked_at_has_no_life_yet():
    assert not same_life(new_job())


def test_work_that_was_changed_and_changed_back_before_anybody_looked_is_the_same_life():
    job = job_in("Running")

    assert same_life(edited(with_new_spec(job), seed=job.spec.seed))
