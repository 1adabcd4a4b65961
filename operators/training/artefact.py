"""What is published of a run is what its training wrote, whole: one ONNX file, or every file of its bundle.

This module does not know where it is published.
"""

from collections.abc import Mapping

from windlass.operators.errors import EvaluationError
from windlass.operators.training.bundle import LISTING, files_of
from windlass.operators.training.publish import Artefact
from windlass.operators.training.runfolder import ONNX, TrainingResult
from windlass.operators.training.validation import Subject, model_content

__all__ = ("artefact_of",)


def artefact_of(
    trained: Subject, result: TrainingResult, *, labels: tuple[str, ...], metadata: Mapping[str, str | int | float]
) -> Artefact:
    """The artefact of a run with its files. Blocks: all of them are read.

    Raises EvaluationError when they are no longer what training wrote.
    """
    if result.format == ONNX:
        return Artefact(result.run, model_content(trained), labels=labels, metadata=metadata)
    bundle = trained.folder.bundle
    files = files_of(bundle)
    if files is None:
        raise EvaluationError(f"{bundle.name} is no longer the bundle that training wrote")
    content = (bundle / LISTING).read_bytes()
    return Artefact(result.run, content, metadata=metadata, format=result.format, files=files)
