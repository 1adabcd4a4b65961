"""A change of a definition is breaking exactly when an object or a client that was right before may now be wrong.

``changes`` compares two definitions, and names each difference with its place. An added default, a looser bound or a
new optional field break nobody; a tighter bound, a removed enum value or a new required field do.

This module is pure: it does not know files or revisions.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import attrs

from windlass.manifests.expectations import JsonSchema
from windlass.manifests.narrowing import Found, narrowed

__all__ = ("Change", "changes")

_Json: TypeAlias = Mapping[str, Any]


@attrs.frozen
class Change:
    """One difference. ``place`` is ``v1 $.spec.replicas``, or a part of the definition such as ``names.plural``."""

    place: str
    text: str
    breaking: bool

    def __str__(self) -> str:
        return f"{'breaking' if self.breaking else 'compatible'}  {self.place}: {self.text}"


def changes(old: _Json | None, new: _Json | None) -> list[Change]:
    """Return what differs between two definitions of one kind, breaking changes first; None is no definition at all."""
    if old is None and new is None:
        return []
    if old is None or new is None:
        name = (old or new or {})["metadata"]["name"]
        return [Change(name, "a new kind" if old is None else "the kind is gone", breaking=new is None)]
    found = [*_names(old["spec"], new["spec"]), *_versions(old["spec"], new["spec"])]
    return sorted(found, key=lambda change: not change.breaking)


def _names(old: _Json, new: _Json) -> Iterator[Change]:
    for name in ("group", "scope"):
        if old.get(name) != new.get(name):
            yield Change(name, f"{old.get(name)} became {new.get(name)}", breaking=True)
    before, after = old["names"], new["names"]
    for name in ("kind", "listKind", "plural", "singular"):
        if before.get(name) != after.get(name):
            yield Change(f"names.{name}", f"{before.get(name)} became {after.get(name)}", breaking=True)
    for name in ("shortNames", "categories"):
        yield from _members(f"names.{name}", before.get(name, ()), after.get(name, ()))
    if old.get("conversion") != new.get("conversion"):
        gone = old.get("conversion", {}).get("strategy") == "Webhook" != new.get("conversion", {}).get("strategy")
        yield Change("conversion", "the webhook is gone" if gone else "differs", breaking=gone)


def _members(place: str, old: Any, new: Any) -> Iterator[Change]:
    for each in old:
        if each not in new:
            yield Change(place, f"{_text(each)} is gone", breaking=True)
    for each in new:
        if each not in old:
            yield Change(place, f"{_text(each)} is new", breaking=False)


def _versions(old: _Json, new: _Json) -> Iterator[Change]:
    before = {version["name"]: version for version in old["versions"]}
    after = {version["name"]: version for version in new["versions"]}
    for name in after.keys() - before.keys():
        yield Change(name, "a new version", breaking=False)
    for name, version in before.items():
        if name in after:
            yield from _version(name, version, after[name])
        else:
            yield Change(name, "the version is gone", breaking=bool(version.get("served", True)))


def _version(name: str, old: _Json, new: _Json) -> Iterator[Change]:
    if old.get("served") and not new.get("served"):
        yield Change(name, "the version is not served any more", breaking=True)
    elif new.get("served") and not old.get("served"):
        yield Change(name, "the version is served again", breaking=False)
    if old.get("storage") != new.get("storage"):
        now = "is stored now" if new.get("storage") else "is not stored any more"
        yield Change(name, f"the version {now}", breaking=False)
    if old.get("deprecated") != new.get("deprecated"):
        now = "deprecated now" if new.get("deprecated") else "not deprecated any more"
        yield Change(name, f"the version is {now}", breaking=False)
    yield from _subresources(name, old.get("subresources", {}), new.get("subresources", {}))
    paths = [[field["jsonPath"] for field in each.get("selectableFields", ())] for each in (old, new)]
    yield from _members(f"{name} selectable fields", *paths)
    if old.get("additionalPrinterColumns") != new.get("additionalPrinterColumns"):
        yield Change(f"{name} columns", "differ", breaking=False)
    schemas = [each.get("schema", {}).get("openAPIV3Schema", {}) for each in (old, new)]
    for found in _nodes(schemas[0], schemas[1], "$"):
        yield Change(f"{name} {found.path}", found.text, found.breaking)


def _subresources(name: str, old: _Json, new: _Json) -> Iterator[Change]:
    for which in sorted({*old, *new}):
        place = f"{name} subresource {which}"
        if which not in new:
            yield Change(place, "is gone", breaking=True)
        elif which not in old:
            # Who wrote the status with the rest of the object is not heard any more.
            yield Change(place, "is new", breaking=which == "status")
        elif old[which] != new[which]:
            yield Change(place, f"{_text(old[which])} became {_text(new[which])}", breaking=True)


def _nodes(old: JsonSchema, new: JsonSchema, path: str) -> Iterator[Found]:
    yield from narrowed(old, new, path)
    before, after = old.get("properties", {}), new.get("properties", {})
    open_now = bool(new.get("x-kubernetes-preserve-unknown-fields")) or "additionalProperties" in new
    for name in before:
        if name in after:
            yield from _nodes(before[name], after[name], f"{path}.{name}")
        else:
            yield Found(f"{path}.{name}", "the field is gone", breaking=not open_now)
    for name in after:
        if name not in before:
            wanted = name in new.get("required", ()) and "default" not in after[name]
            yield Found(f"{path}.{name}", "a new required field" if wanted else "a new field", breaking=wanted)
    for name in new.get("required", ()):
        if name in before and name not in old.get("required", ()) and "default" not in after.get(name, {}):
            yield Found(f"{path}.{name}", "the field is required now", breaking=True)
    for name in old.get("required", ()):
        if name in after and name not in new.get("required", ()):
            yield Found(f"{path}.{name}", "the field may be absent now", breaking=False)
    for keyword, step in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(old.get(keyword), dict) and isinstance(new.get(keyword), dict):
            yield from _nodes(old[keyword], new[keyword], f"{path}{step}")
    if isinstance(old.get("additionalProperties"), dict) and "additionalProperties" not in new and not open_now:
        yield Found(path, "entries of any name are gone", breaking=True)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
