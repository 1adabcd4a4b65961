"""What a manager's controllers need follows from what they declare: no request that they make is outside of it.

A kind that is watched or read is cached: get, list and watch. What a reconciler writes is what `manifests.rbac.needs`
says of it; without a word it is what `Context` offers: status and finalizers of its own kind, creating and patching of
kinds that it owns. Events and Leases belong to the manager.

This module sees managers that have not been started.
"""

from collections.abc import Iterable
from typing import Final

import attrs

from windlass.controller.manager import Manager
from windlass.controller.spec import ControllerSpec
from windlass.informers.builtins import ConfigMap, Event, Lease, Secret, ServiceAccount
from windlass.informers.resources import Resource
from windlass.manifests.rbac import READ, Need, needs_of

__all__ = ("Permissions", "permissions_of")

_WITHOUT_STATUS: Final = (ConfigMap, Secret, ServiceAccount, Event, Lease)
_OWNED: Final = "owned "  # how a WatchSpec of `owns` begins to call itself


@attrs.frozen
class Permissions:
    """What is needed `everywhere` that objects are (all namespaces, or the one watched), and what `at_home`.

    At home is the namespace of the program itself.
    """

    everywhere: tuple[Need, ...]
    at_home: tuple[Need, ...] = ()


def permissions_of(manager: Manager) -> Permissions:
    """What the manager and its controllers ask of the API server."""
    wanted = [need for controller in manager.controllers for need in _needs(manager, controller.spec)]
    if wanted:
        wanted.append(Need.on(Event, "create", "patch"))  # patch: the counts of repeated events
    settings = manager.settings
    shared = settings.leader_election is not None or settings.sharding is not None
    leases = (Need.on(Lease, "get", "list", "create", "update", "delete"),) if shared else ()
    return Permissions(tuple(wanted), leases)


def _needs(manager: Manager, spec: ControllerSpec) -> Iterable[Need]:
    for resource in (*(watch.resource for watch in spec.watches), *spec.reads):
        yield Need.on(resource, *READ)
    own, *others = spec.watches
    owned = [watch.resource for watch in others if watch.role.startswith(_OWNED)]
    if owned:
        # Some clusters ask this of whoever says that an owner must not go before what it owns.
        yield Need.on(own.resource, "update", subresource="finalizers")
    declared = needs_of(spec.reconcile)
    if declared:
        yield from declared
        return
    yield Need.on(own.resource, "patch")  # finalizers
    if _has_status(manager, own.resource):
        yield Need.on(own.resource, "patch", subresource="status")
    for resource in owned:
        yield Need.on(resource, "create", "patch")


def _has_status(manager: Manager, resource: Resource) -> bool:
    """Whether the kind has a status that a reconciler may write; a Resource of which nothing is known may have one."""
    cls = manager.scheme.class_of(resource)
    return resource not in _WITHOUT_STATUS if cls is None else "status" in {field.name for field in attrs.fields(cls)}
