"""Every error of an operator carries the reason that the object's condition will show; no layer guesses it from a text.

WindlassError
└── OperatorsError
    ├── TargetUnreachable          what a promotion moves does not answer; trying again may help
    └── TrainingError              reason: one CamelCase word (C-27); retryable: whether trying again may help
        ├── DataError              the table or its version cannot be used (A2)
        ├── HardwareInvalid        no machine can ever be what the job asks for, or its Pod would be refused (C1)
        ├── HardwareUnreadable     nodes, or what is taken of them, cannot be read; trying again may help
        ├── HyperparametersInvalid the executor refuses the hyperparameters; one line for each fault
        ├── ExtraMissing           a library of an extra is not installed
        ├── TrainingDiverged       the loss is no longer a finite number
        ├── RunFolderBusy          another process holds the run's lock
        ├── StillEnding            an earlier attempt, or what is to be discarded, has not come to its end yet
        ├── ExecutorNotAllowed     the operator's owner has not allowed this executor here
        ├── ExecutorUnavailable    the cluster does not serve, or refuses us, what the executor works with
        ├── NameConflict           an object that is not ours has the name of an attempt
        ├── ManifestRefused        the API server finds what was rendered invalid
        ├── EvaluationError        the exported model could not be evaluated on the held-out rows
        ├── CheckError             a check of the gate could not give an answer, which blocks as a no does (B1)
        ├── MetadataError          the store of metadata cannot be used, or refused a record
        └── PublishError           the model repository refused the model
"""

from typing import ClassVar

from windlass.statemachine.errors import WindlassError

__all__ = (
    "CheckError",
    "DataError",
    "EvaluationError",
    "ExecutorNotAllowed",
    "ExecutorUnavailable",
    "ExtraMissing",
    "HardwareInvalid",
    "HardwareUnreadable",
    "HyperparametersInvalid",
    "ManifestRefused",
    "MetadataError",
    "NameConflict",
    "OperatorsError",
    "PublishError",
    "RunFolderBusy",
    "StillEnding",
    "TargetUnreachable",
    "TrainingDiverged",
    "TrainingError",
)


class OperatorsError(WindlassError):
    """The root of this package."""


class TargetUnreachable(OperatorsError):  # the house names what happened
    """The target of a promotion gave no answer, or none that is understood."""


class TrainingError(OperatorsError):
    """A step of a training job failed. `reason` goes into the condition, the message beside it."""

    default_reason: ClassVar[str] = "TrainingFailed"
    retryable: bool = False

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        self.reason = self.default_reason if reason is None else reason
        super().__init__(message)


class DataError(TrainingError):
    """A data version cannot be used. Only `TableUnreachable` is worth trying again (A2)."""

    default_reason = "TableCorrupt"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message, reason=reason)
        self.retryable = reason == "TableUnreachable"


class HardwareInvalid(TrainingError):  # the house names what happened
    """What a job asks of hardware contradicts itself, or names what nobody knows."""

    default_reason = "InvalidHardware"


class HardwareUnreadable(TrainingError):  # the house names what happened
    """The cluster does not let us see its nodes and Pods, or not yet."""

    default_reason = "HardwareUnreadable"
    retryable = True


class HyperparametersInvalid(TrainingError):  # the house names what happened
    """The hyperparameters do not fit the executor; `faults` has one sentence for each field that is wrong."""

    default_reason = "InvalidHyperparameters"

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))


class ExtraMissing(TrainingError):  # the house names what happened
    """A library is not installed; the message says which, for what, and how to get it."""

    default_reason = "ExtraMissing"

    def __init__(self, library: str, *, needed_for: str, extra: str) -> None:
        super().__init__(
            f"{needed_for} needs the library {library!r}, which is missing: pip install 'windlass[{extra}]'"
        )


class TrainingDiverged(TrainingError):  # the house names what happened
    """The loss became infinite or not a number; the same run would do so again."""

    default_reason = "TrainingDiverged"


class RunFolderBusy(TrainingError):  # the house names what happened
    """Another process holds the lock of the run folder, so this one must not write there."""

    default_reason = "RunFolderBusy"
    retryable = True


class StillEnding(TrainingError):  # the house names what happened
    """Work that was told to end may still write, so nothing may take its place yet."""

    default_reason = "StillEnding"
    retryable = True


class ExecutorNotAllowed(TrainingError):  # the house names what happened
    """The executor is there, but whoever runs the operator has not allowed it to be used by custom resources."""

    default_reason = "ExecutorNotAllowed"


class ExecutorUnavailable(TrainingError):  # the house names what happened
    """`KindNotInstalled` or `ExecutorForbidden`: retryable, for whoever runs the cluster can change it without us."""

    default_reason = "KindNotInstalled"
    retryable = True


class NameConflict(TrainingError):  # the house names what happened
    """Somebody else's object has the name that this attempt's would have; it is never adopted (G2)."""

    default_reason = "NameConflict"


class ManifestRefused(TrainingError):  # the house names what happened
    """The API server would refuse the same object again."""

    default_reason = "ManifestRefused"


class EvaluationError(TrainingError):
    """The exported model does not load, or does not answer as it should."""

    default_reason = "EvaluationFailed"


class CheckError(TrainingError):
    """A check cannot tell: missing rows, an odd answer, no time left. `reason` goes into its result."""

    default_reason = "CheckFailed"


class MetadataError(TrainingError):
    """Metadata cannot be read or recorded. Only `MetadataUnreachable` is worth trying again."""

    default_reason = "MetadataInvalid"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message, reason=reason)
        self.retryable = reason == "MetadataUnreachable"


class PublishError(TrainingError):
    """The model could not be published; retryable if its folder could not be written, for a full disk is no verdict."""

    default_reason = "PublishFailed"

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable
