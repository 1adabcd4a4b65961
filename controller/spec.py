"""What a controller is made of is one value, complete and checked before anything runs.

Made by `windlass.controller.assembly`, carried out by `windlass.controller.controller`.
"""

from collections.abc import Callable
from datetime import datetime

import attrs

from windlass.controller.handlers import Handler
from windlass.controller.offloading import BlockingReconciler
from windlass.controller.predicates import Predicate
from windlass.controller.request import Reconciler
from windlass.controller.retries import KEY_BACKOFF, TokenBucket
from windlass.controller.settings import utc_now
from windlass.controller.sources import Source
from windlass.informers.backoff import Backoff
from windlass.informers.resources import Resource

__all__ = ("ControllerSpec", "WatchSpec")


@attrs.frozen
class WatchSpec:
    """One watched kind: which changes count, and whose keys they wake. `role` begins the reasons of its runs."""

    resource: Resource
    handler: Handler
    predicates: tuple[Predicate, ...]
    role: str = ""


@attrs.frozen
class ControllerSpec:
    """Everything a controller is made of, checked already. `reads` are kinds cached for it without waking it.

    `offload` says that `reconcile` is a plain function, to be run in threads of the controller's own.
    """

    name: str
    reconcile: Reconciler | BlockingReconciler
    watches: tuple[WatchSpec, ...]
    sources: tuple[Source, ...] = ()
    reads: tuple[Resource, ...] = ()
    workers: int = 8
    deadline_seconds: float = 300.0
    caught_up_seconds: float = 5.0
    sync_timeout_seconds: float = 120.0
    retry: Backoff = KEY_BACKOFF
    bucket: TokenBucket | None = None
    offload: bool = False
    sharded: bool = False
    clock: Callable[[], datetime] = utc_now
