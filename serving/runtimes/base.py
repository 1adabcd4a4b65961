"""A runtime turns one verified file into a model, off the event loop, and knows nothing of repositories or requests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import attrs

from windlass.serving.model import Model

__all__ = ("Runtime", "Source")


@attrs.frozen
class Source:
    """A model file.

    `content` is what was read once and whose digest was verified: a runtime uses it and does not open `path` again.
    """

    name: str
    version: str
    path: Path
    content: bytes = attrs.field(repr=False)
    metadata: Mapping[str, str] = attrs.field(factory=dict, repr=False)


class Runtime(Protocol):
    """One format of model files."""

    def load(self, source: Source) -> Model:
        """Build the model.

        Synchronous, called in a thread. Raises ModelError with one sentence that says what is wrong with the file.
        """
