"""The block of YAML at the head of a card has the keys that model hubs read, each value a plain scalar on one line.

Keys are those of Hugging Face's model cards (`model-index` is its way to say metrics). This module does not know the
page below the block.
"""

from collections.abc import Mapping
from typing import Any, Final

import yaml

from windlass.operators.training.card.content import Card
from windlass.operators.training.card.escaping import visible

__all__ = ("front_matter",)

_TASK: Final = "tabular-classification"
_UNKNOWN_LICENSE: Final = "unknown"  # the hub's own word for it


def front_matter(card: Card) -> str:
    """The block, its two lines of dashes included."""
    name = visible(card.name)
    told: dict[str, Any] = {
        "license": visible(card.license or _UNKNOWN_LICENSE),
        "library_name": visible(card.format or "onnx"),
        "pipeline_tag": _TASK,
        "tags": ["windlass", *([visible(card.executor)] if card.executor else [])],
        "model_name": name,
    }
    # The hub's format knows numbers; whatever else was recorded as a metric stands on the page.
    numbers = {key: value for key, value in (card.metrics or {}).items() if isinstance(value, int | float)}
    if numbers:
        told["metrics"] = sorted(visible(one) for one in numbers)
        told["model-index"] = [{"name": name, "results": [_result(card, numbers)]}]
    body = yaml.dump(told, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31 - 1)
    return f"---\n{body}---\n"


def _result(card: Card, numbers: Mapping[str, float]) -> dict[str, Any]:
    dataset = {"type": "delta", "name": visible(card.dataset_uri or "unknown")}
    if card.dataset_version is not None:
        dataset["revision"] = str(card.dataset_version)
    return {
        "task": {"type": _TASK},
        "dataset": dataset,
        "metrics": [
            {"type": visible(name), "value": value, "name": visible(name)} for name, value in sorted(numbers.items())
        ],
    }


class _Dumper(yaml.SafeDumper):
    """Writes lists indented below their key, and texts that could be anything else in quotes."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """See yaml.Emitter."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Equal values are written twice, not once and a reference."""
        return True
