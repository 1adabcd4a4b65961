"""The page below the front matter has every field that A13 asks for, and says of those not recorded: Not provided.

Pure: a card gives the same bytes each time. This module does not know the store or the disk.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from windlass.operators.training.card.content import Card
from windlass.operators.training.card.escaping import NOT_PROVIDED, inline, prose
from windlass.operators.training.card.frontmatter import front_matter

__all__ = ("CONFUSION_FILE", "LOSS_FILE", "page")

LOSS_FILE: Final = "loss.svg"
CONFUSION_FILE: Final = "confusion.svg"


def page(card: Card, *, figures: Iterable[str] = ()) -> str:
    """The whole of README.md. `figures` are the files that lie beside it, of those that a card can have."""
    there = frozenset(figures)
    sections = (
        f"# {inline(card.name)}",
        _section("Description", prose(card.description or "")),
        _section("Model", _table(_model(card))),
        _section("Data", _table(_data(card))),
        _section("Training", _table(_training(card))),
        _section("Hyperparameters", _table(_pairs(card.hyperparameters))),
        _section("Metrics", _table((("Held-out rows", card.metrics_rows), *_pairs(card.metrics)))),
        _section("Loss", _figure(LOSS_FILE, "Loss and accuracy by epoch", there)),
        _section("Confusion matrix", _figure(CONFUSION_FILE, "Confusion matrix on the held-out rows", there)),
        _section("Validation gate", _gate(card)),
        _section("Limitations", prose(card.limitations or "")),
        _section("Contact", prose(card.contact or "")),
    )
    return front_matter(card) + "\n" + "\n\n".join(sections) + "\n"


def _model(card: Card) -> Iterable[tuple[str, object]]:
    yield "Name", card.name
    yield "Version", card.version
    yield "SHA-256", card.sha256
    yield "Format", card.format
    yield "Classes", None if card.classes is None else ", ".join(card.classes)
    yield "Published at", card.uri
    yield "Made from", "; ".join(card.bases) or None
    yield "License", card.license


def _data(card: Card) -> Iterable[tuple[str, object]]:
    yield "URI", card.dataset_uri
    yield "Table id", card.dataset_table_id
    yield "Version", card.dataset_version
    yield "Digest of the files", card.dataset_sha256
    yield "Rows", card.dataset_rows
    yield "License", card.dataset_license


def _training(card: Card) -> Iterable[tuple[str, object]]:
    yield "Run id", card.run_id
    yield "Executor", card.executor
    yield "Attempt", card.attempt
    yield "Resumed from step", card.resumed_from_step
    yield "Seed", card.seed
    yield "Started", card.started_at
    yield "Finished", card.finished_at
    yield "Training time in seconds", card.seconds
    yield "Hardware", card.hardware
    yield "Energy in joules", card.energy_joules
    yield "Image digest", card.image
    yield "Git commit", card.commit


def _gate(card: Card) -> str:
    if card.gate_passed is None:
        return NOT_PROVIDED
    verdict = "Passed" if card.gate_passed else "Not passed"
    lines = [f"**{verdict}.** {inline(card.gate_message or '')}"]
    if card.checks:
        head = ("Check", "Kind", "Required", "Outcome", "Statistic", "Threshold", "Samples", "Message")
        rows = [
            (
                one.name,
                one.check,
                "yes" if one.required else "no",
                one.outcome,
                one.statistic,
                one.threshold,
                one.samples,
                one.message,
            )
            for one in card.checks
        ]
        lines.append("\n".join([_row(head), _row(["---"] * len(head), raw=True), *(_row(row) for row in rows)]))
    return "\n\n".join(lines)


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}"


def _table(pairs: Iterable[tuple[str, object]]) -> str:
    rows = list(pairs)
    if not rows:
        return NOT_PROVIDED
    return "\n".join([_row(("Field", "Value")), _row(("---", "---"), raw=True), *(_row(pair) for pair in rows)])


def _row(cells: Iterable[object], *, raw: bool = False) -> str:
    return f"| {' | '.join(str(one) if raw else _cell(one) for one in cells)} |"


def _cell(value: object) -> str:
    if value is None:
        return NOT_PROVIDED
    if isinstance(value, str):
        return inline(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return repr(value)
    return inline(json.dumps(value, sort_keys=True, ensure_ascii=False))


def _pairs(values: Mapping[str, Any] | None) -> tuple[tuple[str, object], ...]:
    return tuple(sorted((values or {}).items()))


def _figure(file: str, title: str, there: frozenset[str]) -> str:
    return f"![{title}]({file})" if file in there else NOT_PROVIDED
