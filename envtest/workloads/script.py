"""How each thing behaves stands in a script; a change of it wakes everything that was followed so far."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from windlass.controller import Channel
from windlass.informers import Key

__all__ = ("Script",)

B = TypeVar("B")


class Script(Generic[B]):
    """Behaviours by a part of a name, in the order in which they were given. `channel` is a source of a controller."""

    def __init__(self, behaviours: Mapping[str, B] | None) -> None:
        self.behaviours: dict[str, B] = dict(behaviours or {})
        self.channel = Channel("script")
        self._followed: set[Key] = set()

    def __len__(self) -> int:
        """How many are followed."""
        return len(self._followed)

    def follow(self, key: Key) -> None:
        """Wake this one, too, from now on."""
        self._followed.add(key)

    def leave(self, key: Key) -> None:
        """Wake it no more. Idempotent."""
        self._followed.discard(key)

    def change(self, name: str, behaviour: B) -> None:
        """From now on, what has `name` in its own behaves so."""
        self.behaviours[name] = behaviour
        for key in sorted(self._followed):
            self.channel.put(key, "script")
