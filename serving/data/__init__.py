"""The data pipeline: CSV tables and images as numpy batches, in bounded memory, resumable to the byte.

The same code reads for training and transforms behind the endpoint; a digest proves that it is the same.
"""

from windlass.serving.data.digests import digest_of_arrays
from windlass.serving.data.errors import (
    BadRow,
    DataProblem,
    LibraryMissing,
    SchemaError,
    Skew,
    StateMismatch,
    Unreadable,
)
from windlass.serving.data.fitting import Categories, Numbers, fit
from windlass.serving.data.imagepipeline import ImagePipeline
from windlass.serving.data.imagereader import ImageReader, ImageReading
from windlass.serving.data.images import Pictures, decode_image, read_image
from windlass.serving.data.pipeline import Pipeline
from windlass.serving.data.prefetch import prefetched
from windlass.serving.data.quarantine import QuarantineFile
from windlass.serving.data.reader import Batch, Reader, Reading, State
from windlass.serving.data.schema import MISSING, Column, Schema, Table
from windlass.serving.data.transformer import Preprocessed, preprocessed

__all__ = (
    "MISSING",
    "BadRow",
    "Batch",
    "Categories",
    "Column",
    "DataProblem",
    "ImagePipeline",
    "ImageReader",
    "ImageReading",
    "LibraryMissing",
    "Numbers",
    "Pictures",
    "Pipeline",
    "Preprocessed",
    "QuarantineFile",
    "Reader",
    "Reading",
    "Schema",
    "SchemaError",
    "Skew",
    "State",
    "StateMismatch",
    "Table",
    "Unreadable",
    "decode_image",
    "digest_of_arrays",
    "fit",
    "prefetched",
    "preprocessed",
    "read_image",
)
