"""Routes that came by the API survive the process: the file holds the last table that was answered for, whole.

It is replaced in one step, without waiting for the disk: what is to be survived is the end of the process, not of the
machine's power.
"""

import os
from pathlib import Path

import msgspec

from windlass.serving.errors import EndpointError, RouteError
from windlass.serving.traffic.document import parse_document, routes_to_dict
from windlass.serving.traffic.route import Routes

__all__ = ("Kept",)


class Kept:
    """The file at `path`, whose folder must be there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"<Kept {self.path}>"

    def read(self) -> Routes | None:
        """The routes in the file; None if there is none yet. Raises EndpointError for one that cannot be used."""
        try:
            return parse_document(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise EndpointError(f"traffic: keep: {self.path} cannot be read: {error.strerror or error}") from error
        except RouteError as error:
            raise EndpointError(f"traffic: keep: {self.path}: {error}") from error

    def write(self, routes: Routes) -> None:
        """Replace what is in the file. Raises OSError."""
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        temporary.write_bytes(msgspec.json.encode(routes_to_dict(routes)))
        os.replace(temporary, self.path)
