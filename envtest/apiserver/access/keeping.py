"""The administrator's token lies beside the database, for its owner alone, so that a kubeconfig outlives a restart."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from windlass.envtest.apiserver.errors import ServerError

__all__ = ("kept_token",)


def kept_token(database: Path, fresh: str) -> str:
    """The token kept beside a database; the first time `fresh`, which is kept from now on.

    Whoever calls holds the database. Raises ServerError when the file cannot be read or written.
    """
    path = database.with_name(database.name + ".token")
    try:
        with suppress(FileNotFoundError):
            path.chmod(0o600)  # a copy of the folder may have opened it to others
            kept = path.read_text("ascii").strip()
            if kept and kept.isprintable():
                return kept
        _write(path, fresh)
    except (OSError, UnicodeDecodeError) as error:
        raise ServerError(f"the administrator's token in {path} cannot be kept: {error}") from error
    return fresh


def _write(path: Path, token: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # with mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(token + "\n")
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
