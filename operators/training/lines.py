"""A file of JSON lines is one version of a table of texts: what its digest says, and never a part of it.

It is a local file whose name ends in `.jsonl`, UTF-8, with an object in every line that is not blank. Where no line has
a `row`, each gets its number, counted from 0. This module does not know what the columns mean.
"""

import json
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from windlass.operators.errors import DataError
from windlass.operators.training.files import sha256_of

__all__ = ("LINES_ID", "is_lines", "read_lines")

LINES_ID: Final = "json-lines"
"""What stands for the id that a Delta table has and a file has not."""

_SUFFIX: Final = ".jsonl"
_ROW: Final = "row"


def is_lines(uri: str) -> bool:
    """Whether a URI names a local file of JSON lines."""
    return uri.endswith(_SUFFIX) and (uri.startswith(("/", "file://")))


def read_lines(uri: str) -> tuple[str, dict[str, list[Any]], int]:
    """The file's digest, its columns, and how many rows they have; a value that a line lacks is None. Blocks.

    Raises DataError with the reason TableNotFound, TableUnreachable or TableCorrupt.
    """
    path = Path(unquote(urlsplit(uri).path)) if uri.startswith("file://") else Path(uri)
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise DataError(f"there is no file of JSON lines at {uri}", reason="TableNotFound") from error
    except OSError as error:
        raise DataError(f"{uri}: {error.strerror or error}", reason="TableUnreachable") from error
    rows = [_object(line, number, uri) for number, line in enumerate(content.split(b"\n"), start=1) if line.strip()]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    columns.setdefault(_ROW, list(range(len(rows))))
    return sha256_of(content), columns, len(rows)


def _object(line: bytes, number: int, uri: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise DataError(
            f"{uri}, line {number}: expected a JSON object, found {error}", reason="TableCorrupt"
        ) from error
    if not isinstance(found, dict):
        raise DataError(
            f"{uri}, line {number}: expected a JSON object, found {type(found).__name__}", reason="TableCorrupt"
        )
    return found
