"""A condition's transition time moves only when its status does; setting what is already so returns the same snapshot.

Conditions are observations, as the API conventions define them (C-01..C-27 in the reference): not a state machine and
not a history. A ``Conditions`` value is immutable; "did anything change" is ``after is not before``, which is what lets
a controller skip a write.

This module does not know what time it is (``now`` is passed in), which object the conditions belong to, or how they
are written to the cluster.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, Literal, Self, TypeAlias

import attrs

from windlass.statemachine.errors import InvalidCondition

__all__ = (
    "MESSAGE_LENGTH_MAX",
    "REASON_LENGTH_MAX",
    "REASON_PATTERN",
    "TYPE_LENGTH_MAX",
    "TYPE_PATTERN",
    "Condition",
    "Conditions",
    "Status",
)

Status: TypeAlias = Literal["True", "False", "Unknown"]

# C-01, C-05, C-06: the bounds that the API server's own schema of a condition states.
TYPE_LENGTH_MAX: Final = 316
TYPE_PATTERN: Final = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)
REASON_LENGTH_MAX: Final = 1024
REASON_PATTERN: Final = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
MESSAGE_LENGTH_MAX: Final = 32_768

_STATUSES: Final = ("True", "False", "Unknown")
_TYPE: Final = re.compile(TYPE_PATTERN)
_REASON: Final = re.compile(REASON_PATTERN)


def _whole_second(moment: object) -> datetime | None:
    """Bring a time to what survives the trip to the server and back: UTC, whole seconds (C-04)."""
    if moment is None:
        return None
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise InvalidCondition(f"last_transition_time: expected a datetime with a time zone, found {moment!r} (C-04)")
    return moment.astimezone(UTC).replace(microsecond=0)


@attrs.frozen
class Condition:
    """One observation about an object.

    ``type`` is an adjective or past participle such as ``Ready``; ``status`` the string True, False or Unknown;
    ``reason`` one CamelCase word for the category of cause; ``message`` is for humans; ``observed_generation`` is the
    generation of the spec that was judged; ``last_transition_time`` is aware, in UTC and whole seconds (anything finer
    is cut off), and None until the condition enters ``Conditions``.

    Raises ``InvalidCondition`` naming the field, what was found and the rule (C-01..C-06).
    """

    type: str
    status: Status
    reason: str
    message: str = ""
    observed_generation: int | None = None
    last_transition_time: datetime | None = attrs.field(default=None, converter=_whole_second)

    def __attrs_post_init__(self) -> None:
        _check_text("type", self.type, length_max=TYPE_LENGTH_MAX, pattern=_TYPE, rule="C-01")
        if self.status not in _STATUSES:
            raise InvalidCondition(f"status: expected one of the strings {_STATUSES}, found {self.status!r} (C-02)")
        _check_text("reason", self.reason, length_max=REASON_LENGTH_MAX, pattern=_REASON, rule="C-05")
        _check_text("message", self.message, length_max=MESSAGE_LENGTH_MAX, pattern=None, rule="C-06")
        _check_generation(self.observed_generation)

    def same_state(self, other: "Condition") -> bool:
        """Whether they say the same, whenever it began (CA-2): equal but for `last_transition_time`."""
        return attrs.evolve(self, last_transition_time=None) == attrs.evolve(other, last_transition_time=None)

    def is_stale(self, generation: int) -> bool:
        """Whether this was observed on an older spec than ``generation``, and so counts as not known yet (C-25)."""
        return self.observed_generation is not None and self.observed_generation < generation


def _check_generation(generation: object) -> None:
    if generation is None:
        return
    if isinstance(generation, bool) or not isinstance(generation, int) or generation < 0:
        raise InvalidCondition(f"observed_generation: expected an integer from 0 up, found {generation!r} (C-03)")


def _check_text(field: str, text: object, *, length_max: int, pattern: re.Pattern[str] | None, rule: str) -> None:
    if not isinstance(text, str):
        raise InvalidCondition(f"{field}: expected a string, found {text!r} ({rule})")
    if len(text) > length_max:
        raise InvalidCondition(f"{field}: expected at most {length_max} characters, found {len(text)} ({rule})")
    # `fullmatch`, because in Python `$` would let a trailing line break pass.
    if pattern is not None and pattern.fullmatch(text) is None:
        raise InvalidCondition(f"{field}: expected text that matches {pattern.pattern}, found {text!r} ({rule})")


@attrs.frozen(repr=False)
class Conditions:
    """An immutable, ordered snapshot of an object's conditions, at most one of each type (C-07).

    It iterates over its conditions in order, has a length, and equals another snapshot with the same conditions in the
    same order.
    """

    _items: tuple[Condition, ...] = ()

    @classmethod
    def of(cls, conditions: Iterable[Condition]) -> Self:
        """Take conditions as they are, in their order. Raises ``InvalidCondition`` if a type occurs twice (C-07)."""
        items = tuple(conditions)
        seen: set[str] = set()
        for item in items:
            if item.type in seen:
                raise InvalidCondition(
                    f"type: the condition {item.type!r} occurs twice; each type may occur once (C-07)"
                )
            seen.add(item.type)
        return cls(items)

    def get(self, type: str) -> Condition | None:  # noqa: A002 - the API's own word
        """The condition of that type, or None."""
        return next((item for item in self._items if item.type == type), None)

    def status(self, type: str, *, generation: int | None = None) -> Status:  # noqa: A002
        """The status of that type; ``Unknown`` when absent (C-20), or stale for the ``generation`` given (C-25)."""
        found = self.get(type)
        if found is None or (generation is not None and found.is_stale(generation)):
            return "Unknown"
        return found.status

    def is_true(self, type: str, *, generation: int | None = None) -> bool:  # noqa: A002
        """Whether that type is present, not stale for ``generation``, and True (C-16)."""
        return self.status(type, generation=generation) == "True"

    def is_false(self, type: str, *, generation: int | None = None) -> bool:  # noqa: A002
        """Whether that type is present, not stale for ``generation``, and False (C-16)."""
        return self.status(type, generation=generation) == "False"

    def set(self, condition: Condition, *, now: datetime) -> "Conditions":
        """Return the snapshot with ``condition`` in it, or this very one if nothing differs (C-14).

        An absent type is appended; a present one is replaced in its place. ``last_transition_time`` is the condition's
        own (``now`` where it has none) when the type is new or its status differs (C-10, C-11); otherwise the time
        already recorded stays, even against one supplied (C-12).
        """
        old = self.get(condition.type)
        keeper = old if old is not None and old.status == condition.status else condition
        # `or now` also mends a recorded condition that lacks the time, which some other writer left out.
        new = attrs.evolve(condition, last_transition_time=keeper.last_transition_time or now)
        if old is None:
            return Conditions((*self._items, new))
        if new == old:
            return self
        return Conditions(tuple(new if item is old else item for item in self._items))

    def remove(self, type: str) -> "Conditions":  # noqa: A002
        """Return the snapshot without that type, the others in their order; this very one if it was absent (C-15)."""
        kept = tuple(item for item in self._items if item.type != type)
        return self if len(kept) == len(self._items) else Conditions(kept)

    def ordered(self, *, first: Iterable[str] = (), last: Iterable[str] = ()) -> "Conditions":
        """Return them as people look for them (CA-1): `first` in front, `last` behind, the others between by name.

        This very snapshot if they are so already.
        """
        front, back = tuple(first), tuple(last)

        def rank(item: Condition) -> tuple[int, int, str]:
            if item.type in front:
                return 0, front.index(item.type), ""
            return (2, back.index(item.type), "") if item.type in back else (1, 0, item.type)

        items = tuple(sorted(self._items, key=rank))
        return self if items == self._items else Conditions(items)

    def __iter__(self) -> Iterator[Condition]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"<Conditions {' '.join(f'{item.type}={item.status}' for item in self._items) or 'none'}>"
