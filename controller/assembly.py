"""A controller that cannot work is refused when it is declared, with everything that is wrong, before anything runs.

What the author wants becomes what `windlass.controller.controller` carries out: kinds are looked up in the scheme,
owner relations and numbers are checked, what was left open is taken from the settings. Nothing here starts anything.
"""

import functools
import inspect
import math
from collections.abc import Callable

import attrs

from windlass.controller.executors import executors as executor_registry
from windlass.controller.faults import Faults
from windlass.controller.handlers import Handler, Watch, map_owner, map_self
from windlass.controller.offloading import BlockingReconciler
from windlass.controller.predicates import DEFAULT, Predicate
from windlass.controller.request import Reconciler
from windlass.controller.retries import KEY_BACKOFF, TokenBucket
from windlass.controller.scheme import Scheme
from windlass.controller.settings import Settings
from windlass.controller.sources import Source
from windlass.controller.spec import ControllerSpec, WatchSpec
from windlass.informers.backoff import Backoff
from windlass.informers.keys import Key
from windlass.informers.resources import Kind, Resource

__all__ = ("Assembly", "Wanted")


@attrs.frozen
class Wanted:
    """What `Manager.controller` was asked for; None where the settings decide."""

    reconcile: Reconciler | BlockingReconciler
    for_: Kind
    owns: tuple[Kind, ...] = ()
    watches: tuple[Watch, ...] = ()
    sources: tuple[Source, ...] = ()
    reads: tuple[Kind, ...] = ()
    executors: tuple[str, ...] = ()
    predicates: tuple[Predicate, ...] = (DEFAULT,)
    workers: int | None = None
    name: str | None = None
    deadline_seconds: float | None = None
    offload: bool = False
    sharded: bool | None = None
    retry: Backoff = KEY_BACKOFF
    bucket: TokenBucket | None = None


@attrs.frozen
class Assembly:
    """What controllers are put together from. `claim` raises when a name is taken; `uid_of` asks the cache."""

    scheme: Scheme
    settings: Settings
    claim: Callable[[str], None]
    uid_of: Callable[[Resource, Key], str | None]

    def spec(self, wanted: Wanted) -> ControllerSpec:
        """The controller as it will run. Raises what is wrong, ManagerFaults if it is more than one thing."""
        faults = Faults()
        settings = self.settings
        resource: Resource | None = None
        with faults:
            used_by = f"a controller (for_) named {wanted.name!r}" if wanted.name else "for_"
            resource = self.scheme.require(wanted.for_, used_by=used_by)
        name = wanted.name or (resource.kind.lower() if resource is not None else "")
        used_by = f"the controller {name}" if name else "this controller"
        reads = [self._resource(faults, kind, f"{used_by} (reads)") for kind in wanted.reads]
        shared = settings.sharding is not None and settings.leader_election is None
        deadline = wanted.deadline_seconds
        spec = ControllerSpec(
            name=name,
            reconcile=wanted.reconcile,
            watches=self._watched(faults, used_by, resource, wanted),
            sources=wanted.sources,
            reads=tuple(one for one in reads if one is not None),
            workers=settings.workers if wanted.workers is None else wanted.workers,
            deadline_seconds=settings.deadline_seconds if deadline is None else deadline,
            sync_timeout_seconds=settings.sync_timeout_seconds,
            retry=wanted.retry,
            bucket=wanted.bucket,
            offload=wanted.offload,
            sharded=shared if wanted.sharded is None else wanted.sharded,
            clock=settings.clock,
        )
        self._check(faults, used_by, spec)
        for executor in wanted.executors:
            with faults:
                executor_registry.get(executor)
        with faults:
            self.claim(spec.name)
        faults.raise_all(f"{used_by} cannot be added")
        return spec

    def _check(self, faults: Faults, used_by: str, spec: ControllerSpec) -> None:
        """Everything about a controller that has nothing to do with kinds."""
        if spec.workers < 1 or not (0 < spec.deadline_seconds < math.inf):
            faults.add(
                f"{used_by}: expected workers >= 1 and a finite deadline_seconds > 0, "
                f"found workers={spec.workers!r}, deadline_seconds={spec.deadline_seconds!r}"
            )
        if fault := _reconciler_fault(spec):
            faults.add(f"{used_by}: {fault}")
        if spec.sharded and self.settings.sharding is None:
            faults.add(f"{used_by}: sharded=True needs Settings(sharding=Sharding(name=…)), found None")

    def _watched(
        self, faults: Faults, used_by: str, resource: Resource | None, wanted: Wanted
    ) -> tuple[WatchSpec, ...]:
        """What wakes the controller of `resource`. Without one, the rest is looked at for its faults alone."""
        specs = [] if resource is None else [WatchSpec(resource, map_self, wanted.predicates)]
        for kind in wanted.owns:
            owned = self._resource(faults, kind, f"{used_by} (owns)")
            if owned is None or resource is None:
                continue
            if resource.namespaced and not owned.namespaced:
                faults.add(
                    f"{used_by}: {resource.kind} is namespaced and cannot own the cluster-scoped {owned.kind} (P10)"
                )
            specs.append(WatchSpec(owned, self._map_owner(resource), (DEFAULT,), role=f"owned {owned} "))
        for watch in wanted.watches:
            watched = self._resource(faults, watch.kind, f"{used_by} (watches)")
            if watched is not None:
                specs.append(WatchSpec(watched, watch.handler, watch.predicates, role=f"{watched} "))
        return tuple(specs)

    def _map_owner(self, resource: Resource) -> Handler:
        return map_owner(resource, uid_of=lambda key: self.uid_of(resource, key))

    def _resource(self, faults: Faults, kind: Kind, used_by: str) -> Resource | None:
        with faults:
            return self.scheme.require(kind, used_by=used_by)
        return None


def _reconciler_fault(spec: ControllerSpec) -> str | None:
    """What keeps the reconciler from being run, as far as can be told without running it."""
    reconcile: object = spec.reconcile
    if not callable(reconcile):
        return f"expected a reconciler (ctx, request), found {reconcile!r}"
    waits = inspect.iscoroutinefunction(reconcile) or inspect.iscoroutinefunction(type(reconcile).__call__)
    if spec.offload and waits:
        return f"an offloaded reconciler is a plain function, found the coroutine function {reconcile!r}"
    if not spec.offload and _surely_plain(reconcile):
        return f"expected `async def`, or offload=True for a plain function; found the plain function {reconcile!r}"
    try:
        inspect.signature(reconcile).bind(None, None)
    except TypeError as error:
        return f"expected a reconciler that takes (ctx, request), found {reconcile!r}, which does not: {error}"
    except ValueError:
        pass  # a built-in function tells nothing of itself
    return None


def _surely_plain(reconcile: Callable[..., object]) -> bool:
    """Whether it is a function or a class whose result nobody can wait for; a lambda may well return a coroutine."""
    inner: object = reconcile
    while isinstance(inner, functools.partial):
        inner = inner.func
    if inspect.isclass(inner):
        return not hasattr(inner, "__await__")
    if not (inspect.isfunction(inner) or inspect.ismethod(inner)):
        return False
    return inner.__name__ != "<lambda>" and not inspect.iscoroutinefunction(inspect.unwrap(inner))
