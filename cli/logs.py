"""Log records become lines, each with the object it is about; on stderr above a bar that is shown, not through it."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import click

from windlass.controller.logs import JsonFormatter

__all__ = ("log_to_stderr", "logging_to_file")

_FORMAT: Final = "%(levelname)s %(name)s: %(about)s%(message)s"


def log_to_stderr(level: int, *, style: Literal["brief", "full", "json"]) -> None:
    """Send every record from `level` up there; `brief` leaves out the time and the tracebacks."""
    handler = _Echo(level)
    handler.setFormatter(_formatter(style))
    _attach(handler)


def _formatter(style: Literal["brief", "full", "json"]) -> logging.Formatter:
    match style:
        case "brief":
            return _Brief(_FORMAT)
        case "full":
            return _Human(f"%(asctime)s {_FORMAT}")
        case "json":
            return JsonFormatter()


@contextlib.contextmanager
def logging_to_file(path: Path, level: int) -> Iterator[None]:
    """Append every record from `level` up to a file, tracebacks and all. Raises OSError when it cannot be opened."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setLevel(level)
    handler.setFormatter(_Human(f"%(asctime)s {_FORMAT}"))
    _attach(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def _attach(handler: logging.Handler) -> None:
    root = logging.getLogger()
    root.setLevel(min(handler.level, root.level))
    root.addHandler(handler)


class _Echo(logging.Handler):
    """Asks for stderr at each record: `rich` puts another in its place while it shows bars."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            click.echo(self.format(record), err=True)
        except Exception:
            self.handleError(record)


class _Human(logging.Formatter):
    """Controllers give the key they work on along with the record, not in its text."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's own name
        key = getattr(record, "key", "")
        record.about = f"{key}: " if key else ""
        return super().formatMessage(record)


class _Brief(_Human):
    def formatException(self, ei: object) -> str:  # noqa: ARG002, N802  # logging's signature
        return ""
