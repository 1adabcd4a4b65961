"""The folder of `windlass up` has one owner at a time, and everything that survives a restart lies in it.

```
DATA/lock            held while `windlass up` runs
DATA/kubeconfig      for kubectl; written anew at each start
DATA/apiserver.db    the embedded API server's objects, and beside it the administrator's token
DATA/tables/digits   the sample's Delta table
DATA/runs/           one folder a training run: checkpoints, progress, result
DATA/models/         the model repository that the endpoint serves
DATA/cards/          the model cards, and beside them metadata.sqlite, of which they are made
DATA/evidence/       what the gate's checks have found, one folder a run
DATA/routes.json     which model answers for which share of a route's requests
DATA/port            the endpoint's port, which promotions name
DATA/request.json    a prediction request to try
DATA/windlass.log    what the parts did, outages and retries included
```
"""

import contextlib
import fcntl
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import click

__all__ = ("Folder",)


# It takes a path for a URL: it decodes escapes, turns the slash round, and refuses the rest.
_NO_TABLE: Final = re.compile(r"%[0-9A-Fa-f]{2}|[\x00-\x1f\x7f\\[\]|^]")


@attrs.frozen
class Folder:
    """The paths below one data folder."""

    root: Path

    @classmethod
    def at(cls, path: Path) -> "Folder":
        """The folder at `path`. Raises click.BadParameter for a name under which Delta tables cannot be opened."""
        root = path.resolve()
        found = _NO_TABLE.search(str(root))
        if found is not None:
            raise click.BadParameter(
                f"expected a path without {found[0]!r}, under which the Delta library opens no table; found {root}",
                param_hint="--data",
            )
        return cls(root)

    @property
    def kubeconfig(self) -> Path:
        """Where kubectl finds the embedded server."""
        return self.root / "kubeconfig"

    @property
    def database(self) -> Path:
        """The embedded server's file."""
        return self.root / "apiserver.db"

    @property
    def sample_table(self) -> Path:
        """The sample's Delta table."""
        return self.root / "tables" / "digits"

    @property
    def models(self) -> Path:
        """The model repository."""
        return self.root / "models"

    @property
    def routes(self) -> Path:
        """What answers for the endpoint's public names."""
        return self.root / "routes.json"

    @property
    def port(self) -> Path:
        """The port that the endpoint had before."""
        return self.root / "port"

    def earlier_port(self) -> int:
        """The endpoint's port before, if it can be had again; else 0, for any free one."""
        try:
            port = int(self.port.read_text())
            with socket.socket() as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(("127.0.0.1", port))
        except (OSError, ValueError, OverflowError):
            return 0
        return port

    @property
    def request(self) -> Path:
        """A prediction request to try with curl."""
        return self.root / "request.json"

    @property
    def log(self) -> Path:
        """What the parts did."""
        return self.root / "windlass.log"

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Hold the folder, making it if need be.

        Raises:
            click.ClickException: it cannot be written, or another process holds it. (The kernel frees the lock of a
                dead process.)
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise click.ClickException(f"--data {self.root}: {error.strerror}") from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = f"--data {self.root}: another `windlass up` uses this folder; stop it, or name another folder"
                raise click.ClickException(message) from None
            yield
        finally:
            os.close(handle)
