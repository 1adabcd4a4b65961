"""Create an object, or change what is there, by one function that is given the object and makes it right (P13, P14).

Flow: read; let `mutate` change a copy; send what differs, and nothing if nothing does. Because `mutate` works on the
object as it is, whatever servers and others filled in stays, and is no difference. What it did under `status` goes in a
request of its own, to the status subresource (F7).

Guarantees: every patch carries the version it was computed from; another writer is noticed, `mutate` is asked again.
Assumptions: `mutate` may be called any number of times, also on its own result, and touches nothing but its argument.
Caveats: a list is compared and sent as a whole. A `mutate` that writes a list anew, without what servers fill in inside
of it, differs for ever: that is noticed after the write, and logged with the fields' names. Server-side apply
(`ctx.apply`) knows lists by their keys.
"""

import copy
import enum
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs
import msgspec

from windlass.controller.conflicts import retry_on_conflict
from windlass.controller.errors import ControllerError
from windlass.controller.status import equal_values
from windlass.informers.api import Api
from windlass.informers.errors import AlreadyExists, Conflict, NotFound
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.requests import PatchType
from windlass.informers.resources import Resource

__all__ = ("Mutate", "Operation", "Target", "Upserted", "create_or_patch", "merge_patch")

Body: TypeAlias = dict[str, Any]

Mutate: TypeAlias = Callable[[Body], None]
"""Makes an object what it should be, in place. A new one has its apiVersion, kind, name and namespace, and no more."""

_LOG = logging.getLogger("windlass.controller")
_IDENTITY = ("name", "namespace")


class Operation(enum.Enum):
    """What was necessary."""

    CREATED = "created"
    PATCHED = "patched"
    UNCHANGED = "unchanged"


@attrs.frozen
class Upserted:
    """The object as it is now, and what was done for it."""

    operation: Operation
    object: Object


@attrs.frozen
class Target:
    """Which object; `cached` is what the cache holds of it, if anything, and saves the first read."""

    resource: Resource
    key: Key
    cached: Object | None = None


@attrs.frozen
class _Work:
    """One call's circumstances, the same in each of its attempts."""

    api: Api
    target: Target
    mutate: Mutate
    field_manager: str | None


async def create_or_patch(api: Api, target: Target, mutate: Mutate, *, field_manager: str | None = None) -> Upserted:
    """Make the target what `mutate` says. Raises ControllerError if that changes which object it is, and ApiError.

    When others keep writing the object, the last Conflict is raised after a few tries.
    """
    work = _Work(api, target, mutate, field_manager)
    cached = target.cached

    async def attempt() -> Upserted:
        nonlocal cached
        known, cached = cached, None  # what made a conflict is not looked at twice
        found = known or await _read(api, target)
        try:
            if found is not None:
                return await _patch(work, found)
        except NotFound as error:
            if known is None:
                raise
            raise Conflict(409, "Conflict", f"gone, though the cache still has it: {error}") from error
        try:
            return await _create(work)
        except AlreadyExists as error:  # somebody was faster: the same as a conflict
            raise Conflict(409, "Conflict", str(error)) from error

    return await retry_on_conflict(attempt)


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> Body:
    """The JSON merge patch that makes `after` of `before`; empty if they are equal. Null means absent."""
    changes: Body = {name: None for name, value in before.items() if value is not None and after.get(name) is None}
    for name, value in after.items():
        known = before.get(name)
        if value is None or equal_values(known, value):
            continue
        if isinstance(known, dict) and isinstance(value, dict):
            inner = merge_patch(known, value)
            if inner:
                changes[name] = inner
        else:
            changes[name] = value
    return changes


async def _read(api: Api, target: Target) -> Object | None:
    try:
        return await api.get(target.resource, target.key)
    except NotFound:
        return None


async def _create(work: _Work) -> Upserted:
    resource, key = work.target.resource, work.target.key
    metadata = {"name": key.name} | ({"namespace": key.namespace} if key.namespace else {})
    body = _mutated({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}, work)
    status = body.pop("status", None)
    created = await work.api.create(resource, body)
    if not status or work.api.client.dry_run:  # a dry run has created nothing whose status could be written
        return Upserted(Operation.CREATED, created)
    patch = {"metadata": {"resourceVersion": created.resource_version}, "status": status}
    return Upserted(Operation.CREATED, await _send(work, patch, subresource="status"))


async def _patch(work: _Work, found: Object) -> Upserted:
    before = found.to_dict()
    changes = merge_patch(before, _mutated(before, work))
    if not changes:
        return Upserted(Operation.UNCHANGED, found)
    status = changes.pop("status", None)
    if changes:
        changes["metadata"] = {**changes.get("metadata", {}), "resourceVersion": found.resource_version}
        found = await _send(work, changes)
    if status is not None:
        changes = {"metadata": {"resourceVersion": found.resource_version}, "status": status}
        found = await _send(work, changes, subresource="status")
    _warn_if_endless(work, found)
    return Upserted(Operation.PATCHED, found)


async def _send(work: _Work, patch: Body, *, subresource: str | None = None) -> Object:
    return await work.api.patch(
        work.target.resource,
        work.target.key,
        patch,
        type=PatchType.MERGE,
        subresource=subresource,
        field_manager=work.field_manager,
    )


def _mutated(before: Body, work: _Work) -> Body:
    after: Body = copy.deepcopy(before)
    work.mutate(after)
    after = msgspec.json.decode(msgspec.json.encode(after))  # as a reader would see it: tuples are lists
    old, new = _identity(before), _identity(after)
    if new != old:
        target = work.target
        raise ControllerError(f"{target.resource} {target.key}: mutate made another object of it: {old} became {new}")
    return after


def _identity(body: Body) -> Body:
    metadata = body.get("metadata") or {}
    named = {name: metadata[name] for name in _IDENTITY if metadata.get(name)}
    return {"apiVersion": body.get("apiVersion"), "kind": body.get("kind"), **named}


def _warn_if_endless(work: _Work, written: Object) -> None:
    """P13: what differs from itself right after it was written will be written at every run."""
    body = written.to_dict()
    again = merge_patch(body, _mutated(body, work))
    if again:
        fields = ", ".join(_paths(again))
        _LOG.warning("%s %s: mutate never finds %s as it wants it", work.target.resource, work.target.key, fields)


def _paths(patch: Mapping[str, Any], prefix: str = "") -> list[str]:
    paths: list[str] = []
    for name, value in patch.items():
        paths += _paths(value, f"{prefix}{name}.") if isinstance(value, dict) and value else [f"{prefix}{name}"]
    return paths
