"""How tables elsewhere are reached is said by whoever runs the process, in the environment, and never by a job.

The Delta library reads what it knows from the environment itself (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`,
`AZURE_STORAGE_ACCOUNT_NAME`, `GOOGLE_APPLICATION_CREDENTIALS` …). Beside that, `WINDLASS_STORAGE_OPTIONS` names a
folder with one file an option, which is how a Secret looks that is mounted into a Pod; it is read anew each time, so
that rotated credentials take effect. Trainers on this machine inherit both. No secret reaches a message.

This module does not know tables.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from windlass.operators.errors import DataError

__all__ = ("FOLDER", "is_remote", "masked", "options_for", "scheme_of")

FOLDER: Final = "WINDLASS_STORAGE_OPTIONS"
"""The variable of the environment that names the folder of options."""

# The library would go on for three minutes and hold a worker; a table that cannot be reached is asked for again anyway.
_PATIENCE: Final = {"connect_timeout": "5s", "timeout": "60s", "max_retries": "3", "retry_timeout": "20s"}
_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SECRETIVE: Final = re.compile(r"key|secret|token|password|sas|credential", re.IGNORECASE)
_QUERY: Final = re.compile(r"(?<=[^\s?])\?[^\s'\"]+")
_SHORT: Final = 4  # a value of fewer characters is no secret, and would be found everywhere
_VALUE_MAX: Final = 64 * 1024


def scheme_of(uri: str) -> str:
    """The scheme in lower case; "" for a path."""
    found = _SCHEME.match(uri)
    return found[1].lower() if found else ""


def is_remote(uri: str) -> bool:
    """Whether reading it goes over a network."""
    return scheme_of(uri) not in ("", "file")


def options_for(uri: str) -> Mapping[str, str] | None:
    """What the library is told beside its environment; None for a local table.

    Raises DataError (TableUnreachable) if the folder or one of its files cannot be read.
    """
    return {**_PATIENCE, **_given()} if is_remote(uri) else None


def masked(text: str) -> str:
    """The text without secrets: no query of a URL, which may be signed, and no value that is one."""
    text = _QUERY.sub("", text)
    try:
        given = _given()
    except DataError:
        given = {}
    for name, value in (*given.items(), *os.environ.items()):
        if _SECRETIVE.search(name) and len(value) >= _SHORT:
            text = text.replace(value, "***")
    return text


def _given() -> dict[str, str]:
    named = os.environ.get(FOLDER)
    if not named:
        return {}
    folder = Path(named)
    try:
        # A mounted Secret has hidden folders, which the visible names are links into.
        files = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_file())
        return {path.name: _value(path) for path in files}
    except OSError as error:
        raise DataError(
            f"{FOLDER}: expected a folder with one file an option, found {folder}: {error.strerror}",
            reason="TableUnreachable",
        ) from error


def _value(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_VALUE_MAX).decode("utf-8", "replace").strip()
