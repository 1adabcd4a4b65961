"""`model.json` says what a version folder holds.

A folder is complete when it is there, and its file is used only if its digest agrees.

    {"format": "onnx", "file": "model.onnx", "sha256": "<hex>", "labels": ["0", "1"], "metadata": {"job":
    "default/digits"}, "limits": {"requests_max": 64}, "batching": {"rows_max": 32, "delay_seconds": 0.002},
    "pipeline": {"file": "pipeline.json", "digest": "<hex>"},
    "memory_bytes": 50000000, "isolation": {"execution_seconds": 2}}

All but the first three may be left out. `pipeline` names a fitted data pipeline that the model stands behind, and the
digest that it had in training. `limits` and `batching` have the fields of the classes of these names in `policy.py`;
without `batching` each request is executed by itself. `uri` says where the file lies when it is not in the folder: any
URL that fsspec reads (extra `models`); `file` is then only its name. `memory_bytes` is what the model takes when that
is known better than it can be measured. With `isolation` (`"process"`, or an object to change its defaults) the model
runs in a process of its own. The writer fills a folder whose name starts with a dot and renames it when it is complete.
"""

import hashlib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from windlass.serving.data.errors import DataProblem
from windlass.serving.data.fitted import read_fitted
from windlass.serving.data.imagepipeline import ImagePipeline
from windlass.serving.data.pipeline import Pipeline
from windlass.serving.errors import BadRequest, ModelError
from windlass.serving.policy import Batching, Isolation, Limits, Policy
from windlass.serving.repository.reading import read_regular
from windlass.serving.sources.cache import Cache
from windlass.serving.tensors import parse_json

__all__ = ("DESCRIPTION_FILE", "Description", "PipelineFile", "read_description", "read_pipeline", "read_verified")

DESCRIPTION_FILE = "model.json"


class PipelineFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fitted pipeline in the same folder."""

    file: str
    digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `model.json`.

    Fields that are not listed here are ignored, so that newer writers can add some; but not one that is nearly the name
    of one that is: it would be a misspelt limit that does not hold.
    """

    format: str
    file: str
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{64}$")]
    labels: tuple[str, ...] = ()
    metadata: Mapping[str, str | int | float | bool] = {}
    limits: Limits = Limits()
    batching: Batching | None = None
    pipeline: PipelineFile | None = None
    uri: str | None = None
    memory_bytes: Annotated[int, msgspec.Meta(ge=0)] | None = None
    isolation: Isolation | Literal["process"] | None = None

    @property
    def process(self) -> Isolation | None:
        """How the model is isolated, None when it is not."""
        return Isolation() if self.isolation == "process" else self.isolation

    @property
    def policy(self) -> Policy:
        """Limits and batching together."""
        return Policy(self.limits, self.batching)


_DESCRIPTION = msgspec.json.Decoder(Description)
_NAMES = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_description(folder: Path) -> Description:
    """Read `model.json`. Raises ModelError naming the field that is wrong, OSError when the file cannot be read."""
    try:
        content = read_regular(folder / DESCRIPTION_FILE)
        description: Description = parse_json(content, _DESCRIPTION, "")
        _refuse_misspelt(_NAMES.decode(content))
    except BadRequest as error:
        raise ModelError(f"{DESCRIPTION_FILE}: {error}") from error
    # The file lies in the folder: a description must not be able to point at anything else.
    named = [("file", description.file)]
    if description.pipeline is not None:
        named.append(("pipeline.file", description.pipeline.file))
    for field, name in named:
        if Path(name).name != name or name in {"", ".", ".."}:
            raise ModelError(f"{DESCRIPTION_FILE}: {field}: expected a plain file name, found {name!r}")
    return description


def _refuse_misspelt(names: Iterable[str]) -> None:
    known = Description.__struct_fields__
    for name in names:
        near = () if name in known else get_close_matches(name.lower(), known, n=1, cutoff=0.8)
        for meant in near:
            raise BadRequest(f"{name}: unknown; expected {meant}?")


def read_pipeline(folder: Path, described: PipelineFile) -> Pipeline | ImagePipeline:
    """The pipeline, which computes here what it computed in training.

    Raises ModelError for what is none, and when its digest is another one: skew. OSError when it cannot be read.
    """
    try:
        content = read_regular(folder / described.file)
        return read_fitted(content, digest=described.digest)
    except FileNotFoundError as error:
        raise ModelError(f"{DESCRIPTION_FILE} names {described.file!r}, which is not in the folder") from error
    except DataProblem as error:
        raise ModelError(f"{described.file}: {error}") from error


def read_verified(folder: Path, description: Description, cache: Cache | None = None) -> bytes:
    """The bytes of the model file, from its folder or, by way of the cache, from elsewhere.

    Raises ModelError unless their SHA-256 is the one described, OSError when it cannot be read.
    """
    if description.uri is not None:
        return _fetched(description.uri, description.sha256, cache)
    try:
        content = read_regular(folder / description.file)
    except FileNotFoundError as error:
        raise ModelError(f"{DESCRIPTION_FILE} names {description.file!r}, which is not in the folder") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != description.sha256.lower():
        raise ModelError(
            f"{description.file}: its SHA-256 is {digest}, but {DESCRIPTION_FILE} says {description.sha256.lower()}"
        )
    return content


def _fetched(uri: str, sha256: str, cache: Cache | None) -> bytes:
    if cache is None:
        raise ModelError(f"{DESCRIPTION_FILE}: uri: this repository has no cache for files of other places")
    content = cache.fetch(uri, sha256).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256.lower():
        # The disk, or somebody, has changed the copy since it was verified.
        cache.forget(sha256)
        content = cache.fetch(uri, sha256).read_bytes()
    return content
