"""An owner reference is written only if Kubernetes will honour it: the garbage collector deletes what it misreads.

Pure functions over JSON bodies; nothing is sent from here. An entry's identity is group, kind and name: setting the
same owner again replaces its entry, whatever version or uid the old one had (P11).
"""

from collections.abc import Mapping
from typing import Any

from windlass.controller.errors import OwnerError
from windlass.controller.subject import Subject

__all__ = ("controller_of", "owner_reference", "remove_owner", "set_controller", "set_owner")


def owner_reference(owner: Subject, *, controller: bool = True, block_owner_deletion: bool = True) -> dict[str, Any]:
    """The reference to `owner`. Raises OwnerError if it has no uid, being not created yet (P12)."""
    if not owner.uid or not owner.key.name:
        raise OwnerError(f"{owner} cannot own anything: it has no uid, so it has not been created yet")
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.key.name,
        "uid": owner.uid,
        "controller": controller,
        "blockOwnerDeletion": block_owner_deletion,
    }


def set_controller(body: Mapping[str, Any], owner: Subject, *, namespaced: bool = True) -> dict[str, Any]:
    """A copy of `body` whose controller is `owner`; a namespaced child without a namespace gets its owner's.

    `namespaced` is whether the child's kind is. Raises OwnerError if another object controls the child already, if the
    owner is in another namespace, if it is namespaced and the child is not (P10), or has no uid (P12).
    """
    current = controller_of(body)
    if current is not None and not _same(current, owner):
        child, controller = _name(body), f"{current.get('kind')} {current.get('name')}"
        raise OwnerError(f"{child} cannot be controlled by {owner}: {controller} controls it already")
    return _with_owner(body, owner, owner_reference(owner), namespaced=namespaced)


def set_owner(body: Mapping[str, Any], owner: Subject, *, namespaced: bool = True) -> dict[str, Any]:
    """A copy of `body` that `owner` owns without controlling it: any number of owners may. Raises OwnerError."""
    reference = owner_reference(owner, controller=False, block_owner_deletion=False)
    return _with_owner(body, owner, reference, namespaced=namespaced)


def remove_owner(body: Mapping[str, Any], owner: Subject) -> dict[str, Any]:
    """A copy of `body` without any reference to `owner`."""
    metadata = dict(body.get("metadata") or {})
    kept = [reference for reference in _references(body) if not _same(reference, owner)]
    if kept:
        metadata["ownerReferences"] = kept
    else:
        metadata.pop("ownerReferences", None)
    return {**body, "metadata": metadata}


def controller_of(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The reference that says `controller: true`, or None."""
    return next((reference for reference in _references(body) if reference.get("controller")), None)


def _with_owner(
    body: Mapping[str, Any], owner: Subject, reference: dict[str, Any], *, namespaced: bool
) -> dict[str, Any]:
    metadata = dict(body.get("metadata") or {})
    if owner.key.namespace:
        if not namespaced:
            raise OwnerError(f"{_name(body)} is cluster-scoped and cannot be owned by {owner}, which is in a namespace")
        namespace = metadata.setdefault("namespace", owner.key.namespace)
        if namespace != owner.key.namespace:
            raise OwnerError(f"{_name(body)} is in the namespace {namespace} and cannot be owned by {owner}")
    kept = [other for other in _references(body) if not _same(other, owner)]
    metadata["ownerReferences"] = [*kept, reference]
    return {**body, "metadata": metadata}


def _references(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    metadata = body.get("metadata") or {}
    return [dict(reference) for reference in metadata.get("ownerReferences") or ()]


def _same(reference: Mapping[str, Any], owner: Subject) -> bool:
    group = str(reference.get("apiVersion", "")).rpartition("/")[0]
    return (group, reference.get("kind"), reference.get("name")) == (
        owner.api_version.rpartition("/")[0],
        owner.kind,
        owner.key.name,
    )


def _name(body: Mapping[str, Any]) -> str:
    metadata = body.get("metadata") or {}
    return f"{body.get('kind', 'the object')} {metadata.get('name', '(unnamed)')}"
