"""TrainingJob: from a verified data version to a published model, through any crash."""

from windlass.operators.training.dataset import write_sample_table
from windlass.operators.training.operator import setup
from windlass.operators.training.sample import sample_job
from windlass.operators.training.settings import TrainingSettings
from windlass.operators.training.types import TrainingJob

__all__ = ("TrainingJob", "TrainingSettings", "sample_job", "setup", "write_sample_table")
