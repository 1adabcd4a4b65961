"""Who last set which field: the bookkeeping behind server-side apply (P-08 … P-12). Pure.

A plain write takes over exactly the fields whose values it changes; an apply owns exactly the fields it names.
Entries are keyed by manager, operation, apiVersion and subresource. Values that a default filled in belong to the
writer of a plain create and to nobody after an apply.
"""

from collections.abc import Iterable
from typing import Any

import attrs

from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.patch.fieldsets import Path, from_fields, leaves, nodes, shape_of, to_fields
from windlass.envtest.apiserver.values import Json, same

__all__ = ("Entry", "Writer", "read_entries", "record_update", "without_times", "written_entries")

UPDATERS_MAX = 10  # P-10
ANCIENT = "ancient-changes"


@attrs.frozen
class Writer:
    """The key of one entry (P-10)."""

    manager: str
    operation: str
    api_version: str
    subresource: str = ""


@attrs.frozen
class Entry:
    """What a writer owns and since when."""

    writer: Writer
    paths: frozenset[Path]
    time: str


def read_entries(metadata: Json) -> list[Entry]:
    """The entries of an object."""
    found = []
    for raw in metadata.get("managedFields") or []:
        texts = [str(raw.get(name) or "") for name in ("manager", "operation", "apiVersion", "subresource")]
        entry = Entry(Writer(*texts), from_fields(raw.get("fieldsV1")), str(raw.get("time") or ""))
        if entry.paths:
            found.append(entry)
    return found


def written_entries(entries: Iterable[Entry]) -> list[Json]:
    """The entries as they stand in metadata.managedFields."""
    ordered = sorted(entries, key=lambda entry: (entry.writer.operation, entry.time, attrs.astuple(entry.writer)))
    return [_written(entry) for entry in ordered if entry.paths]


def _written(entry: Entry) -> Json:
    writer = entry.writer
    raw: Json = {
        "manager": writer.manager,
        "operation": writer.operation,
        "apiVersion": writer.api_version,
        "time": entry.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": to_fields(entry.paths),
    }
    return raw | {"subresource": writer.subresource} if writer.subresource else raw


def record_update(obj: Json, old: Json | None, writer: Writer, *, resource: Resource, now: str) -> None:
    """Attribute the changes of a plain write to its writer. Changes `obj`."""
    metadata = obj["metadata"]
    sent = metadata.pop("managedFields", None)
    reset = sent is not None and not any(sent)  # P-10: [] and [{}]
    kept = [] if old is None or reset else (old["metadata"].get("managedFields") or [])
    if old is not None and not reset and _same_fields(obj, old):
        if kept:
            metadata["managedFields"] = kept
        return
    shape = shape_of(resource)
    new, before = leaves(obj, shape), leaves(old, shape) if old is not None else {}
    present, past = nodes(new), nodes(before)
    differing = {path for path, value in new.items() if path in before and not same(value, before[path])}
    changed, gone = (present - past) | differing, past - present
    entries = read_entries({"managedFields": kept})
    merged = _merged(entries, writer, changed, gone, now=now)
    if merged:
        metadata["managedFields"] = written_entries(_bounded(merged))


def _same_fields(obj: Json, old: Json) -> bool:
    def bare(value: Json) -> Json:
        return value | {"metadata": {key: part for key, part in value["metadata"].items() if key != "managedFields"}}

    return same(bare(obj), bare(old))


def _merged(
    entries: list[Entry], writer: Writer, changed: frozenset[Path], gone: frozenset[Path], *, now: str
) -> list[Entry]:
    result, mine = [], False
    for entry in entries:
        if entry.writer == writer:
            mine = True
            paths = (entry.paths | changed) - gone
            entry = attrs.evolve(entry, paths=paths, time=now if changed else entry.time)  # noqa: PLW2901
        else:
            entry = attrs.evolve(entry, paths=entry.paths - changed - gone)  # noqa: PLW2901
        result.append(entry)
    if not mine and changed:
        result.append(Entry(writer, changed, now))
    return [entry for entry in result if entry.paths]


def _bounded(entries: list[Entry]) -> list[Entry]:
    """The oldest updaters become one when there are too many."""
    updaters = sorted((entry for entry in entries if entry.writer.operation == "Update"), key=lambda entry: entry.time)
    if len(updaters) <= UPDATERS_MAX:
        return entries
    old = updaters[: len(updaters) - UPDATERS_MAX + 1]
    paths = frozenset[Path]().union(*(entry.paths for entry in old))
    writer = Writer(ANCIENT, "Update", old[-1].writer.api_version)
    return [*(entry for entry in entries if entry not in old), Entry(writer, paths, old[-1].time)]


def without_times(obj: Json) -> Json:
    """The object without the times of its entries, for the no-op rule (U-08)."""
    entries: Any = obj["metadata"].get("managedFields")
    if not entries:
        return obj
    timeless = [{key: value for key, value in entry.items() if key != "time"} for entry in entries]
    return obj | {"metadata": obj["metadata"] | {"managedFields": timeless}}
