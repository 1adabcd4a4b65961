"""What controllers do behind a real API server: collect garbage, empty what is deleted, gather aggregated roles.

Level-triggered. One task looks at the objects that a change may concern, asks the pure rules what to do, and does it
through the same operations as any client. A start looks at every object once, so a kill at any moment loses nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from windlass.envtest.apiserver.access.aggregation import CLUSTER_ROLES, aggregated, aggregates
from windlass.envtest.apiserver.builtin.namespaces import NAMESPACE_FINALIZER, with_conditions
from windlass.envtest.apiserver.collector.garbage import Action, Delete, DropOwners, OwnerState, decide, owner_uids
from windlass.envtest.apiserver.decisions import Call, Enquiry, Reply
from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.objects import GC_FINALIZERS
from windlass.envtest.apiserver.schema import crds
from windlass.envtest.apiserver.store.storage import DELETED, Change, Key, Stored
from windlass.envtest.apiserver.values import Json, copied, same
from windlass.envtest.apiserver.verbs.operations import Operations
from windlass.envtest.apiserver.verbs.targets import DeleteOptions, Target

__all__ = ("Housekeeping",)

BATCH_MAX = 100  # objects looked at before requests get their turn
RETRY_SECONDS = 1.0  # after a webhook has denied or failed
# Who the controllers are, as webhooks are told.
_COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"
_ACCOUNTS = {"namespaces": "system:serviceaccount:kube-system:namespace-controller", crds.CRD: "system:apiserver"}
_GROUPS = ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"]
logger = logging.getLogger(__name__)


class Housekeeping:
    """Observes the store, remembers who depends on whom, and works in `run`."""

    def __init__(self, operations: Operations, call: Callable[[Call], Awaitable[Reply]]) -> None:
        self._operations = operations
        self._call = call
        self._asking: dict[Key, asyncio.Task[None]] = {}
        self._again: set[Key] = set()
        self._store = operations.store
        self._by_uid: dict[str, Key] = {}
        self._dependents: dict[str, set[Key]] = {}
        self._due: dict[Key, None] = {}
        self._wake = asyncio.Event()
        for resource in self._store.resources():
            for stored in self._store.items(resource):
                self._remember(stored, None)
                self._due[stored.key] = None

    def __repr__(self) -> str:
        return f"<Housekeeping due={len(self._due)}>"

    def observe(self, change: Change) -> None:
        """Listen to the store."""
        previous, current = change.previous, change.current
        if change.type == DELETED:
            self._forget(current if previous is None else previous)
        else:
            self._remember(current, previous)
            if _concerns(current):
                self._add(current.key)
        self._add_neighbours(change)
        if current.key.resource == CLUSTER_ROLES:
            for stored in self._store.items(CLUSTER_ROLES):
                if aggregates(stored.obj):
                    self._add(stored.key)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._due:
                    for key in list(self._due)[:BATCH_MAX]:
                        del self._due[key]
                        self._begin(key)
                    await asyncio.sleep(0)
        finally:
            for task in self._asking.values():
                task.cancel()
            await asyncio.gather(*self._asking.values(), return_exceptions=True)

    def _begin(self, key: Key) -> None:
        """Look at an object, in a task of its own if a webhook must be asked: one that hangs holds up nobody else."""
        if key in self._asking:  # the task looks again when it is done
            self._again.add(key)
            return
        enquiry = Enquiry(self._call, {"username": _ACCOUNTS.get(key.resource, _COLLECTOR), "groups": _GROUPS})
        if not enquiry.tried(lambda: self._look(key)):
            task = asyncio.create_task(self._ask(key, enquiry), name=f"apiserver housekeeping of {key.place}")
            self._asking[key] = task

    async def _ask(self, key: Key, enquiry: Enquiry) -> None:
        try:
            done = await enquiry.decided(lambda: self._look(key))
        except ApiError as error:
            logger.warning("housekeeping of %s %s/%s: %s", *key, error)
            done = False
        if not done:
            await asyncio.sleep(RETRY_SECONDS)
        del self._asking[key]
        if not done or key in self._again:
            self._again.discard(key)
            self._add(key)

    def start(self) -> None:
        """Have the objects that were there from the beginning looked at."""
        self._wake.set()

    def _add(self, key: Key) -> None:
        self._due[key] = None
        self._wake.set()

    def _add_neighbours(self, change: Change) -> None:
        current, previous = change.current, change.previous
        deleting = change.type == DELETED or bool(current.metadata.get("deletionTimestamp"))
        if deleting:
            for key in self._dependents.get(current.metadata["uid"], ()):
                self._add(key)
        owners = owner_uids(current.metadata) | (owner_uids(previous.metadata) if previous is not None else set())
        for uid in owners:
            if uid in self._by_uid:
                self._add(self._by_uid[uid])
        if change.type == DELETED:
            if current.key.namespace:
                self._add(Key("namespaces", "", current.key.namespace))
            if "." in current.key.resource:
                self._add(Key(crds.CRD, "", current.key.resource))

    def _remember(self, current: Stored, previous: Stored | None) -> None:
        self._by_uid[current.metadata["uid"]] = current.key
        before = owner_uids(previous.metadata) if previous is not None else set()
        now = owner_uids(current.metadata)
        for uid in before - now:
            self._drop_dependent(uid, current.key)
        for uid in now - before:
            self._dependents.setdefault(uid, set()).add(current.key)

    def _forget(self, stored: Stored) -> None:
        self._by_uid.pop(stored.metadata["uid"], None)
        for uid in owner_uids(stored.metadata):
            self._drop_dependent(uid, stored.key)

    def _drop_dependent(self, uid: str, key: Key) -> None:
        keys = self._dependents.get(uid, set())
        keys.discard(key)
        if not keys:
            self._dependents.pop(uid, None)

    def _look(self, key: Key) -> bool:
        """Do what is to be done about an object; says whether nothing stood in the way."""
        stored = self._store.get(key)
        if stored is None:
            return True
        try:
            if key.resource == "namespaces" and stored.metadata.get("deletionTimestamp"):
                self._empty_namespace(stored)
            elif key.resource == crds.CRD and stored.metadata.get("deletionTimestamp"):
                self._empty_definition(stored)
            elif key.resource == CLUSTER_ROLES and aggregates(stored.obj):
                self._aggregate(stored)
            dependents = self._children(stored)
            for action in decide(stored, dependents, self._owner_state):
                self._perform(action)
        except ApiError as error:
            logger.warning("housekeeping of %s %s/%s: %s", *key, error)
            return False
        except Exception:  # one odd object must not end the collection of all others
            logger.exception("housekeeping of %s %s/%s failed", *key)
        return True

    def _aggregate(self, role: Stored) -> None:
        rules = aggregated(role.obj, (stored.obj for stored in self._store.items(CLUSTER_ROLES)))
        if not same(role.obj.get("rules") or [], rules):
            self._write(role, role.obj | {"rules": rules or None})

    def _children(self, stored: Stored) -> list[Stored]:
        found = (self._store.get(key) for key in sorted(self._dependents.get(stored.metadata["uid"], ())))
        return [child for child in found if child is not None]

    def _owner_state(self, dependent: Stored, reference: Json) -> OwnerState:
        """GC-07: the owner is looked for in the dependent's own namespace."""
        resource = self._operations.registry.of_kind(reference["apiVersion"], reference["kind"])
        if resource is None:
            return OwnerState(None)
        namespace = dependent.key.namespace if resource.namespaced else ""
        owner = self._store.get(Key(resource.qualified, namespace, reference["name"]))
        if owner is None or owner.metadata["uid"] != reference["uid"]:
            return OwnerState(exists=False)
        foreground = GC_FINALIZERS["Foreground"] in (owner.metadata.get("finalizers") or [])
        return OwnerState(exists=True, waiting=foreground and bool(owner.metadata.get("deletionTimestamp")))

    def _perform(self, action: Action) -> None:
        stored = self._store.get(action.key)
        if stored is None:
            return
        if isinstance(action, Delete):
            self._delete([stored], action.policy)
            return
        metadata = copied(stored.metadata)
        if isinstance(action, DropOwners):
            kept = [owner for owner in metadata.get("ownerReferences") or [] if owner["uid"] not in action.uids]
            _set(metadata, "ownerReferences", kept)
        else:
            kept = [item for item in metadata.get("finalizers") or [] if item != action.finalizer]
            _set(metadata, "finalizers", kept)
        self._write(stored, stored.obj | {"metadata": metadata})

    def _write(self, stored: Stored, obj: Json) -> None:
        """Write metadata or status without validation: what was stored once may be finalized."""
        self._operations.finish(stored, obj)

    def _delete(self, items: Iterable[Stored], policy: str) -> None:
        for stored in items:
            resource = self._operations.registry.any_version(stored.key.resource) or _unserved(stored)
            target = Target(resource, stored.key.namespace, stored.key.name)
            self._operations.delete(target, DeleteOptions(policy=policy))

    def _empty_namespace(self, namespace: Stored) -> None:
        """N-01."""
        inside = [
            stored for resource in self._store.resources() for stored in self._store.items(resource, namespace.key.name)
        ]
        self._delete((stored for stored in inside if not stored.metadata.get("deletionTimestamp")), "Background")
        left = [
            stored for resource in self._store.resources() for stored in self._store.items(resource, namespace.key.name)
        ]
        if left:
            told = with_conditions(namespace.obj, left, self._operations.now())
            if not same(told, namespace.obj):
                self._write(namespace, told)
            return
        spec = dict(namespace.obj.get("spec") or {})
        kept = [item for item in spec.get("finalizers") or [] if item != NAMESPACE_FINALIZER]
        if kept == spec.get("finalizers", kept):
            return
        _set(spec, "finalizers", kept)
        self._write(namespace, namespace.obj | {"spec": spec})

    def _empty_definition(self, crd: Stored) -> None:
        """K-07."""
        qualified = f"{crd.obj['spec']['names']['plural']}.{crd.obj['spec']['group']}"
        instances = self._store.items(qualified)
        self._delete((stored for stored in instances if not stored.metadata.get("deletionTimestamp")), "Background")
        if self._store.items(qualified):
            return
        metadata = copied(crd.metadata)
        kept = [item for item in metadata.get("finalizers") or [] if item != crds.CLEANUP_FINALIZER]
        _set(metadata, "finalizers", kept)
        self._write(crd, crd.obj | {"metadata": metadata})


def _concerns(stored: Stored) -> bool:
    return bool(stored.metadata.get("ownerReferences") or stored.metadata.get("deletionTimestamp"))


def _unserved(stored: Stored) -> Resource:
    """A stand-in for a kind whose definition is not served any more."""
    plural, _, group = stored.key.resource.partition(".")
    version, kind = stored.obj["apiVersion"].rpartition("/")[2], stored.obj["kind"]
    return Resource(group, version, kind, plural, namespaced=bool(stored.key.namespace), custom=True)


def _set(metadata: Json, field: str, value: list[object]) -> None:
    if value:
        metadata[field] = value
    else:
        metadata.pop(field, None)
