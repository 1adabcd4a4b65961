"""What `windlass serve` may be told of its models, as options that become one value."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from windlass.cli.options import FOLDER
from windlass.serving import RepositoryOptions
from windlass.serving.repository.settings import Latest
from windlass.serving.sources.cache import Cache, default_folder

__all__ = ("model_options",)

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class _Bytes(click.types.IntParamType):
    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number = str(value).rstrip("KMG")
        unit = str(value)[len(number) :]
        if not (number.isascii() and number.isdecimal() and unit in _UNITS and int(number) > 0):
            self.fail(f"expected a number of bytes such as 500M or 2G, found {value!r}", param, ctx)
        return int(number) * _UNITS[unit]


class _Versions(click.types.StringParamType):
    name = "versions"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if text != "all" and not (text.isascii() and text.isdecimal() and int(text) > 0):
            self.fail(f"expected 'all' or how many of the latest, found {text!r}", param, ctx)
        return text


_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "versions": click.option(
        "--versions",
        type=_Versions(),
        default=None,
        show_default="1, and with routes all",
        help="'all', or how many of the latest.",
    ),
    "memory_max": click.option(
        "--memory-max", type=_Bytes(), help="What models may take; over it some make room.  [default: no bound]"
    ),
    "pinned": click.option(
        "--pinned", multiple=True, metavar="MODEL", help="A model that never makes room for others; repeatable."
    ),
    "on_request": click.option(
        "--on-request", is_flag=True, help="Load nothing before a request of the repository API asks for it."
    ),
    "allow_code": click.option(
        "--allow-code", is_flag=True, help="Serve models whose folder names Python code; it runs here."
    ),
    "cache": click.option("--cache", type=FOLDER, help="Folder for copies of model files that lie elsewhere."),
    "cache_max": click.option(
        "--cache-max", type=_Bytes(), default="10G", show_default=True, help="What these copies may take."
    ),
}


def model_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command these options; it gets `repository`, the RepositoryOptions that they come to."""

    @wraps(command)
    def collected(**asked: Any) -> int:
        given = {name: asked.pop(name) for name in _OPTIONS}
        if given["versions"] is None:
            # A route names versions: one that it sends traffic to must not go because a newer one has come.
            given["versions"] = "all" if asked.get("traffic") or asked.get("traffic_api") else "1"
        return command(repository=_repository(**given), **asked)

    for option in reversed(_OPTIONS.values()):
        collected = option(collected)
    return collected


def _repository(*, cache: Path | None, cache_max: int, on_request: bool, **same: Any) -> RepositoryOptions:
    copies = Cache(cache or default_folder(), bytes_max=cache_max)
    return RepositoryOptions(
        versions="all" if same["versions"] == "all" else Latest(int(same["versions"])),
        memory_bytes_max=same["memory_max"],
        pinned=same["pinned"],
        autoload=not on_request,
        allow_code=same["allow_code"],
        cache=copies,
    )
