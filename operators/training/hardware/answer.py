"""The answer to the question where a job may run: a placement, or the reasons why there is none. Values, no more.

This module does not know how an answer is found.
"""

import attrs

from windlass.operators.training.hardware.profile import Profile
from windlass.operators.training.hardware.registry import HardwareClass
from windlass.operators.training.hardware.types import DomainStatus, HardwareSpec

__all__ = ("Placement", "Rejection", "Unplaceable")


@attrs.frozen
class Rejection:
    """Why a class was not taken: a reason in one word, and a sentence."""

    name: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}: {self.message}"


@attrs.frozen(kw_only=True)
class Placement:
    """A class, the nodes that have room for its Pods (the name once for each Pod), and the domain they are to stay in.

    `models` are the values of the profile's label that the Pods may meet; empty if any will do. `profiles` are all that
    there are, for what has to be removed from a Pod. `claim` is the name of the ResourceClaimTemplate, if there is one.
    """

    of: HardwareClass
    spec: HardwareSpec
    nodes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    domain: DomainStatus | None = None
    claim_version: str = ""
    claim: str = ""
    profiles: tuple[Profile, ...] = ()
    message: str = ""
    rejected: tuple[Rejection, ...] = ()

    @property
    def form(self) -> str:
        """How devices are asked for: DevicePlugin, DRA, or None for a class without any."""
        return "None" if self.of.profile.resource is None else self.spec.form


@attrs.frozen
class Unplaceable:
    """No class can run the job now. `rejected` has each of them, with its reason."""

    reason: str
    message: str
    rejected: tuple[Rejection, ...]
