"""What a namespace says of itself while it is emptied (N-01): five conditions, a function of what is left in it. Pure.

Who deletes the content is `housekeeping`.
"""

from collections import Counter
from collections.abc import Sequence

from windlass.envtest.apiserver.schema.crds import set_condition
from windlass.envtest.apiserver.store.storage import Stored
from windlass.envtest.apiserver.values import Json, copied

__all__ = ("NAMESPACE_FINALIZER", "with_conditions")

NAMESPACE_FINALIZER = "kubernetes"

_FINE = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
}


def with_conditions(namespace: Json, left: Sequence[Stored], now: str) -> Json:
    """The namespace with its conditions; `left` is what is still in it."""
    status = dict(namespace.get("status") or {})
    conditions: list[Json] = copied(status.get("conditions") or [])
    for kind, (reason, message) in _FINE.items():
        set_condition(conditions, kind, ("False", reason, message), now)
    kinds = Counter(stored.key.resource for stored in left)
    listed = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(kinds.items()))
    state = ("True", "SomeResourcesRemain", f"Some resources are remaining: {listed}")
    set_condition(conditions, "NamespaceContentRemaining", state, now)
    finalizers = Counter(item for stored in left for item in stored.metadata.get("finalizers") or [])
    listed = ", ".join(f"{item} in {count} resource instances" for item, count in sorted(finalizers.items()))
    state = ("True", "SomeFinalizersRemain", f"Some content in the namespace has finalizers remaining: {listed}")
    if not finalizers:
        state = ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished")
    set_condition(conditions, "NamespaceFinalizersRemaining", state, now)
    return namespace | {"status": status | {"conditions": conditions}}
