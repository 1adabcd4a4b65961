"""A document is of one kind of pipeline: of columns when it has a schema, of images when it has pictures."""

from typing import Any

import msgspec

from windlass.serving.data.errors import SchemaError
from windlass.serving.data.imagepipeline import ImagePipeline
from windlass.serving.data.pipeline import Pipeline

__all__ = ("read_fitted",)


class _Kind(msgspec.Struct):
    pictures: Any = None


_KIND = msgspec.json.Decoder(_Kind)


def read_fitted(content: bytes, *, digest: str | None = None) -> Pipeline | ImagePipeline:
    """The pipeline of a document. Raises SchemaError for what is none, Skew when its digest is another one here."""
    try:
        kind = _KIND.decode(content)
    except msgspec.DecodeError as error:
        raise SchemaError(f"the document is no pipeline: {error}") from error
    reader = Pipeline if kind.pictures is None else ImagePipeline
    return reader.from_json(content, digest=digest)
