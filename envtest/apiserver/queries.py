"""The query string of a list or a watch becomes one frozen value, and every illegal combination is refused here. Pure.

Rules L-05, L-07, L-08, W-05, W-10. What the values mean is decided in `listing` and `watching`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from windlass.envtest.apiserver.builtin.events import EVENTS, NEW_EVENTS, stored_field
from windlass.envtest.apiserver.errors import Fault, bad_request, invalid
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.selectors import (
    FieldRequirement,
    LabelRequirement,
    matches_labels,
    parse_fields,
    parse_labels,
)
from windlass.envtest.apiserver.store.storage import Stored
from windlass.envtest.apiserver.values import Json

__all__ = ("ListQuery", "flag", "parse_query", "parse_version", "selector")

_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_SELECTABLE: dict[str, tuple[str, ...]] = {
    NEW_EVENTS: (*(f"regarding.{field}" for field in _INVOLVED), "reason", "type", "reportingController"),
    EVENTS: (*(f"involvedObject.{field}" for field in _INVOLVED), "reason", "type", "source", "reportingComponent"),
    "pods": (
        *(f"spec.{field}" for field in ("nodeName", "restartPolicy", "schedulerName", "serviceAccountName")),
        *("status.phase", "status.podIP"),
    ),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "jobs.batch": ("status.successful",),
}  # fmt: skip


@attrs.frozen
class ListQuery:
    """Everything that shapes a list or a watch; empty strings and None mean absent."""

    labels: tuple[LabelRequirement, ...] = ()
    fields: tuple[FieldRequirement, ...] = ()
    limit: int = 0
    continue_token: str = ""
    version: str = ""
    match: str = ""
    watch: bool = False
    timeout_seconds: float | None = None
    bookmarks: bool = False
    initial_events: bool | None = None

    @property
    def selective(self) -> bool:
        """Whether some objects may be left out."""
        return bool(self.labels or self.fields)


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean parameter as Go reads it: present and empty is true."""
    return query.get(name, "0").lower() in ("", "1", "t", "true")


def parse_version(text: str, field: str = "resourceVersion") -> int:
    """A resource version; raises 400 (W-05). Empty is 0."""
    if text and not (text.isascii() and text.isdigit()):
        raise bad_request(f"Invalid value: {text!r}: {field}: strconv.ParseUint: parsing {text!r}: invalid syntax")
    return int(text or 0)


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "")
    try:
        return int(text or 0)
    except ValueError:
        raise bad_request(f"{name}: strconv.ParseInt: parsing {text!r}: invalid syntax") from None


def parse_query(query: Mapping[str, str], resource: Resource) -> ListQuery:
    """The query of a list or watch; raises 400 or 422."""
    initial = flag(query, "sendInitialEvents") if "sendInitialEvents" in query else None
    found = ListQuery(
        labels=parse_labels(query.get("labelSelector", "")),
        fields=parse_fields(query.get("fieldSelector", "")),
        limit=max(0, _number(query, "limit")),
        continue_token=query.get("continue", ""),
        version=query.get("resourceVersion", ""),
        match=query.get("resourceVersionMatch", ""),
        watch=flag(query, "watch"),
        timeout_seconds=_number(query, "timeoutSeconds") or None,
        bookmarks=flag(query, "allowWatchBookmarks"),
        initial_events=initial,
    )
    known = ("metadata.name", "metadata.namespace", *_SELECTABLE.get(resource.qualified, ()))
    known += tuple(path.removeprefix(".") for path in resource.selectable)
    for requirement in found.fields:
        if requirement.field not in known:
            raise bad_request(f"field label not supported: {requirement.field}")
    if resource.qualified == NEW_EVENTS:  # they are looked up in the object as it is stored
        stored = [attrs.evolve(one, field=stored_field(one.field)) for one in found.fields]
        found = attrs.evolve(found, fields=tuple(stored))
    parse_version(found.version)
    faults = _watch_faults(found) if found.watch else _list_faults(found)
    if faults:
        raise invalid("ListOptions", "meta.k8s.io", "", faults)
    return found


def _watch_faults(query: ListQuery) -> list[Fault]:
    if query.initial_events is None:
        if query.match:
            return [
                Fault.forbidden(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
                )
            ]
        return []
    if not query.match:
        return [
            Fault.forbidden(
                "resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            )
        ]
    if query.match != "NotOlderThan":
        return [Fault.unsupported("resourceVersionMatch", query.match, ("NotOlderThan",))]
    return []


def _list_faults(query: ListQuery) -> list[Fault]:
    if query.initial_events is not None:
        return [Fault.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")]
    match, detail = query.match, ""
    if match and not query.version:
        detail = "resourceVersionMatch is forbidden unless resourceVersion is provided"
    elif match and query.continue_token:
        detail = "resourceVersionMatch is forbidden when continue is provided"
    elif match == "Exact" and query.version == "0":
        detail = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
    elif match not in ("", "Exact", "NotOlderThan"):
        return [Fault.unsupported("resourceVersionMatch", match, ("Exact", "NotOlderThan"))]
    return [Fault.forbidden("resourceVersionMatch", detail)] if detail else []


def selector(query: ListQuery, namespace: str, name: str = "") -> Callable[[Stored], bool]:
    """The predicate of a list or watch."""
    labels, fields = query.labels, query.fields
    if not (labels or fields or namespace or name):
        return lambda _: True

    def selects(stored: Stored) -> bool:
        if namespace and stored.key.namespace != namespace:
            return False
        if name and stored.key.name != name:
            return False
        if labels and not matches_labels(labels, stored.metadata.get("labels") or {}):
            return False
        return all(requirement.matches(lambda field: _text(stored.obj, field)) for requirement in fields)

    return selects


def _text(obj: Json, field: str) -> str:
    if field == "source":
        field = "source.component"
    if field == "status.successful":
        field = "status.succeeded"
    value: Any = obj
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "false" if field == "spec.unschedulable" else ""
    return str(value)
