"""Who somebody is comes from a bearer token; whom they act for, from the impersonation headers they may use.

A token that is not known is refused, whatever it is for. A request without one is who `without_token` says: kubectl
keeps its token back from a server without TLS, so that is the administrator unless a test wants it otherwise.
"""

import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from windlass.envtest.apiserver.access.accounts import AUDIENCE, Accounts
from windlass.envtest.apiserver.access.attributes import Attributes
from windlass.envtest.apiserver.access.authorization import Authorizer
from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.identity import (
    ADMINISTRATOR,
    ANONYMOUS,
    AUTHENTICATED,
    UNAUTHENTICATED,
    User,
    account_groups,
    account_of,
)

__all__ = ("Authenticator", "impersonated", "unauthorized")

_PREFIX = "impersonate-"


def unauthorized() -> ApiError:
    """E-08."""
    return ApiError(401, "Unauthorized", "Unauthorized")


@attrs.frozen
class Authenticator:
    """`tokens` are those known beforehand; with `anybody` every other token is the administrator's, too."""

    _tokens: Mapping[str, User] = attrs.field(repr=False)
    _accounts: Accounts
    _without_token: User | None
    _anybody: bool = False

    def user(self, headers: Mapping[str, str]) -> User:
        """Whose request it is; raises 401."""
        header = headers.get("Authorization")
        scheme, _, token = (header or "").strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            if self._without_token is None:
                raise unauthorized()
            return self._without_token if header is None else ANONYMOUS
        found = self.owner(token)
        if found is None:
            raise unauthorized()
        return found[0]

    def owner(self, token: str, audiences: Sequence[str] = ()) -> tuple[User, list[str]] | None:
        """The user that a token stands for, and for which of the audiences (by default this server)."""
        given = token.encode()
        for known, user in self._tokens.items():
            if hmac.compare_digest(given, known.encode()):
                return (user, [AUDIENCE]) if not audiences or AUDIENCE in audiences else None
        found = self._accounts.owner(token, audiences or (AUDIENCE,))
        if found is None and self._anybody:
            return ADMINISTRATOR, [AUDIENCE]
        return found


def impersonated(user: User, headers: Iterable[tuple[str, str]], authorizer: Authorizer) -> User:
    """A-02: whom the headers name, if the user may act for them; raises 403, and 500 where only a part is named."""
    given: dict[str, list[str]] = {}
    for header, value in headers:
        if header.lower().startswith(_PREFIX):
            given.setdefault(header.lower().removeprefix(_PREFIX), []).append(value)
    if not given:
        return user
    name, uid = (given.get(field, [""])[0] for field in ("user", "uid"))
    if not name:
        raise ApiError(
            500, "", "Internal Server Error: impersonation was requested without impersonating a user", plain=True
        )
    groups = tuple(given.get("group", ()))
    extra = {key.removeprefix("extra-"): tuple(values) for key, values in given.items() if key.startswith("extra-")}
    wanted = User(name, groups, uid, extra)
    for attributes in _needed(wanted):
        authorizer.require(user, attributes)
    account = account_of(name)
    if account is not None and not groups:
        groups = account_groups(account[0])
    everybody = UNAUTHENTICATED if name == ANONYMOUS.name else AUTHENTICATED
    if not {AUTHENTICATED, UNAUTHENTICATED} & set(groups):
        groups = (*groups, everybody)
    return User(name, groups, uid, extra)


def _needed(wanted: User) -> Iterator[Attributes]:
    account = account_of(wanted.name)
    if account is not None:
        yield Attributes("impersonate", resource="serviceaccounts", namespace=account[0], name=account[1])
    else:
        yield Attributes("impersonate", resource="users", name=wanted.name)
    for group in wanted.groups:
        yield Attributes("impersonate", resource="groups", name=group)
    group = "authentication.k8s.io"
    for key, values in wanted.extra.items():
        for value in values:
            yield Attributes("impersonate", group=group, resource="userextras", subresource=key, name=value)
    if wanted.uid:
        yield Attributes("impersonate", group=group, resource="uids", name=wanted.uid)
