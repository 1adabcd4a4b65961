"""What is recorded of a training follows from its facts alone: the same facts give the same records under the same ids.

Every time is one of the facts, none is the clock's (A13). What is not known is left out, and a card says so. This
module does not know where facts come from or records go.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import attrs

from windlass.manifests.markers import MaxLength
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.gate.types import GateStatus
from windlass.operators.training.metadata.records import (
    Artifact,
    Association,
    Batch,
    Context,
    Event,
    Execution,
    record_id,
)

__all__ = (
    "CURVE_POINTS_MAX",
    "Confusion",
    "Descriptions",
    "ModelFacts",
    "RunFacts",
    "TrainingFacts",
    "dataset_id",
    "model_id",
    "records_of",
)

CURVE_POINTS_MAX: Final = 512


@attrs.frozen(kw_only=True)
class RunFacts:
    """One run: who ran what, how, when and on what. None and empty texts are not known."""

    id: str
    executor: str
    attempt: int
    seed: int
    hyperparameters: Mapping[str, Any]
    started_at: datetime
    finished_at: datetime | None
    resumed_from_step: int = 0
    seconds: float | None = None
    energy_joules: float | None = None
    hardware: str = ""
    image: str = ""
    commit: str = ""


@attrs.frozen(kw_only=True)
class ModelFacts:
    """The published model; `classes` are its labels in the order of its outputs."""

    name: str
    version: int
    sha256: str
    uri: str
    classes: tuple[str, ...] = ()
    format: str = "onnx"


@attrs.frozen
class Confusion:
    """How often each label (row) was answered with each label (column)."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@attrs.frozen(kw_only=True)
class Descriptions:
    """What only people know and a model card should say; an empty text is not known."""

    description: Annotated[str, MaxLength(4096)] = ""
    license: Annotated[str, MaxLength(256)] = ""
    limitations: Annotated[str, MaxLength(4096)] = ""
    contact: Annotated[str, MaxLength(256)] = ""
    dataset_license: Annotated[str, MaxLength(256)] = ""


@attrs.frozen(kw_only=True)
class TrainingFacts:
    """Everything about one training that ended with a model.

    `curve` has (epoch, loss, accuracy) of the epochs, `figures` what was measured on held-out rows beside the accuracy.
    """

    namespace: str
    job: str
    uid: str
    data: DataRecord
    run: RunFacts
    model: ModelFacts
    accuracy: float
    holdout: float
    rows: int
    curve: Sequence[tuple[int, float, float]] = ()
    confusion: Confusion | None = None
    gate: GateStatus | None = None
    told: Descriptions = Descriptions()
    figures: Mapping[str, float] = attrs.field(factory=dict)


def dataset_id(data: DataRecord) -> str:
    """The id of a pinned data version."""
    return record_id("artifact", "Dataset", data.uri, data.table_id, data.version, data.files_sha256)


def model_id(run: str, sha256: str) -> str:
    """The id of the model that a run made. Another run that made the same bytes made another model."""
    return record_id("artifact", "Model", run, sha256)


def records_of(facts: TrainingFacts) -> Batch:
    """Data, run, model, numbers and verdict, and how they hang together."""
    made = _training(facts) | _evaluation(facts)
    if facts.gate is not None:
        made |= _gate(facts, facts.gate)
    experiment = record_id("context", "Experiment", facts.uid)
    run = record_id("context", "Run", facts.run.id)
    named = {"namespace": facts.namespace, "job": facts.job, "uid": facts.uid}
    contexts = (
        Context(experiment, "Experiment", f"{facts.namespace}/{facts.job}", named),
        Context(run, "Run", facts.run.id, {"runId": facts.run.id}),
    )
    # The data belongs to nobody: others are trained on it, too.
    members = [one.id for one in made.artifacts if one.type != "Dataset"] + [one.id for one in made.executions]
    belongs = tuple(Association(context, member) for context in (experiment, run) for member in members)
    return made | Batch(contexts=contexts, associations=belongs)


def _training(facts: TrainingFacts) -> Batch:
    run, data, model, told = facts.run, facts.data, facts.model, facts.told
    dataset = Artifact(
        dataset_id(data),
        "Dataset",
        data.uri,
        data.uri,
        data.files_sha256,
        properties=_known(
            tableId=data.table_id,
            version=data.version,
            rows=data.rows,
            files=data.num_files,
            license=told.dataset_license,
        ),
    )
    trained = Artifact(
        model_id(run.id, model.sha256),
        "Model",
        model.name,
        model.uri,
        model.sha256,
        run.finished_at,
        _known(
            version=model.version,
            format=model.format,
            classes=list(model.classes) or None,
            license=told.license,
            limitations=told.limitations,
            contact=told.contact,
            description=told.description,
        ),
    )
    execution = Execution(
        record_id("execution", "Train", run.id),
        "Train",
        run.id,
        "COMPLETE",
        run.started_at,
        run.finished_at,
        _known(
            runId=run.id,
            attempt=run.attempt,
            executor=run.executor,
            seed=run.seed,
            hyperparameters=dict(run.hyperparameters),
            hardware=run.hardware,
            image=run.image,
            commit=run.commit,
            seconds=run.seconds,
            energyJoules=run.energy_joules,
            resumedFromStep=run.resumed_from_step,
        ),
    )
    events = (Event(execution.id, dataset.id, "INPUT"), Event(execution.id, trained.id, "OUTPUT"))
    return Batch((dataset, trained), (execution,), events=events)


def _evaluation(facts: TrainingFacts) -> Batch:
    run, model = facts.run.id, model_id(facts.run.id, facts.model.sha256)
    confusion = facts.confusion
    metrics = Artifact(
        record_id("artifact", "Metrics", run, facts.model.sha256, "held out"),
        "Metrics",
        "held out",
        properties=_known(
            values={"accuracy": facts.accuracy, **facts.figures},
            rows=facts.rows,
            split="held out",
            curve=[list(point) for point in _thinned(facts.curve)] or None,
            confusion=None
            if confusion is None
            else {"labels": list(confusion.labels), "counts": [list(row) for row in confusion.counts]},
        ),
    )
    execution = Execution(
        record_id("execution", "Evaluate", run, facts.model.sha256),
        "Evaluate",
        f"{run} on held-out rows",
        "COMPLETE",
        properties={"runId": run, "holdout": facts.holdout},
    )
    events = (
        Event(execution.id, model, "INPUT", "model"),
        Event(execution.id, dataset_id(facts.data), "INPUT", "data"),
        Event(execution.id, metrics.id, "OUTPUT"),
    )
    return Batch((metrics,), (execution,), events=events)


def _gate(facts: TrainingFacts, gate: GateStatus) -> Batch:
    """The verdict and the evidence of each check; what took how long is no fact about the model."""
    execution = Execution(
        record_id("execution", "Gate", facts.run.id, gate.model_sha256, *[one.evidence_sha256 for one in gate.checks]),
        "Gate",
        f"gate of {facts.run.id}",
        "COMPLETE",
        properties={
            "passed": gate.passed,
            "reason": gate.reason,
            "message": gate.message,
            "checks": [attrs.asdict(attrs.evolve(one, duration_seconds=0.0)) for one in gate.checks],
        },
    )
    evidence = tuple(
        Artifact(
            record_id("artifact", "Evidence", one.evidence_sha256),
            "Evidence",
            one.evidence_sha256,
            digest=one.evidence_sha256,
            properties={"check": one.check, "outcome": one.outcome},
        )
        for one in gate.checks
    )
    events = (
        Event(execution.id, model_id(facts.run.id, facts.model.sha256), "INPUT"),
        *(Event(execution.id, one.id, "OUTPUT", two.name) for one, two in zip(evidence, gate.checks, strict=True)),
    )
    return Batch(evidence, (execution,), events=events)


def _thinned(curve: Sequence[tuple[int, float, float]]) -> Sequence[tuple[int, float, float]]:
    """At most so many points, evenly chosen, the last one always among them."""
    if len(curve) <= CURVE_POINTS_MAX:
        return curve
    last = len(curve) - 1
    return [curve[round(index * last / (CURVE_POINTS_MAX - 1))] for index in range(CURVE_POINTS_MAX)]


def _known(**given: Any) -> dict[str, Any]:
    """Without what is not known: None and empty texts."""
    return {name: value for name, value in given.items() if value is not None and value != ""}
