"""Every request passes here first: who is it, for whom does it act, and may they do it."""

from collections.abc import Mapping
from typing import NamedTuple

import attrs

from windlass.envtest.apiserver.access.attributes import Attributes, attributes_of
from windlass.envtest.apiserver.access.authentication import Authenticator, impersonated
from windlass.envtest.apiserver.access.authorization import Authorizer
from windlass.envtest.apiserver.identity import User

__all__ = ("Gate", "Knock")


class Knock(NamedTuple):
    """What of a request is looked at."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@attrs.frozen
class Gate:
    """Authentication, impersonation and authorization, in this order."""

    authenticator: Authenticator
    authorizer: Authorizer

    def admit(self, knock: Knock) -> User:
        """The user who may go on; raises 401, 403, and 500 for an impersonation of nobody."""
        user = self.authenticator.user(knock.headers)
        user = impersonated(user, knock.headers.items(), self.authorizer)
        if not self.authorizer.all_powerful(user):
            self.authorizer.require(user, attributes_of(knock.method, knock.path, knock.query))
        return user

    def may(self, user: User, wanted: Attributes) -> None:
        """Raise 403 unless the user may do one thing more."""
        self.authorizer.require(user, wanted)
