"""A version becomes a model in two steps, each in a thread, and neither changes what serves.

It is verified and loaded, then warmed up. What it costs in memory is measured, unless its description says it.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import attrs

from windlass.serving.data.transformer import preprocessed
from windlass.serving.errors import ModelError
from windlass.serving.isolation import process
from windlass.serving.model import Closable, LoadedModel, Model
from windlass.serving.repository.description import Description, read_description, read_pipeline, read_verified
from windlass.serving.repository.recorded import read_recorded
from windlass.serving.repository.warmup import answer_recorded, warm_up
from windlass.serving.runtimes import Runtime, Source
from windlass.serving.sources.cache import Cache

__all__ = ("Job", "Loaded", "Warmed", "close", "load", "warm")

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@attrs.frozen
class Job:
    """The version to load. `folder` is its folder."""

    name: str
    version: int
    folder: Path
    description: Description
    runtimes: Mapping[str, Runtime] = attrs.field(repr=False)
    cache: Cache | None = None

    @classmethod
    def of(cls, folder: Path, runtimes: Mapping[str, Runtime], cache: Cache | None = None) -> "Job":
        """From `ROOT/NAME/VERSION`. Raises what `read_description` raises."""
        return cls(folder.parent.name, int(folder.name), folder, read_description(folder), runtimes, cache)

    def estimated_bytes(self) -> int:
        """What it will take, as far as that is known beforehand: as described, else the size of its file."""
        if self.description.memory_bytes is not None:
            return self.description.memory_bytes
        try:
            return (self.folder / self.description.file).stat().st_size
        except FileNotFoundError:
            return 0


@attrs.frozen
class Loaded:
    """A model that was never run. `grown_bytes` is by how much the process has grown; `pid` its own, if it has one."""

    model: Model
    file_bytes: int
    grown_bytes: int
    pid: int | None = None


@attrs.frozen
class Warmed:
    """A model that may serve. `size` is what it takes, in bytes."""

    model: LoadedModel
    size: int


def load(job: Job) -> Loaded:
    """Verify and load. Raises ModelError, OSError, or whatever the runtime raises against its contract."""
    description = job.description
    runtime = job.runtimes.get(description.format)
    if runtime is None:
        raise ModelError(f"format {description.format!r} is unknown; known: {', '.join(sorted(job.runtimes))}")
    content = read_verified(job.folder, description, job.cache)
    source = Source(job.name, str(job.version), job.folder / description.file, content, _metadata(description))
    before = _resident_bytes()
    pid = None
    model: Model
    if description.process is not None:
        python = "python" in job.runtimes
        model = process.start(process.Job(source, description.format, description.process, python=python))
        pid = model.pid
    else:
        model = runtime.load(source)
    if description.pipeline is not None:
        model = _behind_its_pipeline(job, model)
    return Loaded(model, len(content), max(0, _resident_bytes() - before), pid)


def warm(job: Job, loaded: Loaded) -> Warmed:
    """Warm up with synthetic and with recorded inputs. Raises ModelError; the model is closed then."""
    description = job.description
    before = _resident_bytes()
    try:
        model = warm_up(job.name, loaded.model, policy=description.policy)
        if description.process is not None:
            model = attrs.evolve(model, alone=True, direct=False, inline_elements=-1)
        model = attrs.evolve(model, labels=description.labels, metadata=_metadata(description))
        answer_recorded(model, read_recorded(job.folder, model))
    except BaseException:
        close(loaded.model)
        raise
    if description.memory_bytes is not None:
        return Warmed(model, description.memory_bytes)
    if loaded.pid is not None:
        return Warmed(model, max(loaded.file_bytes, _resident_bytes(loaded.pid)))
    # What was free before may have been used, so that nothing grew: it is never less than the file.
    grown = loaded.grown_bytes + max(0, _resident_bytes() - before)
    return Warmed(model, max(loaded.file_bytes, grown))


def close(model: Model) -> None:
    """Give back what the model holds besides memory."""
    if isinstance(model, Closable):
        model.close()


def _behind_its_pipeline(job: Job, model: Model) -> Model:
    assert job.description.pipeline is not None
    try:
        return preprocessed(read_pipeline(job.folder, job.description.pipeline), model)
    except BaseException:
        close(model)
        raise


def _metadata(description: Description) -> dict[str, str]:
    return {key: str(value) for key, value in description.metadata.items()}


def _resident_bytes(pid: int | str | None = "self") -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0  # not Linux: the file's size must do
