"""Who stands for leadership, for how long a Lease holds, and when it is given up: numbers that are only safe together.

Nothing here is done; `windlass.controller.lease` decides by these numbers.
"""

import math

import attrs

from windlass.controller.errors import ManagerError
from windlass.controller.names import lease_fault, namespace_fault

__all__ = ("Candidacy", "LeaderElection", "timing_faults")

_LOOK_AGAIN = 1.2  # of client-go: renewing must be possible for longer than the longest pause between two attempts


@attrs.frozen
class LeaderElection:
    """Which Lease decides who works, and how patiently; None for the fields that the manager can find out.

    `lease_seconds`: how long a Lease that nobody renews keeps others out; whole seconds, for so it is stored.
    `renew_seconds`: how long after its last renewal a leader gives up. `retry_seconds`: between two renewals, and
    between two looks of a standby. `namespace`: by default the one of the kubeconfig's context or of the pod, else
    "default". `identity`: by default the host's name and a random part, new for each process.
    """

    name: str
    namespace: str | None = None
    lease_seconds: int = 15
    renew_seconds: float = 10.0
    retry_seconds: float = 2.0
    identity: str | None = None

    def validate(self) -> None:
        """Raises ManagerError with everything that is wrong (L15)."""
        wrong = [fault for fault in (lease_fault(self.name), namespace_fault(self.namespace)) if fault is not None]
        wrong += timing_faults(self.lease_seconds, self.renew_seconds, self.retry_seconds)
        if self.identity == "":
            wrong.append("identity: expected a name that no other process has, or None, found ''")
        if wrong:
            raise ManagerError(f"leader election on the Lease {self.name!r} cannot be set up: " + "; ".join(wrong))


def timing_faults(lease_seconds: int, renew_seconds: float, retry_seconds: float) -> list[str]:
    """What is wrong with the three times, if anything (L15)."""
    wrong = []
    if not math.isfinite(renew_seconds):
        wrong.append(f"renew_seconds: expected a finite number, found {renew_seconds!r}")
    if not (math.isfinite(lease_seconds) and lease_seconds == int(lease_seconds) and lease_seconds >= 1):
        wrong.append(f"lease_seconds: expected a whole number from 1 up, found {lease_seconds!r}")
    # Each asks for what is right, because every comparison with NaN is false.
    if not (0 < retry_seconds < math.inf):
        wrong.append(f"retry_seconds: expected a finite number above 0, found {retry_seconds!r}")
    if not lease_seconds > renew_seconds:
        wrong.append(
            f"lease_seconds: expected more than renew_seconds ({renew_seconds:g}), or two would lead at once; "
            f"found {lease_seconds!r}"
        )
    if not renew_seconds > _LOOK_AGAIN * retry_seconds:
        wrong.append(
            f"renew_seconds: expected more than {_LOOK_AGAIN:g} times retry_seconds ({_LOOK_AGAIN * retry_seconds:g}), "
            f"or one lost answer would cost the leadership; found {renew_seconds!r}"
        )
    return wrong


@attrs.frozen
class Candidacy:
    """Who asks, under which times. All that a decision needs to know of the settings."""

    identity: str
    lease_seconds: int = 15
    renew_seconds: float = 10.0
    retry_seconds: float = 2.0
