"""One object, many and watch events in the representation that the Accept header asks for: plain, Table, metadata.

Plain objects are not encoded again: a list is the stored bytes joined, an event the stored bytes framed. W-14: all
three also apply to watches.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.store.storage import Stored
from windlass.envtest.apiserver.values import Json, encode
from windlass.envtest.apiserver.views.tables import columns_of, partial, row
from windlass.envtest.apiserver.views.versions import viewed, views

__all__ = ("Renderer", "Representation", "accepted")

INITIAL_EVENTS_END = "k8s.io/initial-events-end"


@attrs.frozen
class Representation:
    """`form` is empty for plain objects, or Table or PartialObjectMetadata (the List of a list is implied)."""

    form: str = ""
    version: str = "v1"
    include: str = "Metadata"


def accepted(header: str, include: str = "") -> Representation:
    """The first representation of an Accept header that the server has; raises 406 (E-13)."""
    for choice in (header or "*/*").split(","):
        media, *parameters = (part.strip() for part in choice.split(";"))
        given = dict(part.split("=", 1) for part in parameters if "=" in part)
        form = given.get("as", "").removesuffix("List")
        if media not in ("application/json", "application/*", "*/*"):
            continue
        if not form:
            return Representation()
        if form in ("Table", "PartialObjectMetadata") and given.get("g", "meta.k8s.io") == "meta.k8s.io":
            return Representation(form, given.get("v", "v1"), include or "Metadata")
    message = "only the following media types are accepted: application/json, application/json;stream=watch"
    raise ApiError(406, "NotAcceptable", message)


class Renderer:
    """The views of one request."""

    def __init__(self, resource: Resource, representation: Representation, clock: Callable[[], dt.datetime]) -> None:
        self._resource = resource
        self._representation = representation
        self._clock = clock
        # The encoder of built-in kinds writes the kind first, that of custom ones sorts the names.
        self._opening = f'{{"kind":"{resource.kind}","apiVersion":"{resource.api_version}",'.encode()
        self._headed = False  # a watch sends its column definitions once

    def one(self, stored: Stored) -> bytes:
        """One object."""
        stored = viewed(stored, self._resource)
        match self._representation.form:
            case "Table":
                return encode(self._table([stored], {"resourceVersion": str(stored.revision)}))
            case "PartialObjectMetadata":
                return encode(partial(stored, self._representation.version))
        if self._resource.custom:
            return stored.raw
        return self._opening + stored.raw[len(self._resource.header()) :]

    def many(self, items: Sequence[Stored], metadata: Json) -> bytes:
        """A list."""
        resource = self._resource
        shown = views(items, resource)
        match self._representation.form:
            case "Table":
                return encode(self._table(shown, metadata))
            case "PartialObjectMetadata":
                version = self._representation.version
                kind = {"kind": "PartialObjectMetadataList", "apiVersion": f"meta.k8s.io/{version}"}
                return encode(kind | {"metadata": metadata, "items": [partial(view, version) for view in shown]})
        head = encode({"kind": resource.listing, "apiVersion": resource.api_version, "metadata": metadata})
        if resource.custom:
            return b"%b,%b[%b]}" % (head[:-1], b'"items":', b",".join([view.raw for view in shown]))
        cut = len(resource.header())  # L-01: items of built-in lists carry no apiVersion and kind
        return b"%b,%b[%b]}" % (head[:-1], b'"items":', b",".join([b"{" + view.raw[cut:] for view in shown]))

    def event(self, kind: str, stored: Stored) -> bytes:
        """One line of a watch."""
        if self._representation.form != "Table":
            return b'{"type":"%b","object":%b}\n' % (kind.encode(), self.one(stored))
        table = self._table([viewed(stored, self._resource)], {"resourceVersion": str(stored.revision)})
        if self._headed:
            table["columnDefinitions"] = None
        self._headed = True
        return b'{"type":"%b","object":%b}\n' % (kind.encode(), encode(table))

    def bookmark(self, revision: int, *, initial_end: bool = False) -> bytes:
        """A bookmark: kind, apiVersion and version only (W-09), annotated at the end of the initial events (W-10)."""
        metadata: Json = {"resourceVersion": str(revision), "creationTimestamp": None}
        if initial_end:
            metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
        obj: dict[str, Any] = {
            "kind": self._resource.kind,
            "apiVersion": self._resource.api_version,
            "metadata": metadata,
        }
        if self._representation.form == "Table":
            obj = self._table([], metadata) | {"columnDefinitions": None}
            obj["metadata"] = {"resourceVersion": str(revision)}
            obj["rows"] = [
                {
                    "cells": [],
                    "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata},
                }
            ]
        elif self._representation.form:
            obj |= {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{self._representation.version}"}
        return b'{"type":"BOOKMARK","object":%b}\n' % encode(obj)

    def _table(self, shown: Sequence[Stored], metadata: Json) -> Json:
        now, include = self._clock(), self._representation.include
        return {
            "kind": "Table",
            "apiVersion": f"meta.k8s.io/{self._representation.version}",
            "metadata": metadata,
            "columnDefinitions": columns_of(self._resource),
            "rows": [row(view, self._resource, now, include) for view in shown],
        }
