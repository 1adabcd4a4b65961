"""The highest versions that load are those that serve, as many of them as the model's settings say.

What must be loaded or taken away for that follows from what serves and what is found.

Pure: it does not know files, threads or models. The rules, in order:

1. a name that is no longer found is unloaded;
2. of the versions found, those that failed to load and have not changed since are passed over, unless an older content
   of the same version serves: that one counts, and serves on;
3. of those that remain the settings choose: the latest so many, all, or the named ones;
4. each chosen one is loaded, unless it serves already, from the highest down;
5. when all chosen ones serve, the others that serve are retired; when none is chosen, what serves keeps serving.
"""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from windlass.serving.repository.settings import Latest, Versions

__all__ = ("Action", "Failure", "Found", "Load", "Retire", "Slot", "Unload", "plan")

_LATEST = Latest()


@attrs.frozen
class Found:
    """One complete version folder.

    `mark` changes whenever a file in the folder is another one (device, inode, time, size).
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
    """What is known of one name: the versions that serve, and the failures, both by version.

    `missing` are those that the settings name and that are not there.
    """

    serving: Mapping[int, Found] = attrs.field(factory=dict)
    failures: Mapping[int, Failure] = attrs.field(factory=dict)
    versions: Versions = _LATEST
    missing: tuple[int, ...] = ()


@attrs.frozen
class Load:
    """Load this version, verify it, warm it up, and only then let it serve."""

    name: str
    found: Found


@attrs.frozen
class Retire:
    """Take this version away; requests that hold it finish on it."""

    name: str
    version: int


@attrs.frozen
class Unload:
    """Take the whole model away; requests that hold it finish on it."""

    name: str


Action: TypeAlias = Load | Retire | Unload


def plan(current: Mapping[str, Slot], found: Mapping[str, frozenset[Found]], *, retry: bool = False) -> list[Action]:
    """The actions that bring what serves in line with what is found, unloads first, then by name.

    `retry` tries passing failures again.
    """
    actions: list[Action] = [Unload(name) for name in sorted(current) if not found.get(name)]
    for name in sorted(found):
        slot = current.get(name, Slot())
        chosen = _chosen(slot, found[name], retry)
        loads = [Load(name, one) for one in chosen if _is_due(slot, one, retry)]
        actions += loads
        if chosen and not loads:
            kept = {one.version for one in chosen}
            actions += [Retire(name, version) for version in sorted(slot.serving) if version not in kept]
    return actions


def _chosen(slot: Slot, versions: frozenset[Found], retry: bool) -> list[Found]:
    usable = [
        one
        for one in sorted(versions, key=lambda one: one.version, reverse=True)
        if one.version in slot.serving or not _has_failed(slot, one, retry)
    ]
    match slot.versions:
        case "all":
            return usable
        case Latest(latest):
            return usable[:latest]
        case numbers:
            return [one for one in usable if one.version in numbers]


def _is_due(slot: Slot, found: Found, retry: bool) -> bool:
    return slot.serving.get(found.version) != found and not _has_failed(slot, found, retry)


def _has_failed(slot: Slot, found: Found, retry: bool) -> bool:
    failure = slot.failures.get(found.version)
    return failure is not None and failure.found == found and not (failure.passing and retry)
