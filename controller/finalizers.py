"""A finalizer is added before anything outside the cluster exists and removed only after it is gone (F1, F2).

The list of finalizers has no merge key: a merge patch of it would overwrite what others put there meanwhile. So each
edit is a JSON Patch that tests what it was computed from (F3); if the test fails, somebody was faster: read again (F4).
Pure: this module computes stages and patches; `Context` sends them.
"""

import enum
from typing import Any

from windlass.controller.subject import Subject

__all__ = ("Stage", "adding", "removing", "stage")


class Stage(enum.Enum):
    """Where an object stands with one finalizer, and what that calls for (F1)."""

    ADD = "live, without the finalizer: add it, do nothing else, and wait for the change to come back"
    RECONCILE = "live, with the finalizer: reconcile"
    CLEAN_UP = "being deleted, with the finalizer: clean up, then remove it"
    LET_GO = "being deleted, without the finalizer: nothing is left to do"


def stage(subject: Subject, finalizer: str) -> Stage:
    """The stage of `subject` with `finalizer`."""
    if finalizer in subject.finalizers:
        return Stage.CLEAN_UP if subject.deleting else Stage.RECONCILE
    return Stage.LET_GO if subject.deleting else Stage.ADD


def adding(subject: Subject, finalizer: str) -> list[dict[str, Any]]:
    """The JSON Patch that adds `finalizer`; empty if it is there or deletion has begun, when servers refuse it (F5)."""
    if stage(subject, finalizer) is not Stage.ADD:
        return []
    if subject.finalizers:
        return [
            {"op": "test", "path": "/metadata/finalizers", "value": list(subject.finalizers)},
            {"op": "add", "path": "/metadata/finalizers/-", "value": finalizer},
        ]
    # There is no list to test, and servers differ in what testing an absent path means: test the version instead.
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": subject.resource_version},
        {"op": "add", "path": "/metadata/finalizers", "value": [finalizer]},
    ]


def removing(subject: Subject, finalizer: str) -> list[dict[str, Any]]:
    """The JSON Patch that removes every entry of `finalizer`, testing each by its index; empty if there is none."""
    patch: list[dict[str, Any]] = []
    for index in range(len(subject.finalizers) - 1, -1, -1):  # from the back, so that the indexes before it stay right
        if subject.finalizers[index] == finalizer:
            path = f"/metadata/finalizers/{index}"
            patch += [{"op": "test", "path": path, "value": finalizer}, {"op": "remove", "path": path}]
    return patch
