"""A unit is assigned once, answered once and rewarded once, however often it comes: the first time counts.

Units are kept as 64-bit hashes, about a hundred bytes each, until the experiment ends; no key of a user is stored.
"""

from enum import IntFlag
from hashlib import blake2b

import attrs

__all__ = ("Units",)


class _Seen(IntFlag):
    CONTROL = 0
    TREATMENT = 1
    ANSWERED = 2
    REWARDED = 4


@attrs.define(eq=False)
class Units:
    """The units of one experiment."""

    _seen: dict[int, int] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(self._seen)

    def assigned(self, unit: str, *, treatment: bool) -> bool:
        """Whether the unit is new; its arm stays the one of the first time."""
        key = _key(unit)
        if key in self._seen:
            return False
        self._seen[key] = _Seen.TREATMENT if treatment else _Seen.CONTROL
        return True

    def answered(self, unit: str, *, treatment: bool) -> bool:
        """Whether this is the first answer to the unit, by the arm that it was assigned to."""
        return self._first(unit, _Seen.ANSWERED, treatment=treatment)

    def rewarded(self, unit: str) -> bool | None:
        """Whether the unit's first reward goes to the treatment (True) or the control; None when it counts for none."""
        seen = self._seen.get(_key(unit))
        if seen is None or seen & _Seen.REWARDED:
            return None
        treatment = bool(seen & _Seen.TREATMENT)
        self._first(unit, _Seen.REWARDED, treatment=treatment)
        return treatment

    def copy(self) -> dict[int, int]:
        """What is known, to make the same units of."""
        return dict(self._seen)

    def clear(self) -> None:
        """Forget all of them."""
        self._seen.clear()

    def _first(self, unit: str, flag: _Seen, *, treatment: bool) -> bool:
        key = _key(unit)
        seen = self._seen.get(key)
        if seen is None or seen & flag or bool(seen & _Seen.TREATMENT) is not treatment:
            return False
        self._seen[key] = seen | flag
        return True


def _key(unit: str) -> int:
    return int.from_bytes(blake2b(unit.encode(errors="surrogateescape"), digest_size=8).digest(), "big")
