"""What tests of an operator import: trials and what is asserted of them, faults, effects."""

from windlass.envtest.errors import CrashPointFailed, NeverAtRest, NotIdempotent, TrialError, TrialFailed
from windlass.envtest.kit.calls import Call, Calls
from windlass.envtest.kit.crashes import CrashPoint, SweepReport, for_every_crash_point
from windlass.envtest.kit.effects import Effects
from windlass.envtest.kit.endstate import EndState
from windlass.envtest.kit.faults import Fault, Faults, Passed
from windlass.envtest.kit.idempotency import assert_idempotent
from windlass.envtest.kit.trial import Trial
from windlass.envtest.kit.waiting import eventually

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
