"""The highest version that loads is the one that serves.

What must be loaded or unloaded for that follows from what serves and what is found.

Pure: it does not know files, threads or models. The rules, in order:

1. a name that is no longer found is unloaded;
2. of the versions found, from the highest down, those that failed to load and have not changed since are passed over;
3. the first that remains is loaded, unless it is the one that serves already;
4. when none remains, or only versions below the one that serves and is still found, what serves keeps serving.
"""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

__all__ = ("Action", "Failure", "Found", "Load", "Slot", "Unload", "plan")


@attrs.frozen
class Found:
    """One complete version folder.

    `mark` changes whenever the folder's description is another one (device, inode, time, size).
    """

    version: int
    mark: tuple[int, ...] = ()


@attrs.frozen
class Failure:
    """Why a version did not load. A `passing` reason (the disk, not the model) is tried again at each scan."""

    found: Found
    reason: str
    passing: bool = False


@attrs.frozen
class Slot:
    """What is known of one name: the version that serves, and the failures of others by version."""

    serving: Found | None = None
    failures: Mapping[int, Failure] = attrs.field(factory=dict)


@attrs.frozen
class Load:
    """Load this version, verify it, warm it up, and only then let it replace what serves."""

    name: str
    found: Found


@attrs.frozen
class Unload:
    """Take the model away; requests that hold it finish on it."""

    name: str


Action: TypeAlias = Load | Unload


def plan(current: Mapping[str, Slot], found: Mapping[str, frozenset[Found]], *, retry: bool = False) -> list[Action]:
    """The actions that bring what serves in line with what is found, unloads first, then by name.

    `retry` tries passing failures again.
    """
    actions: list[Action] = [Unload(name) for name in sorted(current) if not found.get(name)]
    for name in sorted(found):
        slot = current.get(name, Slot())
        best = _best(slot, found[name], retry)
        if best is not None and best != slot.serving:
            actions.append(Load(name, best))
    return actions


def _best(slot: Slot, versions: frozenset[Found], retry: bool) -> Found | None:
    serving = slot.serving.version if slot.serving else 0
    # While the version that serves still lies there, a failure above it or of its own rewritten folder must not bring
    # back an older one.
    lowest = serving if any(one.version == serving for one in versions) else 0
    for candidate in sorted(versions, key=lambda one: one.version, reverse=True):
        if candidate.version < lowest:
            return None
        failure = slot.failures.get(candidate.version)
        if failure is None or failure.found != candidate or (failure.passing and retry):
            return candidate
    return None
