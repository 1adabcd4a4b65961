"""Nothing but what is declared open is answered to a caller that was not made out, and the same holds in each protocol.

A token goes before a certificate, and a token that is wrong is refused whatever else the caller has. Whoever cannot be
judged, because what judges fails, is refused, too.
"""

import contextlib
import logging
from collections.abc import Iterator
from typing import Literal, TypeAlias

import attrs

from windlass.serving.access.callers import Authenticator, Authorizer, Caller, Known
from windlass.serving.access.reviewed import Reviewed
from windlass.serving.errors import NotPermitted, NotReady, ServingError, Unauthenticated

__all__ = ("Access", "Action", "Area", "Presented")

Area: TypeAlias = Literal["health", "metrics", "models", "page"]

_log = logging.getLogger(__name__)


@attrs.frozen
class Presented:
    """What a request shows of its caller: the header `Authorization`, and the name in a verified certificate."""

    authorization: str | None = attrs.field(default=None, repr=False)
    certificate: str | None = None


@attrs.frozen
class Action:
    """What is asked: a method in lower case, a path as over HTTP (gRPC has that of its REST counterpart), its area."""

    verb: str
    path: str
    area: Area = "models"


@attrs.frozen
class Access:
    """Who may ask what.

    `authenticator` judges bearer tokens; without one only certificates count. With `certificates` the common name of a
    verified client certificate is a caller; that needs TLS with an authority for clients. `authorizer` judges what
    callers may do; without one a known caller may do everything. `health_open` (the default) and `metrics_open` (not
    the default) answer those paths to anybody. So is the page's own file: there is nothing in it but the form that asks
    for a token.

    Raises ValueError when nobody could ever be let in.
    """

    authenticator: Authenticator | None = None
    authorizer: Authorizer | None = None
    certificates: bool = False
    health_open: bool = True
    metrics_open: bool = False

    def __attrs_post_init__(self) -> None:
        if self.authenticator is None and not self.certificates:
            raise ValueError("authenticator: expected one, or certificates=True; otherwise nobody could be let in")

    async def admit(self, presented: Presented, action: Action) -> Caller | None:
        """The caller, who may do that; None where nobody has to be one.

        Raises Unauthenticated, NotPermitted, and NotReady when callers cannot be judged at the moment.
        """
        caller = await self.identify(presented, action.area)
        if caller is not None:
            await self.permit(caller, action)
        return caller

    async def identify(self, presented: Presented, area: Area) -> Caller | None:
        """The caller; None where nobody has to be one. Raises as `admit` does."""
        if area == "page" or (area == "health" and self.health_open) or (area == "metrics" and self.metrics_open):
            return None
        with _judging():
            return await self._caller(presented)

    async def permit(self, caller: Caller, action: Action) -> None:
        """Return if the caller may do that. Raises as `admit` does."""
        if self.authorizer is None:
            return
        with _judging():
            permitted = await self.authorizer.permits(caller, verb=action.verb, path=action.path)
        if not permitted:
            raise NotPermitted(f"{caller.name!r} may not {action.verb} {action.path}")

    async def close(self) -> None:
        """Give up judgements that are under way."""
        for judge in (self.authenticator, self.authorizer):
            if isinstance(judge, Reviewed):
                await judge.close()

    async def _caller(self, presented: Presented) -> Caller:
        token = _bearer(presented.authorization)
        if token is not None:
            if self.authenticator is None:
                raise Unauthenticated("tokens are not taken here; a client certificate is needed")
            caller = await self.authenticator.caller(token)
            if caller is None:
                raise Unauthenticated("the bearer token is not valid", error="invalid_token")
            return caller
        if self.certificates and presented.certificate:
            return Known(presented.certificate)
        raise Unauthenticated("who asks is not known; send the header Authorization: Bearer TOKEN")


@contextlib.contextmanager
def _judging() -> Iterator[None]:
    try:
        yield
    except ServingError:
        raise
    except Exception as error:
        _log.exception("callers cannot be judged")
        raise NotReady("who may ask cannot be found out at the moment; the server's log has the details") from error


def _bearer(authorization: str | None) -> str | None:
    """The token; None without a header. Raises Unauthenticated for another scheme, or no token (RFC 6750 §2.1)."""
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or " " in token:
        raise Unauthenticated("the header Authorization is not understood; expected Bearer TOKEN")
    return token
