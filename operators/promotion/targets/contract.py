"""A target is seen as one `Sight` and changed by one named operation; what differs between targets stays behind this.

This module does not know why anything is done, nor how a target is reached.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeAlias

import attrs

from windlass.operators.promotion.types import CandidateStatus, OperationStatus, PreviousStatus, Promotion, Release

__all__ = (
    "TARGET_NOT_FOUND",
    "Fault",
    "Json",
    "Plan",
    "Sight",
    "Target",
    "Trouble",
    "Written",
    "follows",
    "operation_id",
    "plan_of",
    "release_of",
)

Json: TypeAlias = dict[str, Any]

TARGET_NOT_FOUND: Final = "TargetNotFound"


@attrs.frozen
class Fault:
    """Why a target cannot be seen, or not be promoted to: the condition's reason, and whether waiting may help."""

    reason: str
    message: str
    retryable: bool = False


@attrs.frozen
class Trouble:
    """The target says that it is not well. `final`: it will not get well by itself, so it is not borne."""

    reason: str
    message: str
    final: bool = False


@attrs.frozen
class Plan:
    """What of a promotion a target must know. `field` is the release's field in JSON, `value` what it shall be.

    `name` is what a candidate that needs a name is called; `previous`, `candidate` and `operation` are on record.
    """

    field: str
    value: str
    name: str
    previous: PreviousStatus | None = None
    candidate: CandidateStatus | None = None
    operation: OperationStatus | None = None


@attrs.frozen
class Sight:
    """What was seen of a target in one look.

    `generation` differs whenever something else is asked of the target; `others` is the digest of what a promotion does
    not own. `previous` is what to go back to; `refusal` is why the release cannot be promoted here at all. `serves`: it
    is the release that serves. `unsettled` is what is under way, in words, empty if nothing. `candidate` is the
    revision of the release, "" before there is one; `split` the observed percents by revision. `shown`: the target
    already asks for what the operation on record would make it ask for; `reached`: that is also what was observed.
    `restored`: nothing is left to restore once the operation is reached. `steady`: the latest revision serves,
    whichever it is. `gone` is why what there is to go back to would answer nobody, in words, empty if it serves or the
    target does not tell. `found` is the target itself, for whoever writes it.
    """

    uid: str
    mode: str
    generation: str
    others: str
    previous: PreviousStatus
    refusal: Fault | None = None
    serves: bool = False
    unsettled: str = ""
    candidate: str = ""
    split: Mapping[str, int] = attrs.field(factory=dict)
    shown: bool = False
    reached: bool = False
    restored: bool = True
    trouble: Trouble | None = None
    steady: bool = False
    gone: str = ""
    found: Any = attrs.field(default=None, eq=False, repr=False)  # what a write starts from


@attrs.frozen
class Written:
    """A write was made, and this is the generation that it made."""

    generation: str


class Target(Protocol):
    """Reaches one kind of target."""

    async def look(self, promotion: Promotion) -> Sight | Fault:
        """What is there now, as the target itself says and not as a cache does."""

    async def write(self, promotion: Promotion, sight: Sight) -> Written | Fault | None:
        """Make the target ask for what the operation on record says, if it still is what was seen; else do nothing.

        A Fault is a refusal by the target, None is that somebody was faster. Raises what may succeed when it is tried
        again.
        """


def plan_of(promotion: Promotion) -> Plan:
    """The plan that a promotion is."""
    field, value = release_of(promotion.spec.release)
    status = promotion.status
    name = f"c{_digest(f'{promotion.metadata.uid}|candidate')[:9]}"
    return Plan(field, value, name, status.previous, status.candidate, status.operation)


def release_of(release: Release) -> tuple[str, str]:
    """The one field of a release that is given, as JSON calls it, and its text; ("", "") when none is."""
    model = release.model
    fields = {
        "image": release.image,
        "runtimeVersion": release.runtime_version,
        "storageUri": release.storage_uri,
        "model": f"{model.name}@{model.version}" if model is not None else None,
    }
    given = [(name, value) for name, value in fields.items() if value is not None]
    return given[0] if len(given) == 1 else ("", "")


def follows(before: str, after: str) -> bool:
    """Whether one change alone can have led from one generation to the other; those that are no numbers do not say."""
    if before.isdecimal() and after.isdecimal():
        return int(after) == int(before) + 1
    return before != after


def operation_id(uid: str, name: str, weight: int) -> str:
    """The id under which an operation is put on record before it is made (G1, G2)."""
    return _digest(f"{uid}|{name}|{weight}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]
