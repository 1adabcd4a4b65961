"""What the trainer is told is one canonical JSON document: equal spec and run give equal bytes, on every attempt (A6).

This module does not know where a document lies.
"""

import json
from collections.abc import Mapping

import attrs
import cattrs

from windlass.operators.errors import TrainingError
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.files import canonical_json
from windlass.operators.training.softmax import Settings

__all__ = ("TrainerConfig", "parse_config", "render_config")


@attrs.frozen
class TrainerConfig:
    """One run of the softmax trainer: pinned data, the share held out, the seed, and how to descend."""

    run: str
    data: DataRecord
    seed: int
    holdout: float
    settings: Settings


def render_config(config: TrainerConfig) -> bytes:
    """The document for `config`."""
    return canonical_json(cattrs.unstructure(config))


def parse_config(content: bytes) -> TrainerConfig:
    """The configuration in a document. Raises TrainingError when it is not one."""
    try:
        found = json.loads(content)
        if not isinstance(found, Mapping):
            raise TypeError(f"expected an object, found {type(found).__name__}")
        return cattrs.structure(found, TrainerConfig)
    except (ValueError, TypeError, KeyError, cattrs.BaseValidationError) as error:
        raise TrainingError(
            f"config.json is not a configuration of this trainer: {error}", reason="StateCorrupt"
        ) from error
