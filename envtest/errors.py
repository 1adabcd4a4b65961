"""What may go wrong while a test's surroundings are set up or taken down, and what a trial finds.

WindlassError
└── EnvtestError
    ├── ContainerError        a cluster in a container cannot be started, or is not running
    ├── ControlPlaneError     a component of the control plane is missing, did not start, or is not running
    ├── DefinitionError       a CustomResourceDefinition was taken, and its objects are not served
    ├── InstallError          the programs of a control plane could not be fetched, verified or unpacked
    ├── StageError            a script of stages is not what it should be
    └── TrialError            a trial cannot begin: its objects or its options do not fit its operator
AssertionError
└── TrialFailed
    ├── CrashPointFailed      after a crash the operator came to another end, or to none
    ├── NeverAtRest           undisturbed, the operator did not come to rest in time
    └── NotIdempotent         at rest, the operator still changed something
"""

from windlass.statemachine.errors import WindlassError

__all__ = (
    "ContainerError",
    "ControlPlaneError",
    "CrashPointFailed",
    "DefinitionError",
    "EnvtestError",
    "InstallError",
    "NeverAtRest",
    "NotIdempotent",
    "StageError",
    "TrialError",
    "TrialFailed",
)


class EnvtestError(WindlassError):
    """The surroundings of a test are not as they should be; the code under test is not to blame."""


class ContainerError(EnvtestError):
    """testcontainers, Docker, the image or what runs in it failed; the message says which and, if it ran, its log."""


class ControlPlaneError(EnvtestError):
    """A component of the control plane failed; the message names it, the step, and ends with the tail of its log."""


class InstallError(EnvtestError):
    """An index or an archive could not be had or is not what it should be; nothing was installed."""


class DefinitionError(EnvtestError):
    """The server took a definition and does not serve the kind; the message has the server's own reason."""


class StageError(EnvtestError):
    """A script of stages cannot be read, or says what no stage can say; the message names the file and the field."""


class TrialError(EnvtestError):
    """A trial is not as it should be; the message names the field, what was found and what was expected."""


class TrialFailed(AssertionError):
    """The operator under test has a fault. The message is all that is known of it."""


class CrashPointFailed(TrialFailed):
    """Killed at one of its calls and started anew, the operator did not end as an undisturbed one does."""


class NeverAtRest(TrialFailed):
    """The operator was still at work when the time was over; the message says at what."""


class NotIdempotent(TrialFailed):
    """Woken again with nothing to do, the operator did something; the message has the requests and the diff."""
