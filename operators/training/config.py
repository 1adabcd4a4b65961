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
from windlass.operators.training.learner import Learner
from windlass.operators.training.learners import LEARNERS

__all__ = ("TrainerConfig", "parse_config", "render_config")


@attrs.frozen
class TrainerConfig:
    """One run of a trainer: pinned data, the share held out, the seed, and the learner, which is its own settings."""

    run: str
    data: DataRecord
    seed: int
    holdout: float
    settings: Learner


@attrs.frozen
class _Written:
    """The document, whose `settings` are those of the learner that it names."""

    run: str
    data: DataRecord
    seed: int
    holdout: float
    learner: str
    settings: dict[str, float]


def render_config(config: TrainerConfig) -> bytes:
    """The document for `config`."""
    return canonical_json({**cattrs.unstructure(config), "learner": config.settings.name})


def parse_config(content: bytes) -> TrainerConfig:
    """The configuration in a document. Raises TrainingError when it is not one."""
    try:
        found = json.loads(content)
        if not isinstance(found, Mapping):
            raise TypeError(f"expected an object, found {type(found).__name__}")
        written = cattrs.structure(found, _Written)
        if written.learner not in LEARNERS:
            raise ValueError(f"learner: expected one of {', '.join(LEARNERS)}, found {written.learner!r}")
        settings: Learner = cattrs.structure(found["settings"], LEARNERS[written.learner])
        return TrainerConfig(written.run, written.data, written.seed, written.holdout, settings)
    except (ValueError, TypeError, KeyError, cattrs.BaseValidationError) as error:
        raise TrainingError(
            f"config.json is not a configuration of this trainer: {error}", reason="StateCorrupt"
        ) from error
