"""TrainingJob: from a verified data version to a published model, through any crash.

The names are imported when they are first used: a trainer, which is a module of this package started many times, needs
no controller and no HTTP client.
"""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from windlass.operators.training.baseline import publish_baseline
    from windlass.operators.training.dataset import write_sample_table
    from windlass.operators.training.operator import setup
    from windlass.operators.training.sample import sample_job
    from windlass.operators.training.settings import TrainingSettings
    from windlass.operators.training.types import TrainingJob

__all__ = ("TrainingJob", "TrainingSettings", "publish_baseline", "sample_job", "setup", "write_sample_table")

_HOMES: Final = {
    "TrainingJob": "types",
    "TrainingSettings": "settings",
    "publish_baseline": "baseline",
    "sample_job": "sample",
    "setup": "operator",
    "write_sample_table": "dataset",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
