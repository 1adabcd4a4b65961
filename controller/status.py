"""A status write carries only what differs and the version it was computed from; if nothing differs there is none (F8).

Pure: computes merge patches; `Context.status` sends them. A condition keeps its `lastTransitionTime` as long as its
`status` stays, so a reconciler that sets the same condition each run with a fresh time writes nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeGuard

from windlass.controller.errors import ControllerError
from windlass.controller.subject import Subject

__all__ = ("difference", "equal_values", "keep_transition_times", "rebase", "rfc3339", "status_patch")


_CONDITION_FIELDS = {"type", "status", "reason", "message", "observedGeneration", "lastTransitionTime"}


def status_patch(
    subject: Subject, current: Mapping[str, Any], desired: Mapping[str, Any], *, now: datetime
) -> dict[str, Any] | None:
    """The merge patch that makes the fields of `desired` true of a status that is `current`; None if they are.

    Fields that `desired` does not name stay as they are; None removes a field. Conditions (`now` is the time of those
    that flip) keep their transition times. The patch carries the subject's resourceVersion (F6); without one it would
    overwrite whatever came between, so that is a ControllerError.
    """
    aligned = {
        name: keep_transition_times(current.get(name), value, now=now) if _are_conditions(value) else value
        for name, value in desired.items()
    }
    changes = difference(current, aligned)
    if not changes:
        return None
    if not subject.resource_version:
        raise ControllerError(f"the status of {subject} cannot be written: the object has no resourceVersion")
    return {"metadata": {"resourceVersion": subject.resource_version}, "status": changes}


def difference(current: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest JSON merge patch after which the fields named in `desired` are as it says.

    Nested mappings are compared field by field, and only the fields named; lists as wholes, since a merge patch
    replaces them.
    """
    changes: dict[str, Any] = {}
    for name, value in desired.items():
        present = name in current
        if value is None:
            if present:
                changes[name] = None
        elif isinstance(value, dict) and isinstance(current.get(name), dict):
            inner = difference(current[name], value)
            if inner:
                changes[name] = inner
        elif not present or not equal_values(current[name], value):
            changes[name] = value
    return changes


def rebase(base: Mapping[str, Any], desired: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """`desired`, computed from a status that was `base`, as it is to be now that somebody has made the status `live`.

    A list of conditions is one field with many writers, so each type is taken by itself: where `desired` differs from
    `base` it is as desired, everywhere else as it is live (CA-3). Every other field stays as desired: whoever names a
    field owns it.
    """
    return {
        name: _rebased(base.get(name), value, live.get(name)) if _are_conditions(value) else value
        for name, value in desired.items()
    }


def _rebased(base: object, desired: list[dict[str, Any]], live: object) -> list[dict[str, Any]]:
    was, wanted, now = (_by_type(conditions) for conditions in (base, desired, live))
    touched = {name for name in {*was, *wanted} if not equal_values(was.get(name), wanted.get(name))}
    kept = [
        wanted[name] if name in touched else one for name, one in now.items() if name not in touched or name in wanted
    ]
    return [*kept, *(one for name, one in wanted.items() if name in touched and name not in now)]


def _by_type(conditions: object) -> dict[str, dict[str, Any]]:
    return {one["type"]: one for one in conditions} if _are_conditions(conditions) else {}


def keep_transition_times(current: object, desired: list[dict[str, Any]], *, now: datetime) -> list[dict[str, Any]]:
    """`desired` conditions with the times of `current` ones of the same type and status; others get theirs or `now`.

    What a server adds to a condition beside the standard fields, as to a pod's, stays, or no write would ever be equal
    to what came of it (P13).
    """
    known = _by_type(current)
    kept: list[dict[str, Any]] = []
    for condition in desired:
        before = known.get(condition["type"])
        if before is not None and before["status"] == condition["status"] and before.get("lastTransitionTime"):
            time = before["lastTransitionTime"]
        else:
            time = condition.get("lastTransitionTime") or rfc3339(now)
        added = {name: value for name, value in (before or {}).items() if name not in _CONDITION_FIELDS}
        kept.append({**added, **condition, "lastTransitionTime": time})
    return kept


def rfc3339(moment: datetime) -> str:
    """`2026-08-01T12:00:00Z`: whole seconds, as metav1.Time is written."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def equal_values(left: object, right: object) -> bool:
    """Equality of JSON values: unlike in Python, true is not 1."""
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal_values, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal_values(left[name], right[name]) for name in left)
    return left == right


def _are_conditions(value: object) -> TypeGuard[list[dict[str, Any]]]:
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(one, Mapping) and "type" in one and "status" in one for one in value)
    )
