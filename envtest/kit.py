"""What tests of an operator import: trials and what is asserted of them, faults, effects."""

from windlass.envtest.calls import Call, Calls
from windlass.envtest.crashes import CrashPoint, SweepReport, for_every_crash_point
from windlass.envtest.effects import Effects
from windlass.envtest.endstate import EndState
from windlass.envtest.errors import CrashPointFailed, NeverAtRest, NotIdempotent, TrialError, TrialFailed
from windlass.envtest.faults import Fault, Faults, Passed
from windlass.envtest.idempotency import assert_idempotent
from windlass.envtest.trial import Trial
from windlass.envtest.waiting import eventually

__all__ = (
    "Call",
    "Calls",
    "CrashPoint",
    "CrashPointFailed",
    "Effects",
    "EndState",
    "Fault",
    "Faults",
    "NeverAtRest",
    "NotIdempotent",
    "Passed",
    "SweepReport",
    "Trial",
    "TrialError",
    "TrialFailed",
    "assert_idempotent",
    "eventually",
    "for_every_crash_point",
)
