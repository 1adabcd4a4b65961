"""A request is a value, built and checked without I/O, so that tests compare it and errors can quote it.

This module does not know servers, credentials or retries.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal

import attrs
import msgspec

from windlass.informers.keys import Key
from windlass.informers.resources import Resource, quoted

__all__ = (
    "FieldValidation",
    "ListOptions",
    "PatchType",
    "Propagation",
    "Request",
    "WriteOptions",
    "create",
    "delete",
    "delete_collection",
    "get",
    "list_page",
    "patch",
    "raw_get",
    "replace",
    "watch",
)

FieldValidation = Literal["Strict", "Warn", "Ignore"]
Propagation = Literal["Background", "Foreground", "Orphan"]

METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_ONLY_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class PatchType(Enum):
    """The four ways to patch; the value is the content type. STRATEGIC works on built-in kinds alone (P-01)."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


@attrs.frozen
class Request:
    """One HTTP request to the API server. `what` says it in words, for errors and logs: `get pods.v1 default/a`."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = attrs.field(default=None, repr=False)
    content_type: str = "application/json"
    accept: str = "application/json"
    what: str = ""

    @property
    def target(self) -> str:
        """Path and query as they go on the wire."""
        if not self.query:
            return self.path
        return f"{self.path}?{'&'.join([f'{quoted(name)}={quoted(value)}' for name, value in self.query])}"

    @property
    def verb(self) -> str:
        """The first word of `what`: get, list, watch, create and so on."""
        return self.what.partition(" ")[0]

    @property
    def is_safe(self) -> bool:
        """Whether sending it twice does what sending it once does and changes nothing."""
        return self.method in ("GET", "HEAD")

    def dry(self) -> "Request":
        """The same write as a dry run: it is checked, and not stored. A read is what it was."""
        if self.is_safe:
            return self
        query = (*(pair for pair in self.query if pair[0] != "dryRun"), ("dryRun", "All"))
        if self.method != "DELETE" or self.body is None:
            return attrs.evolve(self, query=query)
        # Of a DELETE with a body the server does not look at the query: without this, it would delete.
        options = {**msgspec.json.decode(self.body), "dryRun": ["All"]}
        return attrs.evolve(self, query=query, body=msgspec.json.encode(options))


@attrs.frozen
class WriteOptions:
    """What every write may carry. `field_validation` says what unknown fields are (F-02)."""

    field_manager: str | None = None
    dry_run: bool = False
    field_validation: FieldValidation | None = None
    force: bool = False

    def query(self) -> list[tuple[str, str]]:
        """As query parameters."""
        pairs = []
        if self.field_manager:
            pairs.append(("fieldManager", self.field_manager))
        if self.dry_run:
            pairs.append(("dryRun", "All"))
        if self.field_validation:
            pairs.append(("fieldValidation", self.field_validation))
        if self.force:
            pairs.append(("force", "true"))
        return pairs


@attrs.frozen
class ListOptions:
    """What a list or a watch selects: a namespace (None: all), label and field selectors in the server's grammar."""

    namespace: str | None = None
    labels: str | None = None
    fields: str | None = None
    metadata_only: bool = False

    def query(self) -> list[tuple[str, str]]:
        """As query parameters."""
        pairs = [("labelSelector", self.labels), ("fieldSelector", self.fields)]
        return [(name, value) for name, value in pairs if value]


def raw_get(path: str, *, query: Mapping[str, str] | None = None, accept: str = "application/json") -> Request:
    """A plain read of any path, such as `/version`."""
    return Request("GET", path, tuple((query or {}).items()), accept=accept, what=f"get {path}")


def get(resource: Resource, key: Key, *, subresource: str | None = None, metadata_only: bool = False) -> Request:
    """Read one object."""
    path = resource.path(key.namespace, key.name, subresource)
    accept = METADATA_ONLY if metadata_only else "application/json"
    return Request("GET", path, accept=accept, what=_what("get", resource, str(key), subresource))


def list_page(
    resource: Resource,
    options: ListOptions,
    *,
    resource_version: str = "",
    match: str = "",
    limit: int = 0,
    continue_token: str = "",
) -> Request:
    """Read one page of a list, or all of it when `limit` is 0. A continued page takes its version from the token."""
    query = options.query()
    if limit:
        query.append(("limit", str(limit)))
    if continue_token:
        query.append(("continue", continue_token))
    elif resource_version:
        query.append(("resourceVersion", resource_version))
        if match:
            query.append(("resourceVersionMatch", match))
    accept = METADATA_ONLY_LIST if options.metadata_only else "application/json"
    path = resource.path(options.namespace)
    return Request("GET", path, tuple(query), accept=accept, what=_what_many("list", resource, options))


def watch(
    resource: Resource,
    options: ListOptions,
    *,
    resource_version: str = "",
    timeout_seconds: int = 0,
    send_initial_events: bool = False,
) -> Request:
    """Follow changes from a resource version on; with `send_initial_events`, the present state first (R23, R24)."""
    query = [("watch", "true"), *options.query(), ("allowWatchBookmarks", "true")]
    if resource_version:
        query.append(("resourceVersion", resource_version))
    if send_initial_events:
        query += [("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan")]
    if timeout_seconds:
        query.append(("timeoutSeconds", str(timeout_seconds)))
    accept = METADATA_ONLY if options.metadata_only else "application/json"
    path = resource.path(options.namespace)
    return Request("GET", path, tuple(query), accept=accept, what=_what_many("watch", resource, options))


def create(
    resource: Resource,
    body: bytes,
    *,
    namespace: str = "",
    name: str = "",
    subresource: str | None = None,
    options: WriteOptions = WriteOptions(),
) -> Request:
    """Create an object; with a name and a subresource, post to that, as for evictions and bindings."""
    path = resource.path(namespace, name, subresource) if subresource else resource.path(namespace)
    what = _what("create", resource, str(Key(namespace, name or "(new)")), subresource)
    return Request("POST", path, tuple(options.query()), body, what=what)


def replace(
    resource: Resource, key: Key, body: bytes, *, subresource: str | None = None, options: WriteOptions = WriteOptions()
) -> Request:
    """Replace an object whole; the body's resource version makes it conditional."""
    path = resource.path(key.namespace, key.name, subresource)
    return Request("PUT", path, tuple(options.query()), body, what=_what("replace", resource, str(key), subresource))


def patch(
    resource: Resource,
    key: Key,
    body: bytes,
    *,
    type: PatchType,  # noqa: A002 - the API's own word
    subresource: str | None = None,
    options: WriteOptions = WriteOptions(),
) -> Request:
    """Patch an object. APPLY must name a field manager (P-07); `force` is for APPLY alone."""
    if type is PatchType.APPLY and not options.field_manager:
        raise ValueError(f"apply {resource} {key}: a server-side apply must name its field_manager")
    if type is not PatchType.APPLY and options.force:
        raise ValueError(f"patch {resource} {key}: force is for server-side apply alone, found {type.name}")
    verb = "apply" if type is PatchType.APPLY else "patch"
    return Request(
        "PATCH",
        resource.path(key.namespace, key.name, subresource),
        tuple(options.query()),
        body,
        content_type=type.value,
        what=_what(verb, resource, str(key), subresource),
    )


def delete(
    resource: Resource,
    key: Key,
    *,
    propagation: Propagation | None = None,
    uid: str | None = None,
    resource_version: str | None = None,
    dry_run: bool = False,
) -> Request:
    """Delete an object, on condition of its uid and resource version where given."""
    body = _delete_options(propagation, {"uid": uid, "resourceVersion": resource_version}, dry_run=dry_run)
    path = resource.path(key.namespace, key.name)
    return Request("DELETE", path, (), body, what=_what("delete", resource, str(key), None))


def delete_collection(
    resource: Resource, options: ListOptions, *, propagation: Propagation | None = None, dry_run: bool = False
) -> Request:
    """Delete every object that the options select."""
    body = _delete_options(propagation, {}, dry_run=dry_run)
    what = _what_many("deletecollection", resource, options)
    return Request("DELETE", resource.path(options.namespace), tuple(options.query()), body, what=what)


def _delete_options(propagation: Propagation | None, conditions: Mapping[str, str | None], *, dry_run: bool) -> bytes:
    body: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1"}
    if propagation:
        body["propagationPolicy"] = propagation
    preconditions = {name: value for name, value in conditions.items() if value}
    if preconditions:
        body["preconditions"] = preconditions
    if dry_run:
        body["dryRun"] = ["All"]
    return msgspec.json.encode(body)


def _what(verb: str, resource: Resource, name: str, subresource: str | None) -> str:
    return f"{verb} {resource}{'/' + subresource if subresource else ''} {name}"


def _what_many(verb: str, resource: Resource, options: ListOptions) -> str:
    where = f" in {options.namespace}" if options.namespace else ""
    return f"{verb} {resource}{where}"
