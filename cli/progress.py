"""Shows how far the training jobs are: bars where a person watches, lines where a file or a pipe does.

A view is told of every version of every job and decides itself what is worth showing; it never asks.
"""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Protocol, Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from windlass.informers import Key
from windlass.operators.training import TrainingJob

__all__ = ("BarView", "LineView", "View", "view_for")

_TENTHS: Final = 10
_STYLES: Final = {"Succeeded": "green", "Failed": "red"}


class View(AbstractContextManager["View"], Protocol):
    """What `windlass up` tells about its jobs."""

    def update(self, job: TrainingJob) -> None:
        """Show this version of the job."""

    def remove(self, key: Key) -> None:
        """The job is gone."""


def view_for(*, progress: bool) -> View:
    """Bars on a terminal, lines elsewhere or when bars are not wanted."""
    console = Console()
    return BarView(console) if progress and console.is_terminal else LineView()


class LineView:
    """One line a phase, and one for every tenth of the epochs."""

    def __init__(self) -> None:
        self._shown: dict[Key, tuple[str, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""

    def update(self, job: TrainingJob) -> None:
        """Print a line when the phase or the tenth of the epochs has changed."""
        key = job.metadata.key
        progress = job.status.progress
        now = (job.status.phase, progress.epoch * _TENTHS // progress.epochs if progress else 0)
        if self._shown.get(key) != now:
            self._shown[key] = now
            click.echo(f"{key}: {'  '.join(part for part in (job.status.phase, *_numbers(job), _why(job)) if part)}")

    def remove(self, key: Key) -> None:
        """Print a line."""
        if self._shown.pop(key, None) is not None:
            click.echo(f"{key}: deleted")


class BarView:
    """One bar a job, with its phase, loss and accuracy; made for 80 columns."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(max_width=24, no_wrap=True, overflow="ellipsis")),
            TextColumn("[{task.fields[style]}]{task.fields[phase]}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
            TextColumn("{task.fields[numbers]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            console=console,
            expand=True,
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
        """Move the job's bar; its clock stops when the job has ended."""
        key = job.metadata.key
        if key not in self._bars:
            self._bars[key] = self._progress.add_task(str(key), total=None, phase="", style="none", numbers="")
        bar = self._bars[key]
        progress = job.status.progress
        phase = job.status.phase
        self._progress.update(
            bar,
            completed=progress.epoch if progress else 0,
            total=progress.epochs if progress else None,
            phase=phase,
            style=_STYLES.get(phase, "cyan"),
            numbers=_why(job, message=False) or " ".join(_numbers(job)),
        )
        if phase in _STYLES:
            self._progress.stop_task(bar)

    def remove(self, key: Key) -> None:
        """Take the job's bar away."""
        bar = self._bars.pop(key, None)
        if bar is not None:
            self._progress.remove_task(bar)


def _numbers(job: TrainingJob) -> tuple[str, ...]:
    progress = job.status.progress
    if progress is None:
        return ()
    return (
        f"epoch {progress.epoch}/{progress.epochs}",
        f"loss {progress.loss:.4f}",
        f"accuracy {progress.accuracy:.3f}",
    )


def _why(job: TrainingJob, *, message: bool = True) -> str:
    """The reason of a failure; "" when there was none."""
    for condition in job.status.conditions:
        if condition.type == "Succeeded" and condition.status == "False":
            return f"{condition.reason}: {condition.message}" if message else condition.reason
    return ""
