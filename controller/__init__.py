"""What must be done next, and by whom? Queues, predicates, controllers, the manager, and what reconcilers use."""

from windlass.controller.conflicts import retry_on_conflict
from windlass.controller.context import Context
from windlass.controller.controller import Controller
from windlass.controller.election import LeaderElection
from windlass.controller.errors import (
    BrokenExecutor,
    ControllerError,
    DuplicateExecutor,
    DuplicateName,
    ExecutorError,
    ExecutorNotFound,
    Fenced,
    GraceExceeded,
    KindNotRegistered,
    LeadershipLost,
    ManagerError,
    ManagerFaults,
    OwnerError,
    QueueShutDown,
    RunOver,
    TerminalError,
    VersionMismatch,
)
from windlass.controller.executors import Executor, ExecutorRegistry
from windlass.controller.fencing import Fence
from windlass.controller.finalizing import with_finalizer
from windlass.controller.handlers import Handler, Watch, map_objects, map_owner, map_self
from windlass.controller.lease import FencingToken
from windlass.controller.logs import JsonFormatter
from windlass.controller.manager import Manager, Runnable
from windlass.controller.offloading import BlockingContext, BlockingReconciler
from windlass.controller.pages import Page
from windlass.controller.predicates import (
    DEFAULT,
    Predicate,
    annotations_changed,
    deletion_changed,
    finalizers_changed,
    generation_changed,
    labels_changed,
    owners_changed,
    resource_version_changed,
    resynced,
    selector,
    status_changed,
)
from windlass.controller.queue import Item, WorkQueue
from windlass.controller.request import Reconciler, Request, Result
from windlass.controller.reviews import AccessReviews, ReviewedUser
from windlass.controller.settings import Settings
from windlass.controller.sharding import Sharding
from windlass.controller.sources import Channel, Source, Stream, Ticker
from windlass.controller.upserts import Operation, Upserted
from windlass.controller.version import SupportedVersions

__all__ = (
    "DEFAULT",
    "AccessReviews",
    "BlockingContext",
    "BlockingReconciler",
    "BrokenExecutor",
    "Channel",
    "Context",
    "Controller",
    "ControllerError",
    "DuplicateExecutor",
    "DuplicateName",
    "Executor",
    "ExecutorError",
    "ExecutorNotFound",
    "ExecutorRegistry",
    "Fence",
    "Fenced",
    "FencingToken",
    "GraceExceeded",
    "Handler",
    "Item",
    "JsonFormatter",
    "KindNotRegistered",
    "LeaderElection",
    "LeadershipLost",
    "Manager",
    "ManagerError",
    "ManagerFaults",
    "Operation",
    "OwnerError",
    "Page",
    "Predicate",
    "QueueShutDown",
    "Reconciler",
    "Request",
    "Result",
    "ReviewedUser",
    "RunOver",
    "Runnable",
    "Settings",
    "Sharding",
    "Source",
    "Stream",
    "SupportedVersions",
    "TerminalError",
    "Ticker",
    "Upserted",
    "VersionMismatch",
    "Watch",
    "WorkQueue",
    "annotations_changed",
    "deletion_changed",
    "finalizers_changed",
    "generation_changed",
    "labels_changed",
    "map_objects",
    "map_owner",
    "map_self",
    "owners_changed",
    "resource_version_changed",
    "resynced",
    "retry_on_conflict",
    "selector",
    "status_changed",
    "with_finalizer",
)
