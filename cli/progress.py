"""Shows how far the training jobs are: bars where a person watches, lines where a file or a pipe does.

A view is told of every version of every job and decides itself what is worth showing; it never asks.
"""

from types import TracebackType
from typing import Protocol, Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from windlass.informers import Key
from windlass.operators.training import TrainingJob

__all__ = ("BarView", "LineView", "View", "view_for")


class View(Protocol):
    """What `windlass up` tells about its jobs."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def update(self, job: TrainingJob) -> None:
        """Show this version of the job."""


def view_for(*, progress: bool) -> View:
    """Bars on a terminal, lines elsewhere or when bars are not wanted."""
    console = Console()
    return BarView(console) if progress and console.is_terminal else LineView()


class LineView:
    """One line a phase, and one for every tenth epoch."""

    def __init__(self) -> None:
        self._shown: dict[Key, tuple[str, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""

    def update(self, job: TrainingJob) -> None:
        """Print a line when the phase or the ten of the epoch has changed."""
        key = job.metadata.key
        now = (job.status.phase, _epoch(job) // 10)
        if self._shown.get(key) != now:
            self._shown[key] = now
            click.echo(f"{key}: {_sentence(job)}")


class BarView:
    """One bar a job, with its phase, loss and accuracy."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._bars: dict[Key, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, job: TrainingJob) -> None:
        """Move the job's bar."""
        key = job.metadata.key
        if key not in self._bars:
            self._bars[key] = self._progress.add_task(str(key), total=None, said="")
        total = job.status.progress.epochs if job.status.progress else None
        self._progress.update(self._bars[key], completed=_epoch(job), total=total, said=_sentence(job))


def _epoch(job: TrainingJob) -> int:
    return job.status.progress.epoch if job.status.progress else 0


def _sentence(job: TrainingJob) -> str:
    parts = [job.status.phase]
    if progress := job.status.progress:
        parts.append(f"epoch {progress.epoch}/{progress.epochs}")
        if progress.loss is not None:
            parts.append(f"loss {progress.loss:.4f}")
        if progress.accuracy is not None:
            parts.append(f"accuracy {progress.accuracy:.3f}")
    return "  ".join(parts)
