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
from windlass.operators.training.types import ProgressStatus

__all__ = ("BarView", "LineView", "View", "has_ended", "reason_of_failure", "view_for")

_TENTHS: Final = 10
_ENDS: Final = ("Succeeded", "Failed", "Cancelled")


class View(AbstractContextManager["View"], Protocol):
    """What `windlass up` tells about its jobs."""

    def update(self, job: TrainingJob) -> None:
        """Show this version of the job."""

    def remove(self, key: Key) -> None:
        """The job is gone."""

    def say(self, text: str, *, err: bool = False) -> None:
        """Print something else; a line is never broken, so that it can be copied."""


def view_for(*, progress: bool) -> View:
    """Bars on a terminal, lines elsewhere or when bars are not wanted."""
    console = Console()
    return BarView(console) if progress and console.is_terminal else LineView()


class LineView:
    """One line a phase, one for every tenth of the epochs, and one for every phase and weight of the promotion."""

    def __init__(self) -> None:
        self._shown: dict[Key, tuple[str, int, int, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""

    def update(self, job: TrainingJob) -> None:
        """Print a line when the phase, the tenth of the epochs or the promotion has changed."""
        key = job.metadata.key
        progress = job.status.progress
        # Another life ends for reasons of its own.
        ended = job.status.life_generation if job.status.phase in _ENDS else 0
        tenth = progress.epoch * _TENTHS // progress.epochs if progress else 0
        now = (job.status.phase, tenth, ended, _traffic(job))
        if self._shown.get(key) != now:
            self._shown[key] = now
            self.say(_line(job))

    def remove(self, key: Key) -> None:
        """Print a line."""
        if self._shown.pop(key, None) is not None:
            self.say(f"{key}: deleted")

    def say(self, text: str, *, err: bool = False) -> None:
        """Print it."""
        click.echo(text, err=err)


class BarView:
    """One bar a job that goes on, made for 80 columns; a job that has ended becomes a line above the bars."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(max_width=22, no_wrap=True, overflow="ellipsis")),
            TextColumn("{task.fields[phase]}", style="cyan", table_column=Column(width=13, no_wrap=True)),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
            TextColumn("{task.fields[numbers]}", table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(width=7, no_wrap=True)),
            console=console,
            transient=True,
            expand=True,
        )
        self._bars: dict[Key, TaskID] = {}
        self._ended: dict[Key, int] = {}  # the life that a line has told the end of

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, job: TrainingJob) -> None:
        """Move the job's bar, or tell its end."""
        key = job.metadata.key
        if has_ended(job):
            self._take_away(key)
            if self._ended.get(key) != job.status.life_generation:
                self._ended[key] = job.status.life_generation
                self.say(_line(job))
            return
        if key not in self._bars:
            self._bars[key] = self._progress.add_task(str(key), phase="", numbers="")
        progress = job.status.progress
        self._progress.update(
            self._bars[key],
            completed=progress.epoch if progress else 0,
            total=progress.epochs if progress else None,
            phase=job.status.phase,
            numbers=_traffic(job) or (_numbers(progress) if progress else ""),
        )

    def remove(self, key: Key) -> None:
        """Take the job's bar away, and print a line."""
        self._take_away(key)
        self._ended.pop(key, None)
        self.say(f"{key}: deleted")

    def say(self, text: str, *, err: bool = False) -> None:
        """Print it above the bars."""
        self._progress.stop()
        try:
            click.echo(text, err=err)
        finally:
            self._progress.start()

    def _take_away(self, key: Key) -> None:
        bar = self._bars.pop(key, None)
        if bar is not None:
            self._progress.remove_task(bar)


def has_ended(job: TrainingJob) -> bool:
    """Whether nothing more happens to the job until it is to do other work."""
    return job.status.observed_generation == job.metadata.generation and job.status.phase in _ENDS


def _numbers(progress: ProgressStatus) -> str:
    return f"{progress.epoch}/{progress.epochs} loss {progress.loss:.4f} acc {progress.accuracy:.3f}"


def _traffic(job: TrainingJob) -> str:
    """How far the promotion is; "" when the job is not at it."""
    promotion = job.status.promotion
    if job.status.phase != "Promoting" or promotion is None or not promotion.phase:
        return ""
    return f"{promotion.phase} at {promotion.weight} %"


def _line(job: TrainingJob) -> str:
    if traffic := _traffic(job):
        return f"{job.metadata.key}: {job.status.phase}  {traffic}"
    parts = [job.status.phase]
    if progress := job.status.progress:
        parts += [f"epoch {progress.epoch}/{progress.epochs}", f"loss {progress.loss:.4f}"]
        parts.append(f"accuracy {progress.accuracy:.3f}")
    if why := reason_of_failure(job):
        parts.append(why)
    return f"{job.metadata.key}: {'  '.join(parts)}"


def reason_of_failure(job: TrainingJob) -> str:
    """The reason and the message that the conditions give; "" when the job has not failed."""
    for condition in job.status.conditions:
        if condition.type == "Succeeded" and condition.status == "False":
            return f"{condition.reason}: {condition.message}"
    return ""
