"""What a training ended with is evaluated, judged, published and described, each time from its folder alone.

So each of these can be done again, with the same answer. This module does not know in which order they are due.
"""

import asyncio

import attrs

from windlass.controller.context import Context
from windlass.operators.errors import EvaluationError
from windlass.operators.training.archive import Archive, Ended
from windlass.operators.training.artefact import artefact_of
from windlass.operators.training.attempt import attempt_of, recorded_run
from windlass.operators.training.executors.contract import Fault, Workbench
from windlass.operators.training.gate.assembly import Judged, subject_of
from windlass.operators.training.gate.experiment import KatibCluster
from windlass.operators.training.gate.judging import Deliberating, Judging
from windlass.operators.training.gate.runner import run_gate
from windlass.operators.training.gate.subject import Subject as JudgedSubject
from windlass.operators.training.gate.types import GateSpec, GateStatus
from windlass.operators.training.metadata.store import MetadataStore
from windlass.operators.training.publish import Published, publish
from windlass.operators.training.runfolder import ONNX, TrainingResult
from windlass.operators.training.settings import TrainingSettings
from windlass.operators.training.types import API_VERSION, TrainingJob
from windlass.operators.training.validation import Evaluation, Subject, evaluate, told_evaluation

__all__ = ("Outcome",)


class Outcome:
    """The ends of trainings whose folders lie on the workbench.

    What is no coroutine blocks, and raises TrainingError.
    """

    def __init__(self, settings: TrainingSettings, workbench: Workbench, judging: Judging) -> None:
        self._settings = settings
        self._workbench = workbench
        self._judging = judging

    def evaluate(self, job: TrainingJob) -> Evaluation:
        """How right the model is about the rows that were held out."""
        trained, result = self._trained(job)
        return evaluate(trained) if result.format == ONNX else told_evaluation(trained, result.held_out)

    async def judge(self, ctx: Context, job: TrainingJob) -> GateStatus | Deliberating | Fault:
        """The gate's verdict, if there is one by now."""
        run, gate = attempt_of(job, self._workbench), job.spec.gate or GateSpec()

        async def carry_out() -> GateStatus:
            subject = await asyncio.to_thread(self._assembled, job)
            if self._settings.katib:
                cluster = KatibCluster(ctx.api, job.metadata.namespace, _owner(job), asyncio.get_running_loop())
                subject = attrs.evolve(subject, cluster=cluster)
            folder = self._settings.evidence / run.id
            return await run_gate(gate, subject, registry=self._settings.checks, evidence=folder)

        return await self._judging.judge(job.key, run.id, carry_out)

    def publish(self, job: TrainingJob) -> Published:
        """Put the model into the repository, as its next version unless it is there."""
        data = attempt_of(job, self._workbench).data
        trained, result = self._trained(job)
        metadata: dict[str, str | int | float] = {
            "job": str(job.key),
            "dataUri": data.uri,
            "dataTableId": data.table_id,
            "dataVersion": data.version,
            "dataFilesSha256": data.files_sha256,
        }
        if job.status.validation is not None:
            metadata |= {"accuracy": job.status.validation.accuracy, "heldOutRows": job.status.validation.rows}
        labels = tuple(str(label) for label in result.classes)
        artefact = artefact_of(trained, result, labels=labels, metadata=metadata)
        self._assembled(job)  # so that a model which cannot be described is not published
        return publish(self._settings.models, job.spec.output.model, artefact)

    def write_card(self, job: TrainingJob) -> str:
        """Keep the metadata and the card; where the card is."""
        trained, result = self._trained(job)
        archive = Archive(MetadataStore(self._settings.metadata), self._settings.cards)
        return archive.keep(job, Ended(trained.folder, result, self._assembled(job)))

    def _trained(self, job: TrainingJob) -> tuple[Subject, TrainingResult]:
        run = attempt_of(job, self._workbench)
        folder = self._workbench.folder(run.id)
        result = folder.result()
        if result is None:
            raise EvaluationError(f"the result of run {run.id} is gone from {folder.path}")
        return Subject(
            folder, result.model_sha256, run.data, seed=job.spec.seed, holdout=job.spec.validation.holdout
        ), result

    def _assembled(self, job: TrainingJob) -> JudgedSubject:
        trained, result = self._trained(job)
        return subject_of(
            Judged(
                trained=trained,
                classes=result.classes,
                executor=recorded_run(job).executor,
                hyperparameters=job.spec.hyperparameters,
                published=self._settings.models / job.spec.output.model,
                format=result.format,
            )
        )


def _owner(job: TrainingJob) -> dict[str, object]:
    owner = {"apiVersion": API_VERSION, "kind": "TrainingJob", "name": job.metadata.name, "uid": job.metadata.uid}
    return {**owner, "controller": True}
