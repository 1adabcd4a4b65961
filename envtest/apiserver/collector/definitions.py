"""The registry follows the CRDs in the store: a write of one is in force before the write is answered.

Reacts to changes of CRDs only: completes their status, serves or withdraws their kinds and ends the watches of what
changed (K-06, K-08). Emptying a deleted definition is `housekeeping`'s work.
"""

from windlass.envtest.apiserver.kinds import Registry
from windlass.envtest.apiserver.schema import crds
from windlass.envtest.apiserver.store.storage import DELETED, Change, Store, Stored
from windlass.envtest.apiserver.store.watchcache import WatchCache
from windlass.envtest.apiserver.values import Json, copied, same
from windlass.envtest.apiserver.verbs.operations import Operations

__all__ = ("Definitions",)


class Definitions:
    """Keeps registry, CRD status and watches in step with the CRDs."""

    def __init__(self, operations: Operations, cache: WatchCache) -> None:
        self._store: Store = operations.store
        self._registry: Registry = operations.registry
        self._operations = operations
        self._cache = cache

    def __repr__(self) -> str:
        return f"<Definitions kinds={len(self._store.items(crds.CRD))}>"

    def resume(self) -> None:
        """Serve what the store already holds; also finishes a definition whose first status a kill prevented."""
        for stored in self._store.items(crds.CRD):
            self._settle(stored)

    def observe(self, change: Change) -> None:
        """Listen to the store."""
        if change.current.key.resource != crds.CRD:
            return
        if change.type == DELETED:
            self._withdraw(change.current.obj)
            return
        if _spec_changed(change) or _deletion_began(change):
            self._settle(change.current)

    def _settle(self, stored: Stored) -> None:
        others = [other.obj for other in self._store.items(crds.CRD)]
        settled = crds.with_status(copied(stored.obj), others, self._operations.now())
        if not same(settled, stored.obj):
            stored = self._store.put(stored.key, settled)
        self._serve(stored)

    def _serve(self, stored: Stored) -> None:
        self._withdraw(stored.obj)
        self._cache.restart(crds.defined_by(stored.obj), stored.revision)
        for resource in crds.resources_of(stored.obj, stored.revision):
            self._registry.add(resource)

    def _withdraw(self, crd: Json) -> None:
        self._registry.drop(crd["spec"]["group"], crd["spec"]["names"]["plural"])
        self._cache.end_watches(crds.defined_by(crd))


def _spec_changed(change: Change) -> bool:
    return change.previous is None or not same(change.previous.obj["spec"], change.current.obj["spec"])


def _deletion_began(change: Change) -> bool:
    before = change.previous.metadata.get("deletionTimestamp") if change.previous is not None else None
    return before != change.current.metadata.get("deletionTimestamp")
