"""Values of options that several commands take, checked before anything is started.

A path is never empty: `--data "$UNSET"` must not mean the current folder.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from windlass.informers.errors import ConfigError

__all__ = ("FILE", "FOLDER", "PORT", "usable_kubeconfig")


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


PORT: Final = _Port()
FOLDER: Final = _GivenPath(file_okay=False, path_type=Path)
FILE: Final = _GivenPath(dir_okay=False, path_type=Path)


@contextlib.contextmanager
def usable_kubeconfig() -> Iterator[None]:
    """Raises click.BadParameter for a kubeconfig that cannot be used: that is wrong usage, not a failure."""
    try:
        yield
    except ConfigError as error:
        raise click.BadParameter(str(error), param_hint="--kubeconfig") from error
