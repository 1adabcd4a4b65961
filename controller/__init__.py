"""What must be done next, and by whom? Queues, predicates, controllers, the manager, and what reconcilers use."""

from windlass.controller.context import Context
from windlass.controller.controller import Controller
from windlass.controller.errors import (
    BrokenExecutor,
    ControllerError,
    DuplicateExecutor,
    DuplicateName,
    ExecutorError,
    ExecutorNotFound,
    GraceExceeded,
    KindNotRegistered,
    ManagerError,
    OwnerError,
    QueueShutDown,
    TerminalError,
)
from windlass.controller.executors import Executor, ExecutorRegistry
from windlass.controller.handlers import Handler, Watch, map_objects, map_owner, map_self
from windlass.controller.manager import Manager, Runnable
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
from windlass.controller.settings import Settings
from windlass.controller.sources import Channel, Source, Stream, Ticker

__all__ = (
    "DEFAULT",
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
    "GraceExceeded",
    "Handler",
    "Item",
    "KindNotRegistered",
    "Manager",
    "ManagerError",
    "OwnerError",
    "Predicate",
    "QueueShutDown",
    "Reconciler",
    "Request",
    "Result",
    "Runnable",
    "Settings",
    "Source",
    "Stream",
    "TerminalError",
    "Ticker",
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
    "selector",
    "status_changed",
)
