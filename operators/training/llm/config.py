"""What the program that tunes is told is one canonical JSON document: equal spec and run, equal bytes (A6).

This module does not know where a document lies.
"""

import json
from collections.abc import Mapping

import attrs
import cattrs

from windlass.operators.errors import TrainingError
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.files import canonical_json

__all__ = ("Settings", "TuningConfig", "parse_tuning", "render_tuning")


@attrs.frozen
class Settings:
    """How to tune: AdamW on adapters of `rank`, scaled by `alpha / rank`, with minibatches of `batch_size` examples.

    The rate rises evenly for `warmup_steps` steps and then stays. The gradient is scaled down to the norm
    `gradient_clip` where it is longer. Examples are cut after `max_length` tokens. A checkpoint is made every
    `checkpoint_steps` steps and after each epoch.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    rank: int
    alpha: float
    dropout: float
    max_length: int
    warmup_steps: int
    gradient_clip: float
    checkpoint_steps: int


@attrs.frozen
class TuningConfig:
    """One run: pinned data, the share held out, the seed, the folder of the base model, and how to tune it.

    `merge` asks for the whole model with the adapter in it, beside the adapter.
    """

    run: str
    data: DataRecord
    seed: int
    holdout: float
    model: str
    merge: bool
    settings: Settings


def render_tuning(config: TuningConfig) -> bytes:
    """The document for `config`."""
    return canonical_json(cattrs.unstructure(config))


def parse_tuning(content: bytes) -> TuningConfig:
    """The configuration in a document. Raises TrainingError when it is not one."""
    try:
        found = json.loads(content)
        if not isinstance(found, Mapping):
            raise TypeError(f"expected an object, found {type(found).__name__}")
        return cattrs.structure(found, TuningConfig)
    except (ValueError, TypeError, KeyError, cattrs.BaseValidationError) as error:
        raise TrainingError(
            f"config.json is not a configuration of this trainer: {error}", reason="StateCorrupt"
        ) from error
