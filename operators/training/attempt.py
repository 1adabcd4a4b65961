"""The attempt on record is all that anybody works on: an executor, and what comes after the training.

Pure. This module does not know who works.
"""

from windlass.operators.training.executors.contract import Run, Workbench
from windlass.operators.training.queues.kueue import local_queue_in
from windlass.operators.training.types import RunStatus, TrainingJob

__all__ = ("attempt_of", "recorded_run")


def recorded_run(job: TrainingJob) -> RunStatus:
    """The run of the job. Raises RuntimeError if there is none, which is a bug here."""
    if job.status.run is None:
        raise RuntimeError(f"{job.key} has no run on record")
    return job.status.run


def attempt_of(job: TrainingJob, workbench: Workbench) -> Run:
    """The latest attempt of the run, as executors know it. Raises RuntimeError as `recorded_run` does."""
    recorded = recorded_run(job)
    if job.status.data is None:
        raise RuntimeError(f"{job.key} has a run on record but no data")
    return Run(
        job.key,
        recorded.id,
        recorded.op_id,
        recorded.attempt,
        job.status.data,
        uid=job.metadata.uid,
        generation=recorded.generation,
        resume_step=recorded.resumed_from_step,
        output_uri=workbench.output_uri(recorded.id),
        child=job.status.attempts[-1].child if job.status.attempts else None,
        local_queue=local_queue_in(recorded.queue),
    )
