"""Who a request comes from is one frozen value, whatever it was told by: a token, a header, or nothing at all. Pure."""

from collections.abc import Mapping

import attrs

from windlass.envtest.apiserver.values import Json

__all__ = (
    "ADMINISTRATOR",
    "ANONYMOUS",
    "AUTHENTICATED",
    "MASTERS",
    "UNAUTHENTICATED",
    "User",
    "account_groups",
    "account_of",
)

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
_ACCOUNT = "system:serviceaccount:"


@attrs.frozen
class User:
    """A name and the groups it is in; `extra` is what an authenticator says beside that."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, hash=False)

    @classmethod
    def authenticated(cls, name: str, groups: tuple[str, ...] = (), *, uid: str = "") -> "User":
        """A user known by a credential: in the group of all such users, too."""
        return cls(name, (*(group for group in groups if group != AUTHENTICATED), AUTHENTICATED), uid)

    @classmethod
    def account(cls, namespace: str, name: str, *, uid: str = "") -> "User":
        """The user that a ServiceAccount is."""
        return cls.authenticated(f"{_ACCOUNT}{namespace}:{name}", account_groups(namespace), uid=uid)

    @property
    def privileged(self) -> bool:
        """In the group that may do everything, whatever the roles say."""
        return MASTERS in self.groups

    def info(self) -> Json:
        """As reviews write it: what is empty is left out."""
        extra = {key: list(values) for key, values in self.extra.items()}
        found = {"username": self.name, "uid": self.uid, "groups": list(self.groups), "extra": extra}
        return {key: value for key, value in found.items() if value}


def account_groups(namespace: str) -> tuple[str, ...]:
    """The groups of the ServiceAccounts of a namespace."""
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")


def account_of(name: str) -> tuple[str, str] | None:
    """The namespace and name of the ServiceAccount that a user's name stands for, or None."""
    parts = name.removeprefix(_ACCOUNT).split(":")
    return (parts[0], parts[1]) if name.startswith(_ACCOUNT) and len(parts) == 2 and all(parts) else None


ADMINISTRATOR = User.authenticated("admin", (MASTERS,), uid="admin")
ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))
