"""Which member a key belongs to: the same for all who know the same members, and little moves when one comes or goes.

Rendezvous hashing: every member scores the key, the highest score wins. A member that leaves gives up its own keys and
no others move; one that joins takes an equal part of everybody's. Pure, and the same in every process and version.
"""

from collections.abc import Hashable, Iterable
from hashlib import blake2b

__all__ = ("owner_of",)


def owner_of(key: Hashable, members: Iterable[str]) -> str | None:
    """The member that the key (by its `str`) belongs to; None when there are no members."""
    text = str(key).encode()
    return max(members, key=lambda member: (_score(text, member), member), default=None)


def _score(key: bytes, member: str) -> bytes:
    # The length keeps ("ab", "c") and ("a", "bc") apart.
    return blake2b(len(member).to_bytes(4, "big") + member.encode() + key, digest_size=8).digest()
