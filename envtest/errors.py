"""What may go wrong while a test's surroundings are set up or taken down.

WindlassError
└── EnvtestError
    └── ControlPlaneError     a component of the control plane is missing, did not start, or is not running
"""

from windlass.statemachine.errors import WindlassError

__all__ = ("ControlPlaneError", "EnvtestError")


class EnvtestError(WindlassError):
    """The surroundings of a test are not as they should be; the code under test is not to blame."""


class ControlPlaneError(EnvtestError):
    """A component of the control plane failed; the message names it, the step, and ends with the tail of its log."""
