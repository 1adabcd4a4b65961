"""A marker knows the JSON types it makes sense on, the keywords it stands for, and whether its own values are right.

This module does not know any marker.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import attrs

__all__ = ("EVERYTHING", "Marker")

EVERYTHING: Final = frozenset({"integer", "number", "int-or-string", "string", "array", "object", "boolean", "any"})
"""The JSON types as markers name them; "any" is a field without a type, "int-or-string" the one legal union."""


@attrs.frozen
class Marker:
    """The base of all markers.

    ``types`` are the JSON types it may stand on; ``nested`` says that it checks a value and no more, so that it may
    stand inside ``AnyOf`` and the like (S-05).
    """

    types: ClassVar[frozenset[str]] = EVERYTHING
    nested: ClassVar[bool] = False

    def keywords(self, json_type: str) -> Mapping[str, Any]:  # noqa: ARG002 - some markers depend on it
        """The schema keywords this marker stands for on a value of that type."""
        return self._keywords()

    def fault(self, json_type: str) -> str | None:  # noqa: ARG002 - some markers depend on it
        """What the marker's own values should have been, or None if they are right."""
        return self._fault()

    def clash(self, node: Mapping[str, Any]) -> str | None:  # noqa: ARG002 - some markers depend on it
        """What the finished node should have been for the marker to stand on it, or None if it is that."""
        return None

    def _keywords(self) -> Mapping[str, Any]:
        return {}

    def _fault(self) -> str | None:
        return None
