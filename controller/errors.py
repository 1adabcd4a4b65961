"""Everything the controller runtime raises on purpose descends from `ControllerError`.

ControllerError
├── ManagerError             the manager cannot be built, started or stopped as asked
│   ├── KindNotRegistered    a controller uses a kind that was not given to `Manager(kinds=…)`
│   ├── DuplicateName        two controllers, or two components, with one name
│   ├── ManagerFaults        several things are wrong at once; `faults` holds them all
│   ├── GraceExceeded        a part was still running when the time for an orderly stop was over
│   ├── LeadershipLost       the Lease was lost, so this process must not go on
│   └── VersionMismatch      the server's version is outside the supported range
├── Fenced                   a write under a fencing token that is not the newest any more
├── RunOver                  an offloaded run's time is over, and it asks for more
├── TerminalError            raised by a reconciler: trying again cannot help until the object changes
├── OwnerError               an owner reference that Kubernetes would refuse or misread
├── QueueShutDown            the work queue hands out nothing more
└── ExecutorError
    ├── ExecutorNotFound     no executor of that name; the message lists those there are
    ├── DuplicateExecutor    one name, two executors
    └── BrokenExecutor       an executor that cannot be imported or does not keep the contract
"""

from collections.abc import Iterable

from windlass.statemachine.errors import WindlassError

__all__ = (
    "BrokenExecutor",
    "ControllerError",
    "DuplicateExecutor",
    "DuplicateName",
    "ExecutorError",
    "ExecutorNotFound",
    "Fenced",
    "GraceExceeded",
    "KindNotRegistered",
    "LeadershipLost",
    "ManagerError",
    "ManagerFaults",
    "OwnerError",
    "QueueShutDown",
    "RunOver",
    "TerminalError",
    "VersionMismatch",
)


class ControllerError(WindlassError):
    """The root of this package's errors."""


class ManagerError(ControllerError):
    """The manager cannot be built, started or stopped as asked; the message says which part and what to do."""


class KindNotRegistered(ManagerError):  # the house names what happened
    """A kind is used that the manager was not told of; raised before anything runs, never inside a reconcile."""

    def __init__(self, kind: str, used_by: str) -> None:
        super().__init__(f"{used_by} uses the kind {kind}, which is not registered: add it to Manager(kinds=[…])")
        self.kind = kind
        self.used_by = used_by


class DuplicateName(ManagerError):  # the house names what happened
    """Two controllers, or two components, of one manager have the same name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the name {name!r} is already used in this manager: give one of the two another name=…")
        self.name = name


class GraceExceeded(ManagerError):  # the house names what happened
    """The orderly stop took longer than `Settings.grace_seconds`; what was left has been cancelled."""

    def __init__(self, grace_seconds: float, unfinished: Iterable[str]) -> None:
        self.unfinished = tuple(unfinished)
        names = ", ".join(self.unfinished) or "a part"
        super().__init__(f"the orderly stop took longer than {grace_seconds:g} s; still running: {names}")


class LeadershipLost(ManagerError):  # the house names what happened
    """The Lease is not held any more. The manager has cancelled everything at once; the process should end (M2)."""

    def __init__(self, lease: str, identity: str, reason: str) -> None:
        super().__init__(
            f"the Lease {lease} is lost: {reason}; {identity} must not go on: end this process and start a new one"
        )
        self.lease = lease
        self.identity = identity
        self.reason = reason


class VersionMismatch(ManagerError):  # the house names what happened
    """The server's version is outside the supported range; raised before anything is reconciled."""

    def __init__(self, server: str, found: str, supported: str) -> None:
        super().__init__(
            f"the API server at {server} is version {found or '(none given)'}; supported is {supported}: "
            "use another cluster, or tell the manager to warn only (SupportedVersions(policy='warn'))"
        )
        self.server = server
        self.found = found
        self.supported = supported


class Fenced(ControllerError):  # the house names what happened
    """Somebody with a newer fencing token has written the object: this process is not its writer any more."""

    def __init__(self, subject: str, token: str, newer: str) -> None:
        super().__init__(f"{subject} is not written: it carries the fencing token {newer}, which is newer than {token}")
        self.subject = subject
        self.token = token
        self.newer = newer


class ManagerFaults(ManagerError):  # the house names what happened
    """Several things are wrong; the message lists them all, one a line."""

    def __init__(self, what: str, faults: Iterable[WindlassError]) -> None:
        self.faults = tuple(faults)
        lines = "".join(f"\n- {fault}" for fault in self.faults)
        super().__init__(f"{what}: {len(self.faults)} things are wrong:{lines}")


class RunOver(ControllerError):  # the house names what happened
    """The time of an offloaded run is over: its deadline has passed, or the manager has stopped it. Return."""

    def __init__(self, key: object) -> None:
        super().__init__(f"the run of {key} is over: return, and it will be tried again")


class TerminalError(ControllerError):
    """Raised by a reconciler: trying again cannot help. The key runs again only when an event wakes it (C6)."""


class OwnerError(ControllerError):
    """An owner reference that the server would refuse, or that its garbage collector would take for an orphan's."""


class QueueShutDown(ControllerError):  # the house names what happened
    """The work queue has been shut down and hands out nothing more."""


class ExecutorError(ControllerError):
    """Something is wrong with an executor or with the registry of executors."""


class ExecutorNotFound(ExecutorError):  # the house names what happened
    """No executor has this name."""

    def __init__(self, name: str, known: Iterable[str], *, noun: str = "executor") -> None:
        self.name = name
        self.known = tuple(sorted(known))
        there_are = ", ".join(self.known) if self.known else "none at all"
        super().__init__(f"there is no {noun} named {name!r}; known {noun}s: {there_are}")


class DuplicateExecutor(ExecutorError):  # the house names what happened
    """One name stands for two executors."""

    def __init__(self, name: str, first: str, second: str, *, noun: str = "executor") -> None:
        super().__init__(f"two {noun}s are named {name!r}: {first} and {second}; rename or remove one of them")
        self.name = name


class BrokenExecutor(ExecutorError):  # the house names what happened
    """An executor cannot be imported, or lacks a part of the contract."""

    def __init__(self, name: str, origin: str, problem: str, *, noun: str = "executor") -> None:
        super().__init__(f"the {noun} {name!r} from {origin} cannot be used: {problem}")
        self.name = name
        self.origin = origin
