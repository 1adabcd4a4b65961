"""The routes of an endpoint have one source: a file, or the API and what code gives; never both."""

from pathlib import Path

import attrs

from windlass.serving.errors import EndpointError
from windlass.serving.traffic.route import Routes

__all__ = ("TrafficOptions",)


@attrs.frozen
class TrafficOptions:
    """Where routes come from.

    `routes` are those to begin with. `keep` is a file in which changes by the API survive a restart; once it is there,
    its routes are those to begin with. `file` is read at the start and whenever it changes, looked at every
    `poll_seconds`; nothing else changes the routes then. `api` opens `/v2/traffic`, which is off by default.
    `journal` is the file in which experiments put their decisions, None for memory alone. `shadows_max` bounds the
    copies under way.

    Raises EndpointError when a file is given beside routes, or beside one to keep them in, and for `keep`
    without `api`.
    """

    routes: Routes = attrs.field(factory=Routes)
    file: Path | None = None
    api: bool = False
    keep: Path | None = None
    journal: Path | None = None
    poll_seconds: float = 1.0
    shadows_max: int = 8

    def __attrs_post_init__(self) -> None:
        if self.file is not None and self.routes.by_name:
            raise EndpointError(f"traffic: the routes come from {self.file} or from routes, not from both")
        if self.file is not None and self.keep is not None:
            raise EndpointError(f"traffic: the routes come from {self.file}, so {self.keep} would keep nothing")
        if self.keep is not None and not self.api:
            raise EndpointError(f"traffic: only the API changes routes, so without it {self.keep} would keep nothing")
        for name in ("poll_seconds", "shadows_max"):
            if not getattr(self, name) > 0:
                raise EndpointError(f"traffic: {name}: expected more than 0, found {getattr(self, name)}")
