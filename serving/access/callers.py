"""A caller is a name and groups, as far as anyone here is told: credentials stay with who judges them."""

from typing import Protocol

import attrs

__all__ = ("Authenticator", "Authorizer", "Caller", "Known")


class Caller(Protocol):
    """Whoever a credential stands for."""

    @property
    def name(self) -> str:
        """Unique among callers."""

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups the caller is in, which may be none."""


@attrs.frozen
class Known:
    """A caller by a name and groups."""

    name: str
    groups: tuple[str, ...] = ()


class Authenticator(Protocol):
    """Says whose a token is. Whatever it raises refuses the request with 503: who cannot be judged is not let in."""

    async def caller(self, token: str) -> Caller | None:
        """The caller, or None for a token that is nobody's."""


class Authorizer(Protocol):
    """Says who may do what. Whatever it raises refuses the request with 503."""

    async def permits(self, caller: Caller, *, verb: str, path: str) -> bool:
        """Whether the caller may use the method `verb`, in lower case, on the path."""
