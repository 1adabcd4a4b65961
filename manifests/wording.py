"""These markers tell people about a field, and a server nothing: titles, examples and links.

This module does not know where they stand. ``Description`` is with the other markers, for docstrings use it as well.
"""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from windlass.manifests.markers import Marker

__all__ = ("Example", "ExternalDocs", "Title")


@attrs.frozen
class Title(Marker):
    """A short heading for the field."""

    text: str

    def _keywords(self) -> Mapping[str, Any]:
        return {"title": self.text}


@attrs.frozen
class Example(Marker):
    """A value that the field might have, as plain JSON."""

    value: Any

    def _keywords(self) -> Mapping[str, Any]:
        return {"example": self.value}

    def _fault(self) -> str | None:
        try:
            json.dumps(self.value, allow_nan=False)
        except (TypeError, ValueError):
            return "a value of plain JSON"
        return None


@attrs.frozen
class ExternalDocs(Marker):
    """Where to read on."""

    url: str
    description: str = ""

    def _keywords(self) -> Mapping[str, Any]:
        stated = {"url": self.url, "description": self.description}
        return {"externalDocs": {name: text for name, text in stated.items() if text}}

    def _fault(self) -> str | None:
        return None if self.url.startswith(("http://", "https://")) else "a URL of http or https"
