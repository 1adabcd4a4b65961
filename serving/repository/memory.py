"""A model's memory counts until nobody can use the model any more, not only until it stops serving.

Which versions are in memory, how much they take, and what is done when the last request lets one go.
"""

import asyncio
import contextlib
import time
import weakref
from collections.abc import Callable

import attrs

from windlass.serving.model import Hold, LoadedModel
from windlass.serving.repository.budget import Resident

__all__ = ("Memory",)


@attrs.frozen(eq=False)
class _Kept:
    name: str
    version: str
    size: int
    hold: weakref.ref[Hold]


class Memory:
    """The models that are in memory. Used on the event loop, or before it runs."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}
        self._number = 0
        self._freed = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Memory models={len(self._kept)} bytes={self.total()}>"

    def keep(self, loaded: LoadedModel, size: int, *, freed: Callable[[], None]) -> None:
        """Count it until its last user lets it go; then call `freed`, on the loop that runs now if there is one."""
        self._number += 1
        number = self._number
        loaded.hold.used = time.monotonic()
        self._kept[number] = _Kept(loaded.name, loaded.version, size, weakref.ref(loaded.hold))
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None

        def free() -> None:
            self._kept.pop(number, None)
            event, self._freed = self._freed, asyncio.Event()
            event.set()
            freed()

        def let_go() -> None:
            # Wherever the last user was: a thread, the collector, the loop itself.
            if loop is None:
                free()
                return
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(free)
                return
            free()

        weakref.finalize(loaded.hold, let_go).atexit = False

    def total(self) -> int:
        """Bytes of everything in memory."""
        return sum(one.size for one in self._kept.values())

    def sizes(self) -> dict[tuple[str, str], int]:
        """Bytes by name and version; a version that was loaded again counts twice until the first is gone."""
        sizes: dict[tuple[str, str], int] = {}
        for one in self._kept.values():
            sizes[one.name, one.version] = sizes.get((one.name, one.version), 0) + one.size
        return sizes

    def residents(self, evictable: Callable[[str, str, Hold], bool]) -> list[Resident]:
        """What is in memory, for `budget.evictions`."""
        found: list[Resident] = []
        for one in self._kept.values():
            hold = one.hold()
            fixed = hold is None or not evictable(one.name, one.version, hold)
            number = int(one.version) if one.version.isdecimal() else 0
            found.append(Resident(one.name, number, one.size, 0.0 if hold is None else hold.used, fixed))
        return found

    async def changed(self) -> None:
        """Return when something was freed."""
        await self._freed.wait()
