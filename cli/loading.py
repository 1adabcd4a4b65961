"""Turns `module:name` on the command line into the object it names, or into one sentence saying why not.

Modules of the current folder are found first, as with `python script.py`.
"""

import importlib
import sys
from pathlib import Path

import click

__all__ = ("load_object",)


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
        message = f"cannot import {module_name}: {str(error) or type(error).__name__}"
        raise click.BadParameter(message, param_hint=option) from error
    for name in path.split("."):
        if not hasattr(found, name):
            raise click.BadParameter(f"module {module_name} has no {path!r}", param_hint=option)
        found = getattr(found, name)
    return found
