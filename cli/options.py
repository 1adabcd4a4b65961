"""Values of options that several commands take, checked before anything is started.

A path is never empty: `--data "$UNSET"` must not mean the current folder.
"""

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from windlass.informers.errors import ConfigError

__all__ = (
    "FILE",
    "FOLDER",
    "NAME",
    "OBJECT",
    "PORT",
    "QUEUE",
    "SERVICE",
    "URI",
    "URL",
    "check_writable",
    "each_queue_once",
    "usable_kubeconfig",
)


class _GivenPath(click.Path):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("expected a path, found an empty one", param, ctx)
        return super().convert(value, param, ctx)


class _Port(click.types.IntParamType):
    name = "port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
            self.fail(f"expected a port from 0 to 65535, found {text!r}", param, ctx)
        return int(text)


class _Name(click.types.StringParamType):
    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not _LABEL.fullmatch(value):
            self.fail(f"expected at most 63 of a-z, 0-9 and '-' (DNS-1123), found {value!r}", param, ctx)
        return str(value)


class _Object(click.types.StringParamType):
    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if len(value) > _OBJECT_LENGTH_MAX or not all(map(_LABEL.fullmatch, str(value).split("."))):
            self.fail(f"expected the name of an object (DNS-1123), found {value!r}", param, ctx)
        return str(value)


class _Queue(click.ParamType[tuple[str, int]]):
    name = "queue"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        name, _, places = str(value).partition("=")
        if not (_LABEL.fullmatch(name) and places.isascii() and places.isdecimal() and 0 < int(places) < 1_000_000):
            self.fail(f"expected NAME=PLACES such as default=4, at least one place, found {value!r}", param, ctx)
        return name, int(places)


class _Uri(click.types.StringParamType):
    name = "uri"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not _SCHEME.match(str(value)):
            self.fail(f"expected SCHEME://PLACE such as s3://bucket/runs, found {value!r}", param, ctx)
        return str(value)


class _Url(click.types.StringParamType):
    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            parts = urlsplit(str(value))
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            good = False
        if not good:
            self.fail(f"expected a URL such as http://metrics:9090, found {value!r}", param, ctx)
        return str(value)


class _Service(click.types.StringParamType):
    name = "service"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        parts = str(value).split("/")
        if len(parts) != 2 or not all(map(_LABEL.fullmatch, parts)):
            self.fail(f"expected NAMESPACE/SERVICE, found {value!r}", param, ctx)
        return str(value)


_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_OBJECT_LENGTH_MAX: Final = 253
NAME: Final = _Name()
OBJECT: Final = _Object()
_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s]")
SERVICE: Final = _Service()
URI: Final = _Uri()
URL: Final = _Url()
QUEUE: Final = _Queue()
PORT: Final = _Port()
FOLDER: Final = _GivenPath(file_okay=False, path_type=Path)
FILE: Final = _GivenPath(dir_okay=False, path_type=Path)


def each_queue_once(
    ctx: click.Context, param: click.Parameter, given: tuple[tuple[str, int], ...]
) -> tuple[tuple[str, int], ...]:
    """A callback. Raises click.BadParameter for a queue that has its places twice: nobody could say which hold."""
    names = [name for name, _ in given]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise click.BadParameter(f"expected each queue once, found {twice} {names.count(twice)} times", ctx, param)
    return given


def check_writable(folder: Path, option: str) -> None:
    """Raises click.BadParameter when files cannot be put into the folder, or it could not be made. Leaves nothing."""
    try:
        there = next(one for one in (folder, *folder.parents) if one.exists())
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise click.BadParameter(f"{folder} cannot be written: {error.strerror}", param_hint=option) from error


@contextlib.contextmanager
def usable_kubeconfig() -> Iterator[None]:
    """Raises click.BadParameter for a kubeconfig that cannot be used: that is wrong usage, not a failure."""
    try:
        yield
    except ConfigError as error:
        raise click.BadParameter(str(error), param_hint="--kubeconfig") from error
