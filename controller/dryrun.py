"""In a dry run every request that is not a read goes to the server with `dryRun=All`: it is checked, and not stored.

The server runs its whole way but the last step: defaults, validation, admission and conflicts are real, and so are its
refusals. What it would have stored is logged, one record a request. Whoever writes need not know of it.
"""

import logging
from typing import Final

from windlass.informers.client import Client
from windlass.informers.http.connection import Connection
from windlass.informers.requests import Request

__all__ = ("DryRunClient",)

_LOG = logging.getLogger("windlass.controller.dryrun")
_SHOWN_MAX: Final = 4096


class DryRunClient(Client):
    """A Client whose writes change nothing. Caches must not wait for them: that is what `dry_run` tells an Api."""

    dry_run = True

    async def _answered(self, request: Request, *, whole: bool) -> Connection:
        """See Client; a write is sent as a dry run, and logged when the server would have accepted it."""
        if request.is_safe:
            return await super()._answered(request, whole=whole)
        connection = await super()._answered(request.dry(), whole=whole)
        _LOG.info("dry run: %s would be done%s", request.what, _body(request))
        return connection


def _body(request: Request) -> str:
    if request.body is None:
        return ""
    if "/secrets/" in f"{request.path}/":
        return " (a Secret's body is not shown)"
    text = request.body.decode(errors="replace")
    left_out = len(text) - _SHOWN_MAX
    return f": {text}" if left_out <= 0 else f": {text[:_SHOWN_MAX]}… ({left_out} more characters)"
