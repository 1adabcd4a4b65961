"""A card's content follows from the records that are connected with one model alone: no clock, no disk.

What no record says is None here, and `Not provided` on the page. This module does not know how a card looks.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import attrs

from windlass.operators.errors import MetadataError
from windlass.operators.training.metadata.lineage import Lineage, upstream
from windlass.operators.training.metadata.records import Artifact, Execution
from windlass.operators.training.metadata.store import MetadataStore

__all__ = ("Card", "CheckLine", "card_of")


T = TypeVar("T")


@attrs.frozen
class CheckLine:
    """One check of the gate, as it is shown."""

    name: str
    check: str
    required: bool
    outcome: str
    statistic: float | None
    threshold: float | None
    samples: int
    message: str


@attrs.frozen(kw_only=True)
class Card:
    """Everything that A13 asks for, as it was recorded."""

    name: str
    version: int | None = None
    sha256: str | None = None
    uri: str | None = None
    format: str | None = None
    classes: tuple[str, ...] | None = None
    description: str | None = None
    license: str | None = None
    limitations: str | None = None
    contact: str | None = None
    dataset_uri: str | None = None
    dataset_table_id: str | None = None
    dataset_version: int | None = None
    dataset_sha256: str | None = None
    dataset_rows: int | None = None
    dataset_license: str | None = None
    run_id: str | None = None
    executor: str | None = None
    attempt: int | None = None
    resumed_from_step: int | None = None
    seed: int | None = None
    started_at: str | None = None
    finished_at: str | None = None
    seconds: float | None = None
    energy_joules: float | None = None
    hardware: str | None = None
    image: str | None = None
    commit: str | None = None
    hyperparameters: Mapping[str, Any] | None = None
    metrics: Mapping[str, Any] | None = None
    metrics_rows: int | None = None
    curve: tuple[tuple[float, ...], ...] | None = None
    confusion_labels: tuple[str, ...] | None = None
    confusion_counts: tuple[tuple[int, ...], ...] | None = None
    gate_passed: bool | None = None
    gate_message: str | None = None
    checks: tuple[CheckLine, ...] = ()
    bases: tuple[str, ...] = ()


def card_of(store: MetadataStore, model_id: str) -> Card:
    """The card of a recorded model. Blocks.

    Raises MetadataError with the reason ModelNotRecorded when there is no such model, and as the store does.
    """
    model = store.artifact(model_id)
    if model is None or model.type != "Model":
        raise MetadataError(f"no model is recorded under {model_id}", reason="ModelNotRecorded")
    before = upstream(store, model_id)
    train = _made_by(before, model_id)
    data = _first(_inputs(before, train, "Dataset"))
    gate, metrics = _judged(store, model_id)
    return Card(
        **_model(model),
        **_data(data),
        **_training(train),
        **_metrics(metrics),
        **_gate(gate),
        bases=tuple(f"{one.name} ({one.digest})" for one in _inputs(before, train, "Model")),
    )


def _made_by(before: Lineage, model_id: str) -> Execution | None:
    makers = {event.execution for event in before.events if event.artifact == model_id}
    return _first([one for one in before.executions if one.id in makers and one.type == "Train"])


def _inputs(before: Lineage, execution: Execution | None, type_: str) -> list[Artifact]:
    if execution is None:
        return []
    read = {one.artifact for one in before.events if one.execution == execution.id and one.type.endswith("INPUT")}
    return [one for one in before.artifacts if one.id in read and one.type == type_]


def _judged(store: MetadataStore, model_id: str) -> tuple[Execution | None, Artifact | None]:
    """The gate that judged exactly this model, and the numbers about it; of several the last by id."""
    readers = [one.execution for one in store.events(artifact=model_id) if one.type.endswith("INPUT")]
    if not readers:
        return None, None
    executions = store.executions(ids=sorted(set(readers)))
    gates = [one for one in executions if one.type == "Gate"]
    made = [
        event.artifact
        for one in executions
        if one.type == "Evaluate"
        for event in store.events(execution=one.id)
        if event.type.endswith("OUTPUT")
    ]
    numbers = [one for one in store.artifacts(ids=sorted(made)) if one.type == "Metrics"] if made else []
    return (gates[-1] if gates else None), (numbers[-1] if numbers else None)


def _model(model: Artifact) -> dict[str, Any]:
    given = model.properties
    classes = given.get("classes")
    return {
        "name": model.name,
        "version": given.get("version"),
        "sha256": model.digest or None,
        "uri": model.uri or None,
        "format": given.get("format"),
        "classes": None if classes is None else tuple(str(one) for one in classes),
        **{name: given.get(name) for name in ("description", "license", "limitations", "contact")},
    }


def _data(data: Artifact | None) -> dict[str, Any]:
    if data is None:
        return {}
    return {
        "dataset_uri": data.uri or None,
        "dataset_table_id": data.properties.get("tableId"),
        "dataset_version": data.properties.get("version"),
        "dataset_sha256": data.digest or None,
        "dataset_rows": data.properties.get("rows"),
        "dataset_license": data.properties.get("license"),
    }


def _training(train: Execution | None) -> dict[str, Any]:
    if train is None:
        return {}
    given = train.properties
    names = ("executor", "attempt", "seed", "seconds", "hardware", "image", "commit", "hyperparameters")
    return {
        **{name: given.get(name) for name in names},
        "run_id": given.get("runId"),
        "resumed_from_step": given.get("resumedFromStep"),
        "energy_joules": given.get("energyJoules"),
        "started_at": None if train.started_at is None else train.started_at.isoformat(),
        "finished_at": None if train.finished_at is None else train.finished_at.isoformat(),
    }


def _metrics(metrics: Artifact | None) -> dict[str, Any]:
    if metrics is None:
        return {}
    given = metrics.properties
    curve, confusion = given.get("curve"), given.get("confusion")
    found: dict[str, Any] = {"metrics": given.get("values"), "metrics_rows": given.get("rows")}
    if curve:
        found["curve"] = tuple(tuple(float(number) for number in point) for point in curve)
    if confusion:
        found["confusion_labels"] = tuple(str(one) for one in confusion["labels"])
        found["confusion_counts"] = tuple(tuple(int(count) for count in row) for row in confusion["counts"])
    return found


def _gate(gate: Execution | None) -> dict[str, Any]:
    if gate is None:
        return {}
    lines = tuple(
        CheckLine(
            name=str(one["name"]),
            check=str(one["check"]),
            required=bool(one["required"]),
            outcome=str(one["outcome"]),
            statistic=one.get("statistic"),
            threshold=one.get("threshold"),
            samples=int(one.get("samples", 0)),
            message=str(one["message"]),
        )
        for one in gate.properties.get("checks", ())
    )
    return {
        "gate_passed": gate.properties.get("passed"),
        "gate_message": gate.properties.get("message"),
        "checks": lines,
    }


def _first(found: Sequence[T]) -> T | None:
    return found[0] if found else None
