"""One condition speaks for several: the worst news first, and nothing good is said that is not known.

What is wrong outweighs what is not known, and that outweighs what is well (CA-5). A condition that is absent, or was
observed on an older spec, is not known (C-20, C-25). This module does not know which kind has which conditions.
"""

from collections.abc import Sequence
from typing import Final, Literal

import attrs

from windlass.statemachine.conditions import MESSAGE_LENGTH_MAX, Condition, Conditions, Status

__all__ = ("Summary",)

_News = Literal["issue", "unknown", "info"]
_REASONS: Final[dict[_News, str]] = {
    "issue": "IssuesReported",
    "unknown": "UnknownReported",
    "info": "InfoReported",
}
_STATUSES: Final[dict[_News, Status]] = {"issue": "False", "unknown": "Unknown", "info": "True"}


@attrs.frozen
class Summary:
    """How the condition `type` (`Ready` for what runs on, `Succeeded` for what ends, C-22) follows from those `of`.

    `negative` are those of `of` that are bad news when they are True, as `Stalled` is.
    """

    type: str
    of: tuple[str, ...]
    negative: tuple[str, ...] = ()

    def condition(self, conditions: Conditions, *, generation: int) -> Condition:
        """The summary for an object at `generation`: True if all is well, False if anything is wrong, else Unknown.

        With one contributor the reason and message are its own; with several the reason says how grave it is, and the
        message lists them in the order of `of`.
        """
        news = {name: self._news(conditions, name, generation) for name in self.of}
        gravest = next(grade for grade in _REASONS if grade in news.values() or grade == "info")
        contributing = [name for name in self.of if news[name] == gravest]
        reason, message = self._words(conditions, contributing, gravest)
        return Condition(self.type, _STATUSES[gravest], reason, message, observed_generation=generation)

    def _news(self, conditions: Conditions, name: str, generation: int) -> _News:
        status = conditions.status(name, generation=generation)
        if status == "Unknown":
            return "unknown"
        return "issue" if (status == "True") == (name in self.negative) else "info"

    def _words(self, conditions: Conditions, contributing: Sequence[str], gravest: _News) -> tuple[str, str]:
        found = [conditions.get(name) for name in contributing]
        if len(found) == 1 and found[0] is not None:
            return found[0].reason, found[0].message
        lines = [
            f"{name}: {one.message or one.reason}" if one is not None else f"{name}: not reported yet"
            for name, one in zip(contributing, found, strict=True)
        ]
        # What is well needs no list: whoever reads "True" looks no further.
        return _REASONS[gravest], "" if gravest == "info" else "\n".join(lines)[:MESSAGE_LENGTH_MAX]
