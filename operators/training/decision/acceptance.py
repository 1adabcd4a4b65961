"""A job is accepted once nothing of an older run is left, and its data is pinned before there is a run (A3, A4).

This module does not know what is trained.
"""

import attrs

from windlass.operators.telling import counted
from windlass.operators.training import phases
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.decision.facts import Decision, Discard, Facts, Verify, WithdrawPromotion
from windlass.operators.training.decision.moves import fail, fail_or_retry, move
from windlass.operators.training.life import work_digest
from windlass.operators.training.types import TrainingJob
from windlass.statemachine.conditions import Condition

__all__ = ("accept", "verify")


def accept(job: TrainingJob, facts: Facts) -> Decision:
    """Forget the older run; then accept the spec or refuse it."""
    # The record of the older run is overwritten only once nothing of it is left to be forgotten.
    older = job.status.run
    if older is not None and older.id not in facts.discarded:
        return Discard((older.id,))
    promotion = job.status.promotion
    if promotion is not None and promotion.finished_at is None and not facts.withdrawn:
        return WithdrawPromotion()  # of a model that is about to be trained anew (A14)
    fresh = attrs.evolve(
        job.status,
        observed_generation=job.metadata.generation,
        life_generation=job.metadata.generation,
        work_digest=work_digest(job.spec),
        retry_generation=job.spec.retry_generation,
        operator=facts.operator,
        phase="Pending",
        conditions=(),
        run=None,
        attempts=(),
        hardware=None,
        progress=None,
        validation=None,
        gate=None,
        model=None,
        promotion=None,
    )
    fresh_job = attrs.evolve(job, status=fresh)
    if facts.refusal is not None:
        return fail(fresh_job, facts, phases.ACCEPTED, facts.refusal)
    accepted = Condition(phases.ACCEPTED, "True", "Accepted", f"by the executor {job.spec.executor}")
    return move(fresh_job, facts, "accept", accepted)


def verify(job: TrainingJob, facts: Facts) -> Decision:
    """Pin the version of the data."""
    found = facts.data
    if found is None:
        return Verify(_expected_table_id(job))
    if isinstance(found, DataRecord):
        message = f"version {found.version} of table {found.table_id}: "
        message += f"{counted(found.rows, 'row')} in {counted(found.num_files, 'file')}"
        verified = Condition(phases.DATA_VERIFIED, "True", "Verified", message)
        return move(job, facts, "pin", verified, data=found)
    return fail_or_retry(job, facts, phases.DATA_VERIFIED, found)


def _expected_table_id(job: TrainingJob) -> str | None:
    """What the spec demands, or else what an earlier run of this job pinned at the same place (A4)."""
    pinned = job.status.data
    if job.spec.data.table_id is not None:
        return job.spec.data.table_id
    return pinned.table_id if pinned is not None and pinned.uri == job.spec.data.uri else None
