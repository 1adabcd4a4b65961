"""Each verb on one object is a synchronous decision on the store, so two requests can never interleave inside one.

`Operations` composes the pure rooms (objects, builtins, pruning, validation, patches, managedfields) in the order of
Kubernetes: names, old state, subresource rules, admission, generation, no-op, write. It does not know HTTP, lists or
watches.
"""

import datetime as dt
import random
import uuid
from collections.abc import Callable

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
from windlass.envtest.apiserver.builtin.events import NEW_EVENTS, complete_event
from windlass.envtest.apiserver.decisions import recall
from windlass.envtest.apiserver.errors import (
    Fault,
    already_exists,
    forbidden,
    internal_error,
    invalid,
    namespace_terminating,
    not_found,
)
from windlass.envtest.apiserver.extension.admission import Admission
from windlass.envtest.apiserver.extension.conversion import converted
from windlass.envtest.apiserver.extension.webhooks import Write
from windlass.envtest.apiserver.kinds import Registry, Resource
from windlass.envtest.apiserver.patch import managedfields
from windlass.envtest.apiserver.schema import crds
from windlass.envtest.apiserver.schema.embedding import coerce_embedded, embedded_faults
from windlass.envtest.apiserver.schema.pruning import defaulted, pruned
from windlass.envtest.apiserver.schema.replicas import replicas_faults
from windlass.envtest.apiserver.schema.validation import ratcheted, validate
from windlass.envtest.apiserver.store.storage import Key, Store, Stored, versioned
from windlass.envtest.apiserver.values import Json, copied, encode, same
from windlass.envtest.apiserver.verbs.bodies import (
    check_preconditions,
    check_uid,
    check_version,
    checked_body,
    deduplicate_owners,
    report_unknown,
)
from windlass.envtest.apiserver.verbs.targets import DeleteOptions, Target, WriteOptions, sent_options, write_of
from windlass.envtest.apiserver.views.versions import viewed

__all__ = ("Operations",)

GENERATED_TRIES = 8  # CR-03


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
        deduplicate_owners(metadata, options)
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
        key = Key(resource.place, target.namespace, obj["metadata"]["name"])
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
            check_uid(target, metadata, {})
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
            raise invalid(target.resource.kind, target.resource.stored_group, target.name, [fault])
        check_uid(target, metadata, stored.metadata)
        return self.replace(target, body, stored, options), False

    def replace(self, target: Target, body: Json, stored: Stored, options: WriteOptions) -> Stored:
        """Write a new state over a stored one; the tail of update and patch. `body` belongs to this function."""
        resource, old = target.resource, viewed(stored, target.resource).obj
        metadata = body["metadata"]
        check_version(target, metadata, old["metadata"])
        if target.subresource == "status":
            body = _with_status_of(copied(old), body)
        else:
            faults = objects.restore_on_update(metadata, old["metadata"])
            if faults:
                raise invalid(resource.kind, resource.stored_group, target.name, faults)
            if resource.status:
                _keep_status(body, old)
        deduplicate_owners(body["metadata"], options)
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
        check_preconditions(target, stored, options)
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
        sent = sent_options("Delete", options.sent)
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
            if self.store.get(Key(target.resource.place, target.namespace, name)) is None:
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
            report_unknown(unknown, options)
        else:
            prepare_write(resource.qualified, obj)
            if old is not None and resource.qualified == NEW_EVENTS:
                complete_event(obj)  # else the old one, which is shown complete, would not be the same
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
                raise invalid(target.resource.kind, target.resource.stored_group, target.name, faults)
            check_version(target, found["metadata"], old["metadata"])
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
            raise invalid(resource.kind, resource.stored_group, obj["metadata"].get("name") or "", faults)
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


def _stored_form(obj: Json, resource: Resource) -> Json:
    """The object in the version in which its kind is stored."""
    version = resource.stored_api_version
    return obj if obj["apiVersion"] == version else converted([obj], version, resource.conversion)[0]


def _strip(metadata: Json, resource: Resource) -> None:
    """CR-06: what a client cannot say of a new object."""
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion", "generation"):
        metadata.pop(field, None)
    if not resource.namespaced:
        metadata.pop("namespace", None)
    metadata.pop("uid", None)
    metadata.pop("creationTimestamp", None)


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
