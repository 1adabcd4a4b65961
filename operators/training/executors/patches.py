"""A merge patch can be put into an object before it is sent, and seen to be in one that came back. Pure."""

from collections.abc import Mapping
from typing import Any

__all__ = ("includes", "merged")


def includes(body: Any, patch: Any) -> bool:
    """Whether the patch would change nothing."""
    if isinstance(body, Mapping) and isinstance(patch, Mapping):
        return all(includes(body.get(name), value) for name, value in patch.items())
    return bool(body == patch)


def merged(body: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """`body` with the patch in it, which removes nothing."""
    both = dict(body)
    for name, value in patch.items():
        before = body.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            both[name] = merged(before, value)
        else:
            both[name] = value
    return both
