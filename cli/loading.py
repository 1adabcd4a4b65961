"""Turns `module:name` on the command line into the object it names, or into one sentence saying why not.

Modules of the current folder are found first, as with `python script.py`.
"""

import importlib
import sys
import traceback
from pathlib import Path

import click

__all__ = ("load_object", "told")


def told(error: Exception, *, beside: str) -> str:
    """The type of somebody's mistake, its message and its place, unless that is the file `beside` or Python's own."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    place = ""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} ({Path(error.filename).name}, line {error.lineno})"
    if frames and frames[-1].filename not in (beside, importlib.__file__):
        place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"
    if isinstance(error, ModuleNotFoundError) and not place:
        return str(error)
    return f"{type(error).__name__}: {error}{place}"


def load_object(reference: str, *, option: str) -> object:
    """The object that `reference` ("module:name", or "module:outer.inner") names.

    Raises:
        click.BadParameter: the reference is malformed, the module cannot be imported, or it has no such name.
    """
    module_name, colon, path = reference.partition(":")
    if not (module_name and colon and path):
        raise click.BadParameter(f"expected MODULE:NAME, found {reference!r}", param_hint=option)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: object = importlib.import_module(module_name)
    except SystemExit as error:
        message = f"cannot import {module_name}: it ends the process instead of defining {path}"
        raise click.BadParameter(message, param_hint=option) from error
    except Exception as error:
        message = f"cannot import {module_name}: {told(error, beside=__file__)}"
        raise click.BadParameter(message, param_hint=option) from error
    for name in path.split("."):
        if not hasattr(found, name):
            raise click.BadParameter(f"module {module_name} has no {path!r}", param_hint=option)
        found = getattr(found, name)
    return found
