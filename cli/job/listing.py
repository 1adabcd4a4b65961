"""The jobs of a namespace as a table that is as wide as its contents, or live until every job asked for has ended.

On a terminal the live table is drawn in place; elsewhere a line follows for each change that a person would notice.
With JSON it is one object a line.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from datetime import UTC, datetime
from typing import Final

import attrs
import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from windlass.cli.job.access import Jobs
from windlass.cli.job.summary import COLUMNS, Summary, cells, line, promotion_key, summary_of, to_json
from windlass.informers import Added, Cache, Change, Deleted
from windlass.informers.errors import Forbidden, NotFound
from windlass.informers.objects import Object
from windlass.operators.promotion.types import Promotion
from windlass.operators.training import TrainingJob

__all__ = ("DELETED", "Asked", "as_table", "list_jobs", "watch_jobs")

DELETED: Final = "Deleted"
"""Of a job that is gone while it is watched, in place of a phase."""

_TENTHS: Final = 10
_GOOD: Final = ("Succeeded", "Complete")
_REDRAW_SECONDS: Final = 0.2
_SYNC_SECONDS: Final = 30.0


@attrs.frozen
class Asked:
    """Which jobs: those of these names, or all; of one namespace, or everywhere; as JSON or for people."""

    names: tuple[str, ...] = ()
    everywhere: bool = False
    as_json: bool = False


def as_table(summaries: Sequence[Summary], now: datetime, *, everywhere: bool = False) -> list[str]:
    """Aligned lines, the heading first; with the namespace in front if there may be several."""
    rows = [COLUMNS, *(cells(one, now) for one in summaries)]
    if everywhere:
        spaces = ("NAMESPACE", *(one.namespace for one in summaries))
        rows = [(space, *row) for space, row in zip(spaces, rows, strict=True)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


async def list_jobs(jobs: Jobs, asked: Asked) -> int:
    """Print them. Raises NoSuchJob for a name that is not there."""
    found = await _asked_for(jobs, asked)
    promotions = await jobs.promotions(everywhere=asked.everywhere)
    summaries = [summary_of(one, promotions.get(promotion_key(one))) for one in found]
    if asked.as_json:
        click.echo(json.dumps([to_json(one) for one in summaries], indent=2))
    elif summaries:
        click.echo("\n".join(as_table(summaries, datetime.now(UTC), everywhere=asked.everywhere)))
    else:
        click.echo("no training jobs" if asked.everywhere else f"no training jobs in {jobs.namespace}", err=True)
    return 0


async def watch_jobs(jobs: Jobs, asked: Asked) -> int:
    """Show them as they change. With names: until all of these have ended; 1 if one did not succeed, or is gone."""
    await _asked_for(jobs, asked)  # a name that is not there is said at once
    console = Console()
    live = console.is_terminal and not asked.as_json
    view = _Table(console, asked) if live else _Lines(asked)
    async with asyncio.TaskGroup() as group:
        cache = Cache(jobs.api.client, namespace=None if asked.everywhere else jobs.namespace)
        board = _Board(asked, cache)
        informer = cache.informer(TrainingJob)
        if await _has_promotions(jobs, asked):
            cache.informer(Promotion).add_handler(board.promotion_changed, name="promotions")
        running = group.create_task(cache.run(), name="cache")
        try:
            await cache.ready(timeout=_SYNC_SECONDS)
            for one in cache.list(TrainingJob):  # before any handler is told, which takes the loop's next turn
                board.job_changed(Added(one, initial=True))
            informer.add_handler(board.job_changed, name="jobs")
            with view:
                while not board.over:
                    view.show(board.summaries())
                    await board.changed()
                view.show(board.summaries())
                for name in board.missing():
                    click.echo(f"windlass: {name} was deleted just now", err=True)
        finally:
            running.cancel()
    return board.code


async def _asked_for(jobs: Jobs, asked: Asked) -> list[Object]:
    if asked.names:
        return [await jobs.get(name) for name in asked.names]
    return await jobs.everyone(everywhere=asked.everywhere)


async def _has_promotions(jobs: Jobs, asked: Asked) -> bool:
    with suppress(NotFound, Forbidden):
        await jobs.api.list(Promotion, namespace=None if asked.everywhere else jobs.namespace, limit=1)
        return True
    return False


class _Board:
    """What the cache shows of the jobs that were asked for."""

    def __init__(self, asked: Asked, cache: Cache) -> None:
        self._asked = asked
        self._cache = cache
        self._jobs: dict[str, Object] = {}  # by uid
        self._promotions: dict[tuple[str, str], Promotion] = {}  # by the job's uid and their own names
        self._gone: dict[str, Object] = {}  # of those asked for by name, as they were last; by uid
        self._there: set[str] = set()  # of the names that were asked for
        self._change = asyncio.Event()

    def job_changed(self, change: Change) -> None:
        found = change.object
        if self._asked.names and found.name not in self._asked.names:
            return
        if isinstance(change, Deleted):
            self._jobs.pop(found.uid, None)
            self._gone[found.uid] = found
        else:
            self._jobs[found.uid] = found
        self._there = {one.name for one in self._jobs.values()}
        self._change.set()

    def promotion_changed(self, change: Change) -> None:
        if isinstance(change, Deleted):
            return
        promotion = change.object.as_(Promotion)
        for owner in promotion.metadata.owner_references:
            self._promotions[owner.uid, promotion.metadata.name] = promotion
        self._change.set()

    def summaries(self) -> list[Summary]:
        """Those that are there, and what is gone since this was last asked; gone for good, of names asked for."""
        there = {one.key for one in self._jobs.values()}
        gone = [_deleted(one) for one in self._gone.values() if one.key not in there]
        if not self._asked.names:
            self._gone.clear()
        found = [summary_of(one, self._promotions.get(promotion_key(one))) for one in self._jobs.values()]
        return sorted([*found, *gone], key=lambda one: (one.namespace, one.name))

    def missing(self) -> list[str]:
        """The names that were asked for and of which nothing was ever seen."""
        return sorted({*self._asked.names} - {one.name for one in (*self._jobs.values(), *self._gone.values())})

    async def changed(self) -> None:
        """Wait for a change; several within a moment are one."""
        await self._change.wait()
        await asyncio.sleep(_REDRAW_SECONDS)
        self._change.clear()

    @property
    def over(self) -> bool:
        """Whether nothing more is to be seen: every job that was asked for by name has ended, or is gone."""
        return bool(self._asked.names) and all(one.ended for one in self.summaries())

    @property
    def code(self) -> int:
        """1 if a job that was asked for did not succeed."""
        good = all(one.phase in _GOOD for one in self.summaries())
        return 0 if good and self._there >= {*self._asked.names} else 1


def _deleted(found: Object) -> Summary:
    return attrs.evolve(summary_of(found), phase=DELETED, reason="", message="", ended=True)


class _Table(AbstractContextManager["_Table"]):
    """A table that is drawn in place."""

    def __init__(self, console: Console, asked: Asked) -> None:
        self._asked = asked
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
        self._stack = ExitStack()

    def __enter__(self) -> "_Table":
        self._stack.enter_context(self._live)
        return self

    def __exit__(self, *reason: object) -> None:
        self._stack.close()

    def show(self, summaries: Iterable[Summary]) -> None:
        found = list(summaries)
        rows = as_table(found, datetime.now(UTC), everywhere=self._asked.everywhere)
        rows += [line(one) for one in found if one.ended and one.reason]
        self._live.update(Text("\n".join(rows), no_wrap=True, overflow="ellipsis"), refresh=True)


class _Lines(AbstractContextManager["_Lines"]):
    """A line for each change of phase, attempt or weight, and each tenth of the epochs; in JSON for every change."""

    def __init__(self, asked: Asked) -> None:
        self._as_json = asked.as_json
        self._shown: dict[tuple[str, str], object] = {}

    def __exit__(self, *reason: object) -> None:
        """Nothing is held."""

    def show(self, summaries: Iterable[Summary]) -> None:
        for one in summaries:
            tenth = one.epoch * _TENTHS // one.epochs if one.epoch is not None and one.epochs else 0
            noticed = one if self._as_json else (one.phase, one.reason, one.attempt, one.promotion, one.weight, tenth)
            if self._shown.get((one.namespace, one.name)) != noticed:
                self._shown[one.namespace, one.name] = noticed
                click.echo(json.dumps(to_json(one)) if self._as_json else line(one))
