"""Each verb on one object is a synchronous decision on the store, so two requests can never interleave inside one.

`Operations` composes the pure rooms (objects, builtins, pruning, validation, patches, managedfields) in the order of
Kubernetes: names, old state, subresource rules, admission, generation, no-op, write. It does not know HTTP, lists or
watches.
"""

import datetime as dt
import random
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from windlass.envtest.apiserver import objects
from windlass.envtest.apiserver.access.escalation import Escalation
from windlass.envtest.apiserver.builtin.addresses import assign_addresses
from windlass.envtest.apiserver.builtin.builtins import (
    PROTECTED_NAMESPACES,
    built_in_faults,
    prepare_create,
    prepare_write,
)
from windlass.envtest.apiserver.builtin.shapes import schema_shape_fault, shape_fault
from windlass.envtest.apiserver.decisions import recall
from windlass.envtest.apiserver.errors import (
    ApiError,
    Fault,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    internal_error,
    invalid,
    modified,
    namespace_terminating,
    not_found,
)
from windlass.envtest.apiserver.extension.admission import Admission
from windlass.envtest.apiserver.extension.conversion import converted
from windlass.envtest.apiserver.extension.webhooks import Write
from windlass.envtest.apiserver.identity import User
from windlass.envtest.apiserver.kinds import Registry, Resource
from windlass.envtest.apiserver.patch import managedfields
from windlass.envtest.apiserver.schema import crds
from windlass.envtest.apiserver.schema.embedding import coerce_embedded, embedded_faults
from windlass.envtest.apiserver.schema.pruning import defaulted, pruned
from windlass.envtest.apiserver.schema.replicas import replicas_faults
from windlass.envtest.apiserver.schema.validation import ratcheted, validate
from windlass.envtest.apiserver.store.storage import Key, Store, Stored, versioned
from windlass.envtest.apiserver.values import Json, copied, encode, same

__all__ = ("DeleteOptions", "Operations", "Target", "WriteOptions", "checked_body", "viewed", "views", "write_of")

GENERATED_TRIES = 8  # CR-03


@attrs.frozen
class Target:
    """What a URL names; `name` and `namespace` may be empty."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> Key:
        """Where the object is stored."""
        return Key(self.resource.qualified, self.namespace, self.name)


@attrs.frozen
class WriteOptions:
    """The query of a write. `force` is for applies. `warnings` collects what goes into Warning headers.

    `user` is who writes; None is the server itself, which may do everything.
    """

    dry_run: bool = False
    manager: str = "unknown"
    validation: str = "Warn"  # fieldValidation: Strict, Warn or Ignore
    force: bool = False
    managed: list[Json] | None = None  # the managedFields of an apply, which knows them before the write
    sent: Json = attrs.field(factory=dict)  # the options as webhooks are shown them
    warnings: list[str] = attrs.field(factory=list)
    user: User | None = None


@attrs.frozen
class DeleteOptions:
    """The options of a deletion; `policy` is empty for the default."""

    dry_run: bool = False
    policy: str = ""
    uid: str | None = None
    resource_version: str | None = None
    sent: Json = attrs.field(factory=dict)  # the options as webhooks are shown them
    name: str | None = None  # the name in the URL, if it is not that of the object: a collection has none


def viewed(stored: Stored, resource: Resource) -> Stored:
    """The object as a version of its kind shows it: converted, with the defaults of today (K-02, K-09)."""
    return views([stored], resource)[0]


def views(items: Sequence[Stored], resource: Resource) -> list[Stored]:
    """Objects as a version of their kind shows them; a conversion webhook is asked about all of them at once.

    Defaults are those of the version in which an object is stored, fields those of the version that is shown.
    """
    header, since = resource.header(), resource.defined_at
    due = [stored for stored in items if not stored.raw.startswith(header) or stored.revision < since]
    if not due:
        return list(items)
    shown = converted([_current(stored.obj, resource) for stored in due], resource.api_version, resource.conversion)
    new = iter(_view(stored, obj, resource) for stored, obj in zip(due, shown, strict=True))
    waiting = {id(stored) for stored in due}  # of one key there may be several, in a watch
    return [next(new) if id(stored) in waiting else stored for stored in items]


def _current(obj: Json, resource: Resource) -> Json:
    schema = resource.schemas.get(obj["apiVersion"])
    return obj if schema is None else defaulted(obj, schema)


def _view(stored: Stored, obj: Json, resource: Resource) -> Stored:
    if resource.schema is not None and obj["apiVersion"] != stored.obj["apiVersion"]:
        obj = pruned(obj, resource.schema, [])
    return Stored(stored.key, stored.revision, obj, encode(obj))


class Operations:
    """Create, update, patch and delete."""

    def __init__(
        self, store: Store, registry: Registry, *, clock: Callable[[], dt.datetime], rng: random.Random
    ) -> None:
        self.store = store
        self.registry = registry
        self.admission = Admission(store, registry)
        self.escalation: Escalation | None = None  # asked about what a write needs beside its verb
        self._clock = clock
        self._rng = rng

    def __repr__(self) -> str:
        return f"<Operations {self.store!r}>"

    def now(self) -> str:
        """The wall clock in seconds; stands still while one decision is taken."""
        return recall("now", lambda: objects.timestamp(self._clock()))

    def stored(self, target: Target) -> Stored:
        """The object as it is stored, or 404 (E-01)."""
        stored = self.store.get(target.key)
        if stored is None:
            raise not_found(target.resource.qualified, target.name)
        return stored

    def get(self, target: Target) -> Stored:
        """The object as the target's version shows it, or 404."""
        return viewed(self.stored(target), target.resource)

    def create(self, target: Target, body: Json, options: WriteOptions) -> Stored:
        """Store a new object (5.2); what comes back is the stored form."""
        resource, metadata = target.resource, checked_body(body, target, options)
        self._check_namespace(target, metadata.get("name") or metadata.get("generateName") or "")
        if resource.terminating:
            message = "create not allowed while custom resource definition is terminating"
            raise forbidden(resource.qualified, metadata.get("name") or "", message)
        if metadata.get("resourceVersion"):
            raise internal_error("resourceVersion should not be set on objects to be created")  # CR-02
        if resource.namespaced:
            metadata["namespace"] = target.namespace
        if resource.status and not resource.custom:
            body.pop("status", None)  # CR-01; that of a custom kind is shown to mutating webhooks first
        _deduplicate_owners(metadata, options)
        obj, name = self._prepared(body, None, resource, options), metadata.get("name") or ""
        _strip(obj["metadata"], resource)
        tracked = {name: part for name, part in obj.items() if name != "status" or not resource.status}
        self._manage(target, tracked, None, options)  # in the metadata, which both share
        obj = self._mutated(attrs.evolve(target, name=name), obj, None, options)
        obj["metadata"] = self._identified(target, obj["metadata"])
        if resource.status and resource.custom:
            obj.pop("status", None)
        prepare_create(resource.qualified, obj)
        if resource.schema is None:
            prepare_write(resource.qualified, obj)  # defaults of what was just set
        self._check(attrs.evolve(target, name=obj["metadata"]["name"]), obj, None, options)
        key = Key(resource.qualified, target.namespace, obj["metadata"]["name"])
        existing = self.store.get(key)
        if existing is not None:
            raise already_exists(resource.qualified, key.name, deleting="deletionTimestamp" in existing.metadata)
        obj = _stored_form(obj, resource)
        return Stored(key, 0, obj, encode(obj)) if options.dry_run else self.store.put(key, obj)

    def _identified(self, target: Target, metadata: Json) -> Json:
        """The metadata of a new object, with all that the server gives it."""
        resource = target.resource
        metadata = metadata | {"name": self._new_name(target, metadata)}
        _strip(metadata, resource)
        metadata["uid"] = recall("uid", lambda: str(uuid.UUID(int=self._rng.getrandbits(128), version=4)))
        metadata["creationTimestamp"] = self.now()
        if resource.generation:
            metadata["generation"] = 1
        return metadata

    def update(self, target: Target, body: Json, options: WriteOptions) -> tuple[Stored, bool]:
        """Replace an object, or its subresource (5.3, SS-01); says whether it was created."""
        metadata = checked_body(body, target, options)
        stored = self.store.get(target.key)
        if stored is None:
            _check_uid(target, metadata, {})
            if target.resource.create_on_update and not target.subresource:
                self.check_create(target, options)
                metadata.pop("resourceVersion", None)  # it is not a precondition here: the uid alone is
                return self.create(target, body, options), True
            raise not_found(target.resource.qualified, target.name)
        version = metadata.get("resourceVersion")
        if not version and target.resource.conditional:
            fault = Fault(
                "metadata.resourceVersion", "FieldValueInvalid", "Invalid value: 0: must be specified for an update"
            )
            raise invalid(target.resource.kind, target.resource.group, target.name, [fault])
        _check_uid(target, metadata, stored.metadata)
        return self.replace(target, body, stored, options), False

    def replace(self, target: Target, body: Json, stored: Stored, options: WriteOptions) -> Stored:
        """Write a new state over a stored one; the tail of update and patch. `body` belongs to this function."""
        resource, old = target.resource, viewed(stored, target.resource).obj
        metadata = body["metadata"]
        _check_version(target, metadata, old["metadata"])
        if target.subresource == "status":
            body = _with_status_of(copied(old), body)
        else:
            faults = objects.restore_on_update(metadata, old["metadata"])
            if faults:
                raise invalid(resource.kind, resource.group, target.name, faults)
            if resource.status:
                _keep_status(body, old)
        _deduplicate_owners(body["metadata"], options)
        obj = self._prepared(body, old, resource, options)
        obj["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        self._manage(target, obj, old, options)
        obj = self._mutated(target, obj, old, options)
        if objects.spec_changed(old, obj, resource):
            obj["metadata"]["generation"] = obj["metadata"].get("generation", 0) + 1
        self._check(target, obj, old, options)
        if _unchanged(old, obj):
            return stored  # U-08
        return self._stored(stored, _stored_form(obj, resource), dry_run=options.dry_run)

    def check_create(self, target: Target, options: WriteOptions) -> None:
        """Raise 403 unless the writer may also create what it meant to change (A-04)."""
        if self.escalation is not None and options.user is not None:
            self.escalation.check_create(options.user, target.resource, namespace=target.namespace, name=target.name)

    def update_patched(self, target: Target, body: Json, stored: Stored, options: WriteOptions) -> Stored:
        """Write what a patch made of a stored object (P-04: unconditional unless the patch names a version)."""
        checked_body(body, target, options)
        return self.replace(target, body, stored, options)

    def delete(self, target: Target, options: DeleteOptions) -> tuple[Stored, bool]:
        """Delete an object, or begin to (5.5); says whether it is gone."""
        stored, resource = self.stored(target), target.resource
        old = viewed(stored, resource).obj  # what cannot be converted cannot be deleted either
        _check_preconditions(target, stored, options)
        qualified = resource.qualified
        if qualified == "namespaces" and target.name in PROTECTED_NAMESPACES:
            raise forbidden(qualified, target.name, "this namespace may not be deleted")  # N-03
        self._admit_deletion(target, old, options)
        obj = copied(stored.obj)
        metadata = obj["metadata"]
        if qualified == crds.CRD and crds.CLEANUP_FINALIZER not in (metadata.get("finalizers") or []):
            metadata["finalizers"] = [*(metadata.get("finalizers") or []), crds.CLEANUP_FINALIZER]  # K-07
        changed = objects.begin_deletion(metadata, options.policy, self.now(), generation=resource.generation)
        if _held_namespace(qualified, obj):
            changed = self._terminate_namespace(obj) or changed
        elif not metadata.get("finalizers"):
            return stored if options.dry_run else self.store.remove(target.key), True
        if not changed:
            return stored, False  # D-03
        return self._stored(stored, obj, dry_run=options.dry_run), False

    def _admit_deletion(self, target: Target, old: Json, options: DeleteOptions) -> None:
        if not self.admission.concerns(target.resource):
            return
        resource, name = target.resource, target.name if options.name is None else options.name
        sent = _sent("Delete", options.sent)
        place = (target.namespace, name, "")
        write = Write.of(resource, "DELETE", place, obj=None, old=old, options=sent, dry_run=options.dry_run)
        self.admission.mutated(write)
        self.admission.validate(write)

    def finish(self, stored: Stored, obj: Json) -> Stored:
        """Write a state that the server itself made, without admission; may end a deletion."""
        return self._stored(stored, obj, dry_run=False)

    def _terminate_namespace(self, obj: Json) -> bool:
        if obj["metadata"].get("deletionTimestamp") and (obj.get("status") or {}).get("phase") == "Terminating":
            return False
        obj["metadata"].setdefault("deletionTimestamp", self.now())
        obj["status"] = (obj.get("status") or {}) | {"phase": "Terminating"}
        return True

    def _stored(self, old: Stored, obj: Json, *, dry_run: bool) -> Stored:
        """Write, or end a deletion whose last finalizer has gone (D-04)."""
        if dry_run:
            return versioned(old.key, obj, old.revision)
        metadata = obj["metadata"]
        if (
            metadata.get("deletionTimestamp")
            and not metadata.get("finalizers")
            and not _held_namespace(old.key.resource, obj)
        ):
            return self.store.remove(old.key, obj)
        return self.store.put(old.key, obj)

    def _check_namespace(self, target: Target, name: str) -> None:
        """CR-05, N-02."""
        if not target.resource.namespaced:
            return
        namespace = self.store.get(Key("namespaces", "", target.namespace))
        if namespace is None:
            raise not_found("namespaces", target.namespace)
        if namespace.metadata.get("deletionTimestamp"):
            raise namespace_terminating(target.resource.qualified, name, target.namespace)

    def _new_name(self, target: Target, metadata: Json) -> str:
        name, base = metadata.get("name") or "", metadata.get("generateName") or ""
        for attempt in range(GENERATED_TRIES if base and not name else 0):
            name = recall(f"name {attempt}", lambda: objects.generated_name(base, self._rng))
            if self.store.get(Key(target.resource.qualified, target.namespace, name)) is None:
                break
        return name

    def _prepared(self, body: Json, old: Json | None, resource: Resource, options: WriteOptions) -> Json:
        """Prune and default."""
        obj = body
        if resource.schema is not None:
            unknown: list[str] = []
            obj = pruned(obj, resource.schema, unknown)
            if resource.embeds:
                coerce_embedded(obj, resource.schema)
            obj = defaulted(obj, resource.schema)
            _report_unknown(unknown, options)
        else:
            prepare_write(resource.qualified, obj)
            if resource.qualified == "services":
                chance = random.Random(recall("chance", lambda: self._rng.getrandbits(64)))  # noqa: S311
                assign_addresses(obj, old, (one.obj for one in self.store.items("services")), chance)
            if self.escalation is not None and options.user is not None:
                self.escalation.check_write(options.user, resource, obj, old)
        if resource.qualified == crds.CRD:
            crds.complete(obj)
            options.warnings.extend(crds.warnings(obj))
        return obj

    def _mutated(self, target: Target, obj: Json, old: Json | None, options: WriteOptions) -> Json:
        """What the mutating webhooks make of an object, in the form that every write has."""
        if target.subresource == "scale" or not self.admission.concerns(target.resource):
            return obj
        write = write_of(target, obj, old, options)
        found = copied(self.admission.mutated(write))
        if same(found, obj):
            return obj
        checked_body(found, target)
        if old is not None:
            faults = objects.restore_on_update(found["metadata"], old["metadata"])
            if faults:
                raise invalid(target.resource.kind, target.resource.group, target.name, faults)
            _check_version(target, found["metadata"], old["metadata"])
            if target.subresource == "status":
                found = _with_status_of(copied(old), found)
            elif target.resource.status:
                _keep_status(found, old)
        return self._prepared(found, old, target.resource, attrs.evolve(options, validation="Ignore"))

    def _check(self, target: Target, obj: Json, old: Json | None, options: WriteOptions) -> None:
        """Validate, and ask the validating webhooks."""
        resource = target.resource
        faults = objects.metadata_faults(obj["metadata"], resource) + self._kind_faults(obj, old, resource)
        if faults:
            raise invalid(resource.kind, resource.group, obj["metadata"].get("name") or "", faults)
        if target.subresource != "scale" and self.admission.concerns(resource):
            self.admission.validate(write_of(target, obj, old, options))

    def _kind_faults(self, obj: Json, old: Json | None, resource: Resource) -> list[Fault]:
        if resource.schema is not None:
            faults = validate(
                {name: value for name, value in obj.items() if name != "metadata"}, _without_metadata(resource.schema)
            )
            faults += replicas_faults(obj, resource.scale)
            if resource.embeds:
                faults += embedded_faults(obj, resource.schema)
            kept = faults if old is None or not faults else ratcheted(faults, old, obj)
            return kept + resource.rules.faults(obj, old, kept) if resource.rules is not None else kept
        if resource.qualified == crds.CRD:
            if old is not None and same(old.get("spec"), obj.get("spec")):
                return []
            return crds.crd_faults(obj, old)
        return built_in_faults(resource.qualified, obj, old)

    def _manage(self, target: Target, obj: Json, old: Json | None, options: WriteOptions) -> None:
        if options.managed is not None:
            obj["metadata"]["managedFields"] = options.managed
            return
        writer = managedfields.Writer(options.manager, "Update", target.resource.api_version, target.subresource)
        managedfields.record_update(obj, old, writer, resource=target.resource, now=self.now())


def _schema_problem(obj: Json, resource: Resource) -> str:
    if resource.qualified != crds.CRD:
        return ""
    for index, version in enumerate((obj.get("spec") or {}).get("versions") or []):
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        path = f"spec.versions[{index}].schema.openAPIV3Schema"
        problem = schema_shape_fault(schema, path) if schema is not None else ""
        if problem:
            return problem
    return ""


def _stored_form(obj: Json, resource: Resource) -> Json:
    """The object in the version in which its kind is stored."""
    version = f"{resource.group}/{resource.storage_version}" if resource.storage_version else resource.api_version
    return obj if obj["apiVersion"] == version else converted([obj], version, resource.conversion)[0]


def _strip(metadata: Json, resource: Resource) -> None:
    """CR-06: what a client cannot say of a new object."""
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion", "generation"):
        metadata.pop(field, None)
    if not resource.namespaced:
        metadata.pop("namespace", None)
    metadata.pop("uid", None)
    metadata.pop("creationTimestamp", None)


def _sent(kind: str, options: Json) -> Json:
    return {"kind": f"{kind}Options", "apiVersion": "meta.k8s.io/v1"} | options


def write_of(target: Target, obj: Json, old: Json | None, options: WriteOptions) -> Write:
    """A create or an update as admission sees it."""
    operation = "CREATE" if old is None else "UPDATE"
    place = (target.namespace, target.name, target.subresource)
    sent = _sent(operation.capitalize(), options.sent)
    return Write.of(target.resource, operation, place, obj=obj, old=old, options=sent, dry_run=options.dry_run)


def checked_body(body: Any, target: Target, options: WriteOptions | None = None) -> Json:
    """The metadata of a body that fits its URL (E-07, CR-04); fills in what the URL already says."""
    resource = target.resource
    if not isinstance(body, dict):
        raise bad_request("the body must be an object")
    if resource.custom and not body.get("kind"):
        raise bad_request(f"Object 'Kind' is missing in '{encode(body)[:200].decode(errors='replace')}'")
    given = (body.setdefault("apiVersion", resource.api_version), body.setdefault("kind", resource.kind))
    if resource.custom and given[0] == resource.api_version and given[1] != resource.kind:
        fault = Fault.invalid("kind", given[1], f"must be {resource.kind}")
        claimed = body.get("metadata")
        name = claimed.get("name") if isinstance(claimed, dict) else None
        raise invalid(resource.kind, resource.group, str(name or ""), [fault])
    if given != (resource.api_version, resource.kind):
        expected = f"{resource.api_version}, Kind={resource.kind}"
        raise bad_request(
            f"the API version in the data ({given[0]}, Kind={given[1]}) does not match "
            f"the expected API version ({expected})"
        )
    if body.get("metadata") is None:
        body["metadata"] = {}
    metadata: Json = body["metadata"]
    problem = objects.shape_faults(metadata) or shape_fault(body, resource) or _schema_problem(body, resource)
    if problem:
        raise bad_request(f"{resource.kind} in version {resource.version!r} cannot be handled: {problem}")
    unknown = [field for field in metadata if field not in objects.METADATA_FIELDS]
    if options is not None:
        _report_unknown([f"metadata.{field}" for field in unknown], options)
    for field in [field for field, value in metadata.items() if value is None or field in unknown]:
        del metadata[field]
    if target.name:
        name = metadata.setdefault("name", target.name)
        if name != target.name:
            raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({target.name})")
    if metadata.get("namespace") and metadata["namespace"] != target.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    return metadata


def _check_uid(target: Target, metadata: Json, old: Json) -> None:
    """E-05: the uid in the body of an update is a precondition, also where nothing is; in a patch it is immutable."""
    uid, found = metadata.get("uid"), old.get("uid", "")
    if uid and uid != found:
        message = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found}"
        raise conflict(target.resource.qualified, target.name, message)


def _check_version(target: Target, metadata: Json, old: Json) -> None:
    version = metadata.get("resourceVersion")
    if version and version != old["resourceVersion"]:
        raise modified(target.resource.qualified, target.name)


def _check_preconditions(target: Target, stored: Stored, options: DeleteOptions) -> None:
    """D-05; the words differ from those of an update (E-05)."""
    metadata, message = stored.metadata, ""
    if options.uid is not None and options.uid != metadata["uid"]:
        message = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({metadata['uid']}). "
            "The object might have been deleted and then recreated"
        )
    elif options.resource_version is not None and options.resource_version != metadata["resourceVersion"]:
        message = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the ResourceVersion "
            f"in record ({metadata['resourceVersion']}). The object might have been modified"
        )
    if message:
        error = conflict(target.resource.qualified, target.name, message)
        error.details["kind"] = target.resource.kind
        raise error


def _keep_status(body: Json, old: Json) -> None:
    body.pop("status", None)
    if "status" in old:
        body["status"] = copied(old["status"])


def _with_status_of(obj: Json, body: Json) -> Json:
    """SS-01: only the status of the body counts, and its managedFields."""
    obj.pop("status", None)
    if "status" in body:
        obj["status"] = body["status"]
    if "managedFields" in body["metadata"]:
        obj["metadata"]["managedFields"] = body["metadata"]["managedFields"]
    return obj


def _held_namespace(qualified: str, obj: Json) -> bool:
    return qualified == "namespaces" and bool((obj.get("spec") or {}).get("finalizers"))


def _unchanged(old: Json, new: Json) -> bool:
    return same(managedfields.without_times(old), managedfields.without_times(new))


def _without_metadata(schema: Json) -> Json:
    """Metadata is validated by its own rules, except for name restrictions, which are not simulated."""
    properties = {name: part for name, part in (schema.get("properties") or {}).items() if name != "metadata"}
    required = [name for name in schema.get("required") or [] if name != "metadata"]
    return schema | {"properties": properties, "required": required}


def _report_unknown(unknown: list[str], options: WriteOptions) -> None:
    """F-02."""
    if not unknown or options.validation == "Ignore":
        return
    texts = [f'unknown field "{path}"' for path in unknown]
    if options.validation == "Strict":
        raise ApiError(400, "BadRequest", f"strict decoding error: {', '.join(texts)}")
    options.warnings.extend(texts)


def _deduplicate_owners(metadata: Json, options: WriteOptions) -> None:
    """CR-04."""
    owners, kept = metadata.get("ownerReferences") or [], list[Json]()
    for owner in owners:
        if any(same(owner, other) for other in kept):
            options.warnings.append(
                ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+"
            )
        else:
            kept.append(owner)
    if len(kept) != len(owners):
        metadata["ownerReferences"] = kept
